// The controls of the page, and those that its small instances have too, as HTML.

const optionsOf = entries => entries.map(([value, text]) => `<option value="${value}">${text}</option>`).join("")
const AS_IS = [["", "as is"], ["zero", "zero"], ["mean", "mean over people"]]

// What stands in for the activation at each place.
function placeControls(data, hows) {
  const sizes = placeSizes(data.network)
  const places = Object.keys(data.network.places).map(place => {
    const [size, channels] = sizes[place]
    const label = shortName(place, data).replace("skip", "skip ").replace("bottleneck", "bottleneck (the code)")
    return `<label><span>${label}<small>${size} × ${size} × ${channels}</small></span><select data-place="${place}">${optionsOf(hows)}</select></label>`
  })
  return places.join("")
}

// A walk of the code, and what is said of it.
const walkControls = ({ walks }) => `
    <label><span>along</span><select data-walk>${optionsOf(walks.map(({ name }, i) => [i, name]))}</select></label>
    <label><span>how far</span><input type="range" data-step min="-3" max="3" step="0.25" value="0"></label>
    <p class="hint walks"></p>`

function showWalk(find, { walk, step }, { walks }) {
  const far = `${String(step).replace("-", "−")} standard deviation${Math.abs(step) === 1 ? "" : "s"}`
  find("[data-walk]").value = walk
  Object.assign(find("[data-step]"), { value: step, ariaValueText: far })
  find(".walks").textContent = `${far}; ${walks[walk].name} is ${walks[walk].says}.`
}

function layout(data) {
  const { network, people, covered, count, kind } = data
  const gallery = people.map(
    ({ name, picture }, i) => `<label><input type="radio" name="person" value="${i}"><img src="${picture}" alt="${name}"></label>`,
  )
  const maps = network.joints.map(
    (joint, i) => `<button type="button" data-joint="${i}" aria-pressed="false"><canvas width="16" height="16"></canvas>
      <span>${joint}</span><output></output></button>`,
  )
  return `
<fieldset class="gallery"><legend>A person</legend>
  <div class="people">${gallery.join("")}</div>
  <div class="line">
    <label class="button">Your own picture …<input type="file" accept="image/*" data-file></label>
    <label class="button">Take a photograph …<input type="file" accept="image/*" capture="environment" data-file></label>
    <span class="hint">or drop one here. It stays in this browser.</span>
  </div>
</fieldset>
<p class="says fault" role="alert"></p>
<div class="views">
  <figure>
    <canvas class="whole" tabindex="0" role="application"
      aria-label="The picture, and the square that the network sees: arrows move it, plus and minus resize it"></canvas>
    <figcaption>Drag the square, or pull its corner. By keys: arrows, + and −.</figcaption>
  </figure>
  <figure>
    <canvas class="seen" tabindex="0" role="application"
      aria-label="What the network sees, and its prediction. To erase: arrows move the brush, space erases"></canvas>
    <figcaption>The network’s input of ${network.resolution} × ${network.resolution} pixels, and the joints that it predicts: left limbs in warm colours, right limbs in cool ones.
      <span class="ghost">Dashed: before your changes.</span></figcaption>
  </figure>
</div>
<div class="line">
  <label><input type="checkbox" data-circles> confidence circles</label>
  <label><input type="checkbox" data-erase> erase with a brush</label>
</div>
<p class="hint circles">Each circle contains the true position of its joint for ${Math.round(100 * covered)} % of ${kind} (split conformal prediction, calibrated on ${count} of them for each joint).
  For a picture of your own the share is not known.</p>
<p class="says moved" role="status"></p>
<div class="controls">
  <fieldset><legend>Replace activations</legend>${placeControls(data, [...AS_IS, ["another", "another person’s"]])}
    <label class="other"><span>the other person</span><select data-other>${optionsOf(people.map(({ name }, i) => [i, name]))}</select></label>
  </fieldset>
  <fieldset><legend>Walk the code</legend>${walkControls(data)}
  </fieldset>
</div>
<div class="line">
  <button type="button" data-restore>Restore what was erased</button>
  <button type="button" data-reset>Undo all changes</button>
  <button type="button" data-copy>Copy the address of this state</button>
</div>
<p class="hint"><strong>Heatmaps.</strong> One map per joint, each divided by its own peak. The number is the height of the peak as a share of a training target’s. Press a map to lay it over the picture.</p>
<div class="maps">${maps.join("")}</div>
<details><summary>The prediction as a table</summary>
  <div class="wide" tabindex="0" role="region" aria-label="The prediction as a table"><table>
    <thead><tr><th>joint</th><th>x</th><th>y</th><th>peak</th><th>circle</th><th>moved</th></tr></thead><tbody></tbody></table></div>
  <p class="hint">Positions are in pixels of the network's input, from its upper left corner. The column <em>circle</em> has the radius of the confidence circle, the column <em>moved</em> the distance from the prediction before your changes.</p>
</details>
<p class="hint time" aria-live="off"></p>`
}

// The side and the channels of the activation at each place.
function placeSizes({ operations, resolution, places }) {
  const shapes = []
  for (const { op, of, ...step } of operations) {
    const [size, channels] = shapes[of[0]] ?? [resolution, 3]
    if (op === "conv") shapes.push([Math.floor((size + 2 * step.padding - step.kernel) / step.stride) + 1, step.outputs])
    else if (op === "pool") shapes.push([size >> 1, channels])
    else if (op === "upsample") shapes.push([2 * size, channels])
    else if (op === "shuffle") shapes.push([2 * size, channels / 4])
    else shapes.push([size, channels])
  }
  return Object.fromEntries(Object.entries(places).map(([name, number]) => [name, shapes[number]]))
}
