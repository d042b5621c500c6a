// A small instance of the page beside a figure of a chapter: one person, and the controls of that figure alone.
//
// What the reader does changes a state, a link to the page has the state in its address, and the instance begins with the state of that link.

const SMALL = {
  skips: data => `<fieldset><legend>Replace activations</legend>${placeControls(data, AS_IS)}</fieldset>`,
  walks: data => `<fieldset><legend>Walk the code</legend>${walkControls(data)}
    <label><span>skip connections</span><select data-skips>${optionsOf(AS_IS)}</select></label></fieldset>`,
  erase: data => `<fieldset><legend>Erase a part of the picture</legend>
    <label><span>around</span><select data-around>${optionsOf([["", "choose a joint"], ...data.network.joints.map((joint, i) => [i, joint])])}</select></label>
    <p class="hint">Or with a brush: drag over the picture, or move the brush by arrow keys and erase with the space bar. The erased part is filled with the
      mean colour of the rest.</p></fieldset>`,
}

async function smallInstance(root, kind, data) {
  const { network } = data
  const { decoded, predicted } = predictions(data)
  const cells = network.resolution / 2
  const erases = kind === "erase"
  const skips = Object.keys(network.places).filter(place => place.includes("skip"))
  const link = root.querySelector("a.state")
  const find = selector => root.querySelector(selector)

  let state = readState(link.hash.slice(1), data)
  const { person } = state
  const [x, y, side] = state.view ?? data.people[person].view
  const prediction = async state => predicted(state, await decoded(person), { x, y, side })
  let shown = null
  let brush = { x: cells / 2, y: cells / 2 }
  let asked = 0

  const role = erases
    ? `tabindex="0" role="application" aria-label="${data.people[person].name}, and the predicted joints. Arrows move the brush, space erases"`
    : `role="img" aria-label="${data.people[person].name}, and the predicted joints"`
  find(".instance").innerHTML = `
<div class="views">
  <figure><canvas class="seen" ${role}></canvas>
    <figcaption>The input of ${network.resolution} × ${network.resolution} pixels, and the predicted joints. <span class="ghost">Dashed: before your changes.</span></figcaption></figure>
  <figure><canvas class="glow" role="img" aria-label="The heatmaps of all joints"></canvas>
    <figcaption>The heatmaps, overlaid, each divided by its own peak.</figcaption></figure>
</div>
<p class="says moved" role="status"></p>
<div class="controls">${SMALL[kind](data)}</div>
<div class="line"><button type="button" data-reset>Undo all changes</button></div>
<p class="hint">The network is <em>${network.name}</em>, the small one of the page <em>Try it</em>, and not that of this chapter’s figures. It is computed in this browser.</p>`

  async function show() {
    const turn = ++asked
    root.ariaBusy = "true"
    controls()
    const next = await prediction(state)
    if (turn !== asked) return
    const from = shown?.points ?? next.now.keypoints
    shown = { ...next, points: from }
    drawHeatmaps(find(".glow"), shown.now.heatmaps, data.colours)
    find(".moved").textContent = isChanged(state) ? movedWords(shown, network) : "The network as it was trained."
    glide(from, shown.now.keypoints, points => {
      if (turn !== asked) return false
      shown.points = points
      draw()
      return true
    })
    root.shown = shown
    root.ariaBusy = "false"
  }
  const draw = () => drawPrediction(find(".seen"), find(".seen").clientWidth, shown, state, data, { brush: erases && brush })

  function controls() {
    link.hash = writeState(state, data)
    for (const select of root.querySelectorAll("[data-place]")) select.value = state.edits[select.dataset.place] ?? ""
    if (kind === "walks") {
      showWalk(find, state, data)
      find("[data-skips]").value = state.edits[skips[0]] ?? ""
    }
    find("[data-reset]").disabled = !isChanged(state)
    find(".ghost").hidden = !isChanged(state)
  }

  const change = changes => {
    Object.assign(state, changes)
    return show()
  }
  const around = async joint => {
    const turn = ++asked // what is computed for an earlier change is not shown any more
    root.ariaBusy = "true"
    const { x, y } = (await prediction(firstState(data))).before.keypoints[joint]
    if (turn === asked) return change({ erased: rubbed(firstState(data).erased, { x: (x - 0.5) / 2, y: (y - 0.5) / 2 }) })
  }
  const edited = (places, how) => {
    const kept = Object.entries(state.edits).filter(([place]) => !places.includes(place))
    return change({ edits: Object.fromEntries([...kept, ...(how ? places.map(place => [place, how]) : [])]) })
  }
  root.addEventListener("change", ({ target: { dataset, value } }) => {
    if ("place" in dataset) edited([dataset.place], value)
    else if ("skips" in dataset) edited(skips, value)
    else if ("walk" in dataset) change({ walk: Number(value) })
    else if ("around" in dataset) value ? around(Number(value)) : change({ erased: firstState(data).erased })
  })
  root.addEventListener("input", ({ target: { dataset, value } }) => "step" in dataset && change({ step: Number(value) }))
  find("[data-reset]").addEventListener("click", () => {
    if (erases) find("[data-around]").value = ""
    change({ edits: {}, step: 0, erased: firstState(data).erased })
  })
  if (erases)
    brushControls(find(".seen"), {
      on: () => true,
      cells,
      at: place => {
        if (place) brush = place
        return brush
      },
      redraw: () => shown && draw(),
      rub: cell => change({ erased: rubbed(state.erased, cell) }),
    })
  addEventListener("resize", () => shown && draw())
  await show()
}
