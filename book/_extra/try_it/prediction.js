// What a state predicts, on the page and in the small instances of it beside figures.

// {decoded, predicted}: a person's picture, and what a state predicts for the square of a picture. What comes again is computed once.
function predictions(data) {
  const { network } = data
  const predict = poseWorker(network)
  const code = Object.keys(network.places).at(-1)
  const means = Object.fromEntries(Object.entries(data.means).map(([place, text]) => [place, fromText(text)]))
  const pictures = new Map() // by person's number

  const decoded = person => {
    if (!pictures.has(person)) pictures.set(person, decodePicture(data.people[person].picture, data.people[person].name))
    return pictures.get(person)
  }

  // The prediction for a view with nothing changed, kept until the view is another.
  let kept = null
  async function base(view) {
    const same = kept && kept.view.every((value, i) => value === view[i])
    if (!same) kept = { view, answer: await predict({ view }) }
    return kept.answer
  }

  // What the worker is to change: activations by place, and the code walked along.
  async function request(state) {
    const edits = {}
    for (const [place, how] of Object.entries(state.edits)) edits[place] = how === "mean" ? { how: "values", values: means[place] } : { how }
    if (state.step) edits[code] = { ...edits[code], add: fromText(data.walks[state.walk].step).map(value => state.step * value) }
    if (!Object.values(edits).some(({ how }) => how === "another")) return { edits }
    const [x, y, side] = data.people[state.other].view
    return { edits, other: cutView(await decoded(state.other), { x, y, side }, network.resolution) }
  }

  // {view, before, now}: what the network sees, and its answers as it was trained and as the state changes it.
  async function predicted(state, picture, square) {
    const plain = cutView(picture, square, network.resolution)
    const view = state.erased.some(Boolean) ? erase(plain, state.erased, network.resolution) : plain
    const before = await base(plain)
    return { view, before, now: isChanged(state) ? await predict({ view, ...(await request(state)) }) : before }
  }

  return { decoded, predicted }
}

// By how much each joint has moved, as a share of the square's side.
function movedShares({ before, now }, { resolution }) {
  return now.keypoints.map((point, i) => Math.hypot(point.x - before.keypoints[i].x, point.y - before.keypoints[i].y) / resolution)
}

// In words, which joints have moved.
function movedWords(shown, network) {
  const share = movedShares(shown, network)
  const order = share.map((_, i) => i).filter(i => share[i] >= 0.05).sort((a, b) => share[b] - share[a])
  const list = order.slice(0, 5).map(i => `${network.joints[i]} ${Math.round(100 * share[i])} %`).join(", ")
  const rest = order.length > 5 ? ` and ${order.length - 5} more` : ""
  const few = order.length === 1 ? "1 joint moves" : `${order.length} joints move`
  return order.length ? `${few} by at least 5 % of the square’s side: ${list}${rest}.` : "No joint moves by 5 % of the square’s side."
}
