// The page: what the reader does changes a state, a state is predicted by the worker, and the prediction is drawn.

async function tryItPage(root, data) {
  const { network } = data
  const { decoded, predicted } = predictions(data)
  root.innerHTML = layout(data)
  const find = selector => root.querySelector(selector)
  const all = selector => [...root.querySelectorAll(selector)]
  const cells = network.resolution / 2 // along the side of what can be erased

  let state = readState(location.hash.slice(1), data)
  let own = null // the reader's own picture
  let shown = null // {before, now, view, points}: the last prediction, and the keypoints as drawn, which move towards it
  let brush = { x: cells / 2, y: cells / 2 }
  let asked = 0

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
    const next = await predicted(state, picture, square)
    if (turn !== asked) return
    const from = shown?.points ?? next.now.keypoints
    shown = { ...next, points: from }
    say()
    heatmaps()
    glide(from, shown.now.keypoints, points => {
      if (turn !== asked) return false
      shown.points = points
      result()
      return true
    })
    remember()
    root.shown = shown // to look at from the browser's console
    root.ariaBusy = "false"
  }

  const wholeWidth = picture => {
    const room = Math.min(find(".views figure").clientWidth, 360)
    return Math.min(room, (360 * picture.width) / picture.height)
  }

  function result() {
    const side = Math.min(find(".views figure").clientWidth, 360)
    const circles = state.circles && shown.points.map(radius)
    drawPrediction(find(".seen"), side, shown, state, data, { circles, brush: find("[data-erase]").checked && brush })
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
    showWalk(find, state, data)
    find("[data-circles]").checked = state.circles
    find(".circles").hidden = !state.circles
    find("[data-restore]").disabled = !state.erased.some(Boolean)
    find("[data-reset]").disabled = !isChanged(state) && !state.view
    find(".ghost").hidden = !isChanged(state)
    for (const button of all("[data-joint]")) button.setAttribute("aria-pressed", Number(button.dataset.joint) === state.joint)
  }

  // In words: which joints have moved, and all numbers in a table.
  function say() {
    const { now } = shown
    const share = movedShares(shown, network)
    const unchanged =
      state.person === "own" && !state.view
        ? "Now place the square: the person should fill about four fifths of it."
        : "The network as it was trained. Change something below, or erase a part of the picture."
    find(".moved").textContent = isChanged(state) ? movedWords(shown, network) : unchanged
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
    rub: cell => change({ erased: rubbed(state.erased, cell) }),
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
