// The page: what the reader does changes a state, a state is predicted by the worker, and the prediction is drawn.

async function tryItPage(root, data) {
  const { network } = data
  const predict = poseWorker(network)
  root.innerHTML = layout(data)
  const find = selector => root.querySelector(selector)
  const all = selector => [...root.querySelectorAll(selector)]
  const colours = { limbs: network.limbs, colours: data.colours, limbColours: data.limb_colours }
  const cells = network.resolution / 2 // along the side of what can be erased
  const code = Object.keys(network.places).at(-1)
  const arrays = Object.fromEntries(Object.entries(data.means).map(([place, text]) => [place, fromText(text)]))
  const still = matchMedia("(prefers-reduced-motion: reduce)")
  const pictures = new Map() // by person's number, those decoded so far

  let state = readState(location.hash.slice(1), data)
  let own = null // the reader's own picture
  let shown = null // {before, now, view, points}: the last prediction, and the keypoints as drawn, which move towards it
  let brush = { x: cells / 2, y: cells / 2 }
  let asked = 0

  const decoded = person => {
    if (!pictures.has(person)) pictures.set(person, decodePicture(data.people[person].picture, data.people[person].name))
    return pictures.get(person)
  }
  const pictureOf = () => (state.person === "own" ? own : decoded(state.person))
  const squareOf = picture => {
    const [x, y, side] = state.view ?? data.people[state.person]?.view ?? [picture.width / 2, picture.height / 2, Math.max(picture.width, picture.height)]
    return { x, y, side }
  }

  // Predict and draw the state; of states that come faster than predictions only the last one is drawn.
  async function show() {
    const turn = ++asked
    root.ariaBusy = "true"
    controls()
    const picture = await pictureOf()
    const square = squareOf(picture)
    if (turn !== asked) return
    drawSquare(find(".whole"), picture, square, wholeWidth(picture))
    const plain = cutView(picture, square, network.resolution)
    const view = state.erased.some(Boolean) ? erase(plain, state.erased, network.resolution) : plain
    const before = await base(plain)
    if (turn !== asked) return
    const now = changed() ? await predict({ view, ...(await request()) }) : before
    if (turn !== asked) return
    const from = shown?.points ?? now.keypoints
    shown = { before, now, view, points: from }
    say()
    heatmaps()
    move(from, now.keypoints, turn)
    remember()
    root.shown = shown // to look at from the browser's console
    root.ariaBusy = "false"
  }

  const changed = () => state.step !== 0 || Object.keys(state.edits).length > 0 || state.erased.some(Boolean)

  // The prediction for a view with nothing changed, kept until the view is another.
  let kept = null
  async function base(view) {
    const same = kept && kept.view.every((value, i) => value === view[i])
    if (!same) kept = { view, answer: await predict({ view }) }
    return kept.answer
  }

  // What the worker is to change: activations by place, and the code walked along.
  async function request() {
    const edits = {}
    for (const [place, how] of Object.entries(state.edits)) edits[place] = how === "mean" ? { how: "values", values: arrays[place] } : { how }
    if (state.step) edits[code] = { ...edits[code], add: fromText(data.walks[state.walk].step).map(value => state.step * value) }
    if (!Object.values(edits).some(({ how }) => how === "another")) return { edits }
    const [x, y, side] = data.people[state.other].view
    return { edits, other: cutView(await decoded(state.other), { x, y, side }, network.resolution) }
  }

  // The skeleton moves to its new place in a quarter of a second, or at once where the reader wants no motion.
  function move(from, to, turn) {
    const started = performance.now()
    const frame = time => {
      if (turn !== asked) return
      const part = still.matches ? 1 : Math.min(Math.max((time - started) / 250, 0), 1)
      shown.points = to.map((point, i) => ({ ...point, x: from[i].x + part * (point.x - from[i].x), y: from[i].y + part * (point.y - from[i].y) }))
      result()
      if (part < 1) requestAnimationFrame(frame)
    }
    frame(still.matches ? Infinity : started)
  }

  const wholeWidth = picture => {
    const room = Math.min(find(".views figure").clientWidth, 360)
    return Math.min(room, (360 * picture.width) / picture.height)
  }

  function result() {
    const canvas = find(".seen")
    const side = Math.min(find(".views figure").clientWidth, 360)
    const [pen, scale] = [sharp(canvas, side, side), side / network.resolution]
    pen.drawImage(viewCanvas(shown.view, network.resolution), 0, 0, side, side)
    pen.fillStyle = "rgb(0 0 0 / 0.25)"
    pen.fillRect(0, 0, side, side)
    if (state.joint !== null) {
      const map = document.createElement("canvas")
      drawHeatmap(map, shown.now.heatmaps[state.joint], data.colours[state.joint], true)
      pen.drawImage(map, 0, 0, side, side)
    }
    if (state.circles) shown.points.forEach((point, i) => ring(pen, (point.x + 0.5) * scale, (point.y + 0.5) * scale, radius(point, i) * scale, data.colours[i]))
    if (changed()) drawSkeleton(pen, shown.before.keypoints, scale, { ...colours, ghost: true })
    drawSkeleton(pen, shown.points, scale, colours)
    if (find("[data-erase]").checked) ring(pen, ((brush.x + 0.5) * side) / cells, ((brush.y + 0.5) * side) / cells, (2.5 * side) / cells, "#fff")
  }
  const radius = (point, i) => data.radii[i] * point.spread

  function heatmaps() {
    for (const button of all("[data-joint]")) {
      const joint = Number(button.dataset.joint)
      drawHeatmap(button.querySelector("canvas"), shown.now.heatmaps[joint], data.colours[joint])
      button.querySelector("output").textContent = shown.now.keypoints[joint].score.toFixed(2)
    }
  }

  // The controls as the state has them.
  function controls() {
    for (const input of all("[name=person]")) input.checked = Number(input.value) === state.person
    for (const select of all("[data-place]")) select.value = state.edits[select.dataset.place] ?? ""
    find("[data-other]").value = state.other
    find(".other").hidden = !Object.values(state.edits).includes("another")
    find("[data-walk]").value = state.walk
    const far = `${String(state.step).replace("-", "−")} standard deviation${Math.abs(state.step) === 1 ? "" : "s"}`
    Object.assign(find("[data-step]"), { value: state.step, ariaValueText: far })
    find(".walks").textContent = `${far}; ${data.walks[state.walk].name} is ${data.walks[state.walk].says}.`
    find("[data-circles]").checked = state.circles
    find(".circles").hidden = !state.circles
    find("[data-restore]").disabled = !state.erased.some(Boolean)
    find("[data-reset]").disabled = !changed() && !state.view
    find(".ghost").hidden = !changed()
    for (const button of all("[data-joint]")) button.setAttribute("aria-pressed", Number(button.dataset.joint) === state.joint)
  }

  // In words: which joints have moved, and all numbers in a table.
  function say() {
    const { before, now } = shown
    const share = now.keypoints.map((point, i) => Math.hypot(point.x - before.keypoints[i].x, point.y - before.keypoints[i].y) / network.resolution)
    const order = share.map((_, i) => i).filter(i => share[i] >= 0.05).sort((a, b) => share[b] - share[a])
    const list = order.slice(0, 5).map(i => `${network.joints[i]} ${Math.round(100 * share[i])} %`).join(", ")
    const rest = order.length > 5 ? ` and ${order.length - 5} more` : ""
    const few = order.length === 1 ? "1 joint moves" : `${order.length} joints move`
    const unchanged =
      state.person === "own" && !state.view
        ? "Now place the square: the person should fill about four fifths of it."
        : "The network as it was trained. Change something below, or erase a part of the picture."
    const moved = order.length ? `${few} by at least 5 % of the square’s side: ${list}${rest}.` : "No joint moves by 5 % of the square’s side."
    find(".moved").textContent = changed() ? moved : unchanged
    find("tbody").innerHTML = now.keypoints.map((point, i) => {
      const numbers = [point.x, point.y].map(value => value.toFixed(1)).concat(point.score.toFixed(2), radius(point, i).toFixed(1))
      return `<tr><th scope="row">${network.joints[i]}</th>${[...numbers, (share[i] * network.resolution).toFixed(1)].map(n => `<td>${n}</td>`).join("")}</tr>`
    }).join("")
    find(".time").textContent = `${network.name}, computed in ${Math.round(now.milliseconds)} ms in this browser.`
  }

  // Into the address: at once, but not more often than a browser allows, and before a link makes another of it.
  let [waiting, written] = [0, -Infinity]
  function write() {
    clearTimeout(waiting)
    ;[waiting, written] = [0, performance.now()]
    const address = writeState(state, data)
    if (location.hash || address !== writeState(firstState(data), data)) history.replaceState(null, "", `#${address}`) // untouched: none
  }
  function remember() {
    clearTimeout(waiting)
    if (performance.now() - written > 200) write()
    else waiting = setTimeout(write, 200)
  }
  addEventListener("click", () => waiting && write(), true)

  const change = changes => {
    Object.assign(state, changes)
    return show()
  }

  async function take(file) {
    find(".fault").textContent = ""
    if (!file) return
    try {
      own = await readPicture(file)
    } catch (error) {
      find(".fault").textContent = error.message
      return
    }
    await change({ person: "own", view: null, erased: firstState(data).erased })
  }

  // What the reader does.
  root.addEventListener("change", ({ target }) => {
    const { dataset, value } = target
    if ("file" in dataset) {
      take(target.files[0])
      target.value = ""
    } else if (target.name === "person") {
      find(".fault").textContent = ""
      const person = Number(value)
      change({ person, view: null, erased: firstState(data).erased, other: anotherThan(person, state.other, data) })
    } else if ("place" in dataset) {
      const { [dataset.place]: _, ...edits } = state.edits
      change({ edits: value ? { ...edits, [dataset.place]: value } : edits })
    } else if ("other" in dataset) change({ other: anotherThan(state.person, Number(value), data) })
    else if ("walk" in dataset) change({ walk: Number(value) })
    else if ("circles" in dataset) change({ circles: target.checked })
    else if ("erase" in dataset) result()
  })
  find("[data-step]").addEventListener("input", ({ target }) => change({ step: Number(target.value) }))
  root.addEventListener("click", ({ target }) => {
    const button = target.closest("button")
    if (!button) return
    if ("joint" in button.dataset) change({ joint: Number(button.dataset.joint) === state.joint ? null : Number(button.dataset.joint) })
    if ("restore" in button.dataset) change({ erased: firstState(data).erased })
    if ("reset" in button.dataset) change({ edits: {}, step: 0, view: null, erased: firstState(data).erased })
    if ("copy" in button.dataset) copy(button)
  })
  async function copy(button) {
    const said = await navigator.clipboard.writeText(location.href).then(() => "Copied", () => "Copy it from the address bar")
    const text = button.textContent
    button.textContent = said
    setTimeout(() => (button.textContent = text), 2000)
  }
  // Dropped anywhere on the page, a file would otherwise take its place.
  addEventListener("dragover", event => {
    event.preventDefault()
    root.classList.add("over")
  })
  addEventListener("dragleave", event => event.relatedTarget || root.classList.remove("over"))
  addEventListener("drop", event => {
    event.preventDefault()
    root.classList.remove("over")
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0])
  })

  squareControls(find(".whole"), { picture: pictureOf, square: squareOf, change, least: 8 })
  brushControls(find(".seen"), {
    on: () => find("[data-erase]").checked,
    cells,
    at: place => {
      if (place) brush = place
      return brush
    },
    redraw: () => shown && result(),
    rub: ({ x, y }) => {
      const erased = state.erased.slice()
      for (let cell = 0; cell < erased.length; cell++)
        if (Math.hypot((cell % cells) - x, Math.floor(cell / cells) - y) <= 2.5) erased[cell] = 1
      change({ erased })
    },
  })
  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.includes("=")) return // a place on the page
    state = readState(location.hash.slice(1), data, state)
    show()
  })
  let width = innerWidth
  addEventListener("resize", () => {
    if (width !== innerWidth) show()
    width = innerWidth
  })
  await show()
}

addEventListener("DOMContentLoaded", () => document.querySelectorAll(".try-it").forEach(root => tryItPage(root, tryIt)))
