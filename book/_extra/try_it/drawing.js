// What is drawn: skeletons in the book's colours, heatmaps, circles, and the square on a picture.

// A view (size, size, 3) as a canvas of its own pixels.
function viewCanvas(view, size) {
  const canvas = document.createElement("canvas")
  canvas.width = canvas.height = size
  const image = new ImageData(size, size)
  for (let at = 0; at < size * size; at++) image.data.set([view[3 * at], view[3 * at + 1], view[3 * at + 2], 255], 4 * at)
  canvas.getContext("2d").putImageData(image, 0, 0)
  return canvas
}

// A heatmap in a joint's colour, brightest at its own peak: on black, or with `clear` over nothing. A larger `power` shows less of what is low.
function drawHeatmap(canvas, map, colour, { clear = false, power = 0.75 } = {}) {
  const size = Math.sqrt(map.length)
  canvas.width = canvas.height = size
  const peak = map.reduce((a, b) => Math.max(a, b))
  const [red, green, blue] = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16))
  const image = new ImageData(size, size)
  map.forEach((value, at) => {
    const light = peak > 0 ? Math.max(value / peak, 0) ** power : 0
    image.data.set(clear ? [red, green, blue, 230 * light] : [red * light, green * light, blue * light, 255], 4 * at)
  })
  canvas.getContext("2d").putImageData(image, 0, 0)
}

// A canvas as sharp as the screen; its pen counts pixels of the page.
function sharp(canvas, width, height) {
  const ratio = Math.min(devicePixelRatio || 1, 3)
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  const pen = canvas.getContext("2d")
  pen.setTransform(ratio, 0, 0, ratio, 0, 0)
  pen.lineCap = pen.lineJoin = "round"
  return pen
}

// A skeleton of keypoints {x, y, score} in pixels of the view; `scale` screen pixels to one. Joints of low score are faint.
function drawSkeleton(pen, keypoints, scale, { limbs, colours, limbColours, ghost = false }) {
  const at = ({ x, y }) => [(x + 0.5) * scale, (y + 0.5) * scale]
  const shown = ({ score }) => 0.3 + 0.7 * Math.min(Math.max(score / 0.4, 0), 1)
  const line = (a, b, colour, width) => {
    Object.assign(pen, { strokeStyle: colour, lineWidth: width })
    pen.beginPath()
    pen.moveTo(...at(a))
    pen.lineTo(...at(b))
    pen.stroke()
  }
  pen.setLineDash(ghost ? [3, 5] : [])
  limbs.forEach(([i, j], number) => {
    const [a, b] = [keypoints[i], keypoints[j]]
    pen.globalAlpha = ghost ? 0.8 : Math.min(shown(a), shown(b))
    if (!ghost) line(a, b, "#101010", 6)
    line(a, b, ghost ? "#fff" : limbColours[number], ghost ? 1.5 : 3.5)
  })
  pen.setLineDash([])
  if (!ghost)
    keypoints.forEach((point, i) => {
      pen.globalAlpha = shown(point)
      dot(pen, ...at(point), 5, "#101010")
      dot(pen, ...at(point), 3.8, colours[i])
    })
  pen.globalAlpha = 1
}

function dot(pen, x, y, radius, colour) {
  pen.fillStyle = colour
  pen.beginPath()
  pen.arc(x, y, radius, 0, 2 * Math.PI)
  pen.fill()
}

function ring(pen, x, y, radius, colour, width = 1.5) {
  for (const [stroke, wide] of [["#101010", width + 1.5], [colour, width]]) {
    Object.assign(pen, { strokeStyle: stroke, lineWidth: wide })
    pen.beginPath()
    pen.arc(x, y, radius, 0, 2 * Math.PI)
    pen.stroke()
  }
}

// A picture with the square that the network sees; what lies outside is dimmed. Its corner below right is there to be pulled.
function drawSquare(canvas, picture, square, width) {
  const scale = width / picture.width
  const height = picture.height * scale
  const pen = sharp(canvas, width, height)
  const [x, y, side] = [(square.x - square.side / 2) * scale, (square.y - square.side / 2) * scale, square.side * scale]
  pen.drawImage(picture.canvas, 0, 0, width, height)
  pen.fillStyle = "rgb(0 0 0 / 0.5)"
  pen.beginPath()
  pen.rect(0, 0, width, height)
  pen.rect(x, y, side, side)
  pen.fill("evenodd")
  for (const [stroke, wide] of [["#101010", 4], ["#fff", 2]]) {
    Object.assign(pen, { strokeStyle: stroke, lineWidth: wide })
    pen.strokeRect(x, y, side, side)
  }
  const corner = [Math.min(x + side, width - 8), Math.min(y + side, height - 8)]
  dot(pen, ...corner, 8, "#101010")
  dot(pen, ...corner, 6, "#fff")
}

// A prediction over the network's view, `side` pixels of the page wide: the state's heatmap, circles of so many pixels of the view, the joints
// before the changes and now, and where the brush is.
function drawPrediction(canvas, side, { view, before, points, now }, state, data, { circles, brush } = {}) {
  const { resolution, limbs } = data.network
  const [pen, scale, cell] = [sharp(canvas, side, side), side / resolution, (2 * side) / resolution]
  const colours = { limbs, colours: data.colours, limbColours: data.limb_colours }
  pen.drawImage(viewCanvas(view, resolution), 0, 0, side, side)
  pen.fillStyle = "rgb(0 0 0 / 0.25)"
  pen.fillRect(0, 0, side, side)
  if (state.joint !== null) {
    const map = document.createElement("canvas")
    drawHeatmap(map, now.heatmaps[state.joint], data.colours[state.joint], { clear: true })
    pen.drawImage(map, 0, 0, side, side)
  }
  if (circles) points.forEach((point, i) => ring(pen, (point.x + 0.5) * scale, (point.y + 0.5) * scale, circles[i] * scale, data.colours[i]))
  if (isChanged(state)) drawSkeleton(pen, before.keypoints, scale, { ...colours, ghost: true })
  drawSkeleton(pen, points, scale, colours)
  if (brush) ring(pen, (brush.x + 0.5) * cell, (brush.y + 0.5) * cell, BRUSH * cell, "#fff")
}

// Keypoints on their way to new places, for a quarter of a second, or at once where the reader wants no motion; until `draw` gives false.
function glide(from, to, draw) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches
  const started = performance.now()
  const frame = time => {
    const part = still ? 1 : Math.min(Math.max((time - started) / 250, 0), 1)
    const points = to.map((point, i) => ({ ...point, x: from[i].x + part * (point.x - from[i].x), y: from[i].y + part * (point.y - from[i].y) }))
    if (draw(points) && part < 1) requestAnimationFrame(frame)
  }
  frame(started)
}

// All heatmaps laid over each other, each in its joint's colour and brightest at its own peak.
function drawHeatmaps(canvas, maps, colours) {
  const map = document.createElement("canvas")
  canvas.width = canvas.height = Math.sqrt(maps[0].length)
  const pen = canvas.getContext("2d")
  pen.globalCompositeOperation = "lighten"
  maps.forEach((values, joint) => {
    drawHeatmap(map, values, colours[joint], { power: 1.5 })
    pen.drawImage(map, 0, 0)
  })
}
