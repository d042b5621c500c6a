// A pose network in plain JavaScript: what posekit/engine/browser.py describes, computed with typed arrays.
//
// All that computes is within two functions, whose text also makes the worker: pages opened from a disk may not load one from a file.
// Activations are {size, channels, data}: a square map, row by row, the channels of a cell side by side.

// Base64 of float16 numbers as Float32Array.
function fromText(text) {
  const bits = new Uint16Array(Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer)
  return Float32Array.from(bits, number => {
    const sign = number & 0x8000 ? -1 : 1
    const exponent = (number >> 10) & 31
    const fraction = (number & 0x3ff) / 1024
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction)
  })
}

function poseNetwork(description) {
  const kernels = fromText(description.kernels)
  const constants = new Float32Array(Uint8Array.from(atob(description.constants), letter => letter.charCodeAt(0)).buffer)
  const part = (offset, count) => constants.subarray(offset, offset + count)

  // The cells that a convolution sees, one row of kernel * kernel * channels numbers for each cell of the result; 0 outside.
  function windows(x, { kernel, stride, padding }, size) {
    const { channels: c } = x
    const rows = new Float32Array(size * size * kernel * kernel * c)
    let to = 0
    for (let y = 0; y < size; y++)
      for (let left = 0; left < size; left++)
        for (let i = 0; i < kernel; i++)
          for (let j = 0; j < kernel; j++, to += c) {
            const [row, column] = [y * stride - padding + i, left * stride - padding + j]
            if (row < 0 || column < 0 || row >= x.size || column >= x.size) continue
            const from = (row * x.size + column) * c
            for (let k = 0; k < c; k++) rows[to + k] = x.data[from + k]
          }
    return rows
  }

  // out[n][o] = rows[n] · weights[o], in blocks of four cells by two outputs, so that each number loaded is used more than once.
  function product(rows, weights, count, length, outputs) {
    const out = new Float32Array(count * outputs)
    for (let n = 0; n < count; n += 4) {
      const [a, b, c, d] = [n, n + 1, n + 2, n + 3].map(row => Math.min(row, count - 1) * length)
      for (let o = 0; o < outputs; o += 2) {
        const other = Math.min(o + 1, outputs - 1)
        const [u, v] = [o * length, other * length]
        let [a0, a1, b0, b1, c0, c1, d0, d1] = [0, 0, 0, 0, 0, 0, 0, 0]
        for (let k = 0; k < length; k++) {
          const p = weights[u + k]
          const q = weights[v + k]
          const s = rows[a + k]
          const t = rows[b + k]
          const w = rows[c + k]
          const z = rows[d + k]
          a0 += p * s
          a1 += q * s
          b0 += p * t
          b1 += q * t
          c0 += p * w
          c1 += q * w
          d0 += p * z
          d1 += q * z
        }
        const put = (row, first, second) => {
          if (row >= count) return
          out[row * outputs + other] = second
          out[row * outputs + o] = first
        }
        put(n, a0, a1)
        put(n + 1, b0, b1)
        put(n + 2, c0, c1)
        put(n + 3, d0, d1)
      }
    }
    return out
  }

  // In place: scale and shift each channel, then cut off below 0.
  function finish(data, channels, { scale, shift, relu }) {
    const scales = scale === null ? new Float32Array(channels).fill(1) : part(scale, channels)
    const shifts = shift === null ? new Float32Array(channels) : part(shift, channels)
    for (let i = 0; i < data.length; i += channels)
      for (let c = 0; c < channels; c++) {
        const value = data[i + c] * scales[c] + shifts[c]
        data[i + c] = relu && value < 0 ? 0 : value
      }
    return data
  }

  function resized(x, size, value) {
    const data = new Float32Array(size * size * x.channels)
    for (let y = 0, to = 0; y < size; y++)
      for (let left = 0; left < size; left++) for (let c = 0; c < x.channels; c++, to++) data[to] = value(y, left, c)
    return { size, channels: x.channels, data }
  }

  const operations = {
    conv(step, [x]) {
      const { kernel, stride, padding, outputs } = step
      const size = Math.floor((x.size + 2 * padding - kernel) / stride) + 1
      const length = kernel * kernel * x.channels
      const rows = kernel === 1 && stride === 1 ? x.data : windows(x, step, size)
      const weights = kernels.subarray(step.weights, step.weights + outputs * length)
      return { size, channels: outputs, data: finish(product(rows, weights, size * size, length, outputs), outputs, step) }
    },
    affine: (step, [x]) => ({ ...x, data: finish(x.data.slice(), x.channels, step) }),
    add: (step, [x, y]) => ({ ...x, data: x.data.map((value, i) => value + y.data[i]) }),
    upsample: (step, [x]) => resized(x, 2 * x.size, (y, left, c) => x.data[((y >> 1) * x.size + (left >> 1)) * x.channels + c]),
    pool: (step, [x]) =>
      resized(x, x.size >> 1, (y, left, c) => {
        const from = (2 * y * x.size + 2 * left) * x.channels + c
        const below = from + x.size * x.channels
        return Math.max(x.data[from], x.data[from + x.channels], x.data[below], x.data[below + x.channels])
      }),
  }

  // Results of all operations for a view (R, R, 3) of bytes; `edits` gives by place a function of the activation's numbers.
  function run(view, edits = {}) {
    const names = Object.fromEntries(Object.entries(description.places).map(([name, number]) => [number, name]))
    const results = []
    for (const [number, step] of description.operations.entries()) {
      const result =
        step.op === "input"
          ? { size: description.resolution, channels: 3, data: Float32Array.from(view, (v, i) => v / 255 - description.mean[i % 3]) }
          : operations[step.op](step, step.of.map(i => results[i]))
      const edit = edits[names[number]]
      results.push(edit ? { ...result, data: edit(result.data) } : result)
    }
    return results
  }

  // The last stack's heatmaps, one Float32Array a joint: probabilities of a network that was trained with cross-entropy.
  function heatmaps(results) {
    const { size, channels, data } = results[description.outputs.at(-1)]
    return Array.from({ length: channels }, (_, joint) => {
      const map = Float32Array.from({ length: size * size }, (_, cell) => data[cell * channels + joint])
      if (description.loss !== "cross-entropy") return map
      const top = map.reduce((a, b) => Math.max(a, b))
      const raised = Float64Array.from(map, value => Math.exp(value - top))
      const sum = raised.reduce((a, b) => a + b)
      return Float32Array.from(raised, value => value / sum)
    })
  }

  // A Gaussian blur that sums to 1, 0 outside the map; see posekit.heatmaps.smooth.
  function smooth(map, size, sigma) {
    const radius = Math.ceil(3 * sigma)
    const bell = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)))
    const total = bell.reduce((a, b) => a + b)
    const along = (source, step, across) =>
      Float64Array.from(source, (_, cell) => {
        const at = Math.floor(cell / step) % size
        let sum = 0
        for (let i = -radius; i <= radius; i++) if (at + i >= 0 && at + i < size) sum += bell[i + radius] * source[cell + i * step]
        return sum / total
      })
    return along(along(map, 1), size)
  }

  // DARK (Zhang et al., CVPR 2020): the highest cell, and a Newton step on the logarithm; see posekit.heatmaps.decode.
  function decode(map, size) {
    const score = map.reduce((a, b) => Math.max(a, b))
    const cell = map.indexOf(score)
    const [x, y] = [cell % size, Math.floor(cell / size)]
    const [column, row] = [x, y].map(value => Math.min(Math.max(value, 1), size - 2))
    const log = (dy, dx) => Math.log(Math.max(map[(row + dy) * size + column + dx], 2.2250738585072014e-308))
    const gx = (log(0, 1) - log(0, -1)) / 2
    const gy = (log(1, 0) - log(-1, 0)) / 2
    const hxx = log(0, 1) - 2 * log(0, 0) + log(0, -1)
    const hyy = log(1, 0) - 2 * log(0, 0) + log(-1, 0)
    const hxy = (log(1, 1) - log(1, -1) - log(-1, 1) + log(-1, -1)) / 4
    const determinant = hxx * hyy - hxy ** 2
    const peaked = hxx < 0 && determinant > 1e-9 && score > 0
    const within = (value, low, high) => Math.min(Math.max(value, low), high)
    const refined = (from, centre, step) =>
      within(within(peaked ? centre + step / determinant : from, from - 1, from + 1), -0.5, size - 0.5)
    return [refined(x, column, hxy * gy - hyy * gx), refined(y, row, hxy * gx - hxx * gy)]
  }

  // Keypoints {x, y, score, spread} in pixels of the view. The spread is the root mean square distance of the map's mass from the keypoint.
  function keypoints(maps) {
    const size = description.resolution / description.stride
    const probabilities = description.loss === "cross-entropy"
    return maps.map(map => {
      const [x, y] = decode(probabilities ? smooth(map, size, description.blur * size) : map, size)
      let [sum, squares] = [0, 0]
      map.forEach((value, cell) => {
        const mass = Math.max(value, 0)
        sum += mass
        squares += mass * (((cell % size) - x) ** 2 + (Math.floor(cell / size) - y) ** 2)
      })
      const place = value => description.stride * (value + 0.5) - 0.5
      const score = map.reduce((a, b) => Math.max(a, b)) / description.peak
      return { x: place(x), y: place(y), score, spread: sum ? description.stride * Math.sqrt(squares / sum) : 0 }
    })
  }

  // What to do at a place, of a request's words: "zero", numbers in the activation's own order, or as is; and numbers to add to it.
  function edit({ how, values, add }) {
    const replaced = data => (how === "zero" ? new Float32Array(data.length) : how === "values" ? Float32Array.from(values) : data)
    return data => (add ? replaced(data).map((value, i) => value + add[i]) : replaced(data))
  }

  // Answer a request: a `view`, an `other` view whose activations stand in where `how` is "another", and `edits` by place.
  function answer({ view, other, edits = {} }) {
    const started = performance.now()
    const functions = {}
    const others = other && Object.values(edits).some(({ how }) => how === "another") ? run(other) : null
    for (const [name, wish] of Object.entries(edits)) {
      const taken = wish.how === "another" && others ? { ...wish, how: "values", values: others[description.places[name]].data } : wish
      functions[name] = edit(taken)
    }
    const maps = heatmaps(run(view, functions))
    return { heatmaps: maps, keypoints: keypoints(maps), milliseconds: performance.now() - started }
  }

  return { answer, run, heatmaps, keypoints, smooth, decode }
}

// A function that answers requests one after the other, in a worker, or where there can be none in the page itself.
function poseWorker(description) {
  const work = poseNetwork => {
    let network
    onmessage = ({ data }) => {
      if (data.description) network = poseNetwork(data.description)
      else postMessage({ id: data.id, ...network.answer(data) })
    }
  }
  const waiting = new Map()
  let worker
  try {
    worker = new Worker(URL.createObjectURL(new Blob([`${fromText};(${work})(${poseNetwork})`], { type: "text/javascript" })))
  } catch {
    const network = poseNetwork(description)
    return request => Promise.resolve(network.answer(request))
  }
  worker.postMessage({ description })
  worker.onmessage = ({ data }) => {
    waiting.get(data.id)(data)
    waiting.delete(data.id)
  }
  let id = 0
  return request =>
    new Promise(resolve => {
      waiting.set(++id, resolve)
      worker.postMessage({ id, ...request })
    })
}
