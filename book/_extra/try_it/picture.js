// Pictures and views: a reader's file to pixels, and the square of a picture that the network sees.

// Longest side in pixels at which a reader's own picture is kept.
const KEPT = 1024

// A file's picture {name, pixels, width, height, canvas}, turned as its camera says, over white where it is transparent.
async function readPicture(file) {
  let bitmap
  try {
    bitmap = await createImageBitmap(file)
  } catch {
    throw new Error(`${file.name || "The file"} cannot be read as a picture, or is too large for this browser; choose a JPEG, PNG or WebP.`)
  }
  const scale = Math.min(1, KEPT / Math.max(bitmap.width, bitmap.height))
  const picture = toPixels(bitmap, Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)))
  bitmap.close()
  return { ...picture, name: file.name || "your picture" }
}

// The picture of a data address.
async function decodePicture(address, name) {
  const image = new Image()
  image.src = address
  await image.decode()
  return { ...toPixels(image, image.naturalWidth, image.naturalHeight), name }
}

function toPixels(image, width, height) {
  const canvas = document.createElement("canvas")
  Object.assign(canvas, { width, height })
  const pen = canvas.getContext("2d", { willReadFrequently: true })
  pen.fillStyle = "#fff"
  pen.fillRect(0, 0, width, height)
  pen.imageSmoothingQuality = "high"
  pen.drawImage(image, 0, 0, width, height)
  return { width, height, canvas, pixels: pen.getImageData(0, 0, width, height).data }
}

// The square {x, y, side} of a picture as (size, size, 3) bytes; x and y of its centre, measured from the picture's outer edge.
// Black outside, antialiased where it shrinks, rounded after each direction: what posekit.data.crops.cut gives.
function cutView(picture, square, size) {
  const factor = square.side / size
  const reach = Math.max(factor, 1)
  const weights = (low, length) =>
    Array.from({ length: size }, (_, i) => {
      const centre = low + (i + 0.5) * factor
      const taken = []
      let sum = 0
      for (let j = Math.floor(centre - reach); j < Math.ceil(centre + reach); j++) {
        const weight = Math.max(0, 1 - Math.abs(j + 0.5 - centre) / reach)
        sum += weight
        if (j >= 0 && j < length) taken.push([j, weight])
      }
      return taken.map(([j, weight]) => [j, weight / sum])
    })
  const columns = weights(square.x - square.side / 2, picture.width)
  const rows = weights(square.y - square.side / 2, picture.height)
  const needed = rows.flat().map(([j]) => j)
  const [first, last] = needed.length ? [needed.reduce((a, b) => Math.min(a, b)), needed.reduce((a, b) => Math.max(a, b))] : [0, -1]
  const across = new Uint8ClampedArray(Math.max(0, last - first + 1) * size * 3)
  for (let y = first; y <= last; y++)
    for (let i = 0; i < size; i++)
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (const [j, weight] of columns[i]) sum += weight * picture.pixels[(y * picture.width + j) * 4 + c]
        across[((y - first) * size + i) * 3 + c] = sum
      }
  const view = new Uint8ClampedArray(size * size * 3)
  for (let i = 0; i < size; i++)
    for (let at = 0; at < size * 3; at++) {
      let sum = 0
      for (const [j, weight] of rows[i]) sum += weight * across[(j - first) * size * 3 + at]
      view[i * size * 3 + at] = sum
    }
  return view
}

// A view with the erased cells, (side, side) of 0 and 1, in the mean colour of the rest.
function erase(view, cells, size) {
  const side = Math.sqrt(cells.length)
  const gone = at => cells[Math.floor((Math.floor(at / size) * side) / size) * side + Math.floor(((at % size) * side) / size)]
  const [sum, erased] = [[0, 0, 0], view.slice()]
  let kept = 0
  for (let at = 0; at < size * size; at++) {
    if (gone(at)) continue
    kept += 1
    for (let c = 0; c < 3; c++) sum[c] += view[3 * at + c]
  }
  for (let at = 0; at < size * size; at++) if (gone(at)) for (let c = 0; c < 3; c++) erased[3 * at + c] = kept ? sum[c] / kept : 128
  return erased
}
