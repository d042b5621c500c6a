// What the reader has chosen, in the page's address: the part behind #, so that an address shows another reader the same.
//
// A state is {person, view, edits, other, walk, step, erased, joint, circles}. A picture of the reader's own is in no address.

const HOWS = ["zero", "mean", "another"]

function writeState(state, data) {
  const words = new URLSearchParams()
  if (typeof state.person === "number") words.set("person", state.person + 1)
  if (state.view) words.set("view", state.view.map(value => Math.round(value * 10) / 10).join(","))
  for (const [place, how] of Object.entries(state.edits)) words.set(shortName(place, data), how)
  if (Object.values(state.edits).includes("another")) words.set("other", state.other + 1)
  if (state.step) words.set("walk", data.walks[state.walk].name)
  if (state.step) words.set("step", state.step)
  if (state.joint !== null) words.set("joint", data.network.joints[state.joint])
  if (state.circles) words.set("circles", "1")
  if (state.erased.some(Boolean)) words.set("erased", packed(state.erased))
  return words.toString()
}

// The state of an address. What it does not say, or says wrong, is as at first; but a person and the square stay those `of` a state.
function readState(text, data, { person, view } = firstState(data)) {
  const words = new URLSearchParams(text)
  const state = { ...firstState(data), ...(words.has("person") ? {} : { person, view }) }
  const index = (name, count) => {
    const number = Number(words.get(name)) - 1
    return Number.isInteger(number) && number >= 0 && number < count ? number : null
  }
  state.person = index("person", data.people.length) ?? state.person
  const square = (words.get("view") ?? "").split(",").map(Number)
  if (square.length === 3 && square.every(Number.isFinite) && square[2] >= 4 && square[2] < 1e5) state.view = square
  for (const place of Object.keys(data.network.places)) {
    const how = words.get(shortName(place, data))
    if (HOWS.includes(how)) state.edits[place] = how
  }
  state.other = index("other", data.people.length) ?? state.other
  state.other = anotherThan(state.person, state.other, data)
  const walk = data.walks.findIndex(({ name }) => name === words.get("walk"))
  const step = Number(words.get("step"))
  if (walk >= 0 && Math.abs(step) <= 3) Object.assign(state, { walk, step })
  const joint = data.network.joints.indexOf(words.get("joint"))
  if (joint >= 0) state.joint = joint
  state.circles = words.get("circles") === "1"
  state.erased = unpacked(words.get("erased"), state.erased.length) ?? state.erased
  return state
}

// The other person, or the next one where that is the person shown.
const anotherThan = (person, other, data) => (other === person ? (other + 1) % data.people.length : other)

// As at first: the first person, nothing changed.
function firstState(data) {
  const side = data.network.resolution / 2
  return { person: 0, view: null, edits: {}, other: 1, walk: 0, step: 0, erased: new Uint8Array(side * side), joint: null, circles: false }
}

// Whether a state changes what the network computes or sees.
const isChanged = ({ step, edits, erased }) => step !== 0 || Object.keys(edits).length > 0 || erased.some(Boolean)

// skip1 for stack0.skip1, bottleneck for the code; with several stacks, the stack before it.
function shortName(place, data) {
  const [stack, name] = place.split(".")
  const several = Object.keys(data.network.places).some(other => !other.startsWith(`${stack}.`))
  return (several ? `${stack}.` : "") + (name.startsWith("skip") ? name : "bottleneck")
}

// Cells of 0 and 1, eight to a byte, in letters that an address keeps.
function packed(cells) {
  const bytes = Array.from({ length: Math.ceil(cells.length / 8) }, (_, i) =>
    cells.slice(8 * i, 8 * i + 8).reduce((byte, cell, bit) => byte | (cell << bit), 0),
  )
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")
}

function unpacked(text, count) {
  try {
    const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"))
    return bytes.length === Math.ceil(count / 8) ? Uint8Array.from({ length: count }, (_, i) => (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1) : null
  } catch {
    return null
  }
}
