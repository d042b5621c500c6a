// The square on the picture and the brush on the view: by mouse, by finger and by keys.

// `change` hears the square's new place as `view`.
function squareControls(canvas, { picture, square, change, least }) {
  const set = async ({ x, y, side }) => {
    const { width, height } = await picture()
    const within = (value, low, high) => Math.min(Math.max(value, low), high)
    return change({ view: [within(x, 0, width), within(y, 0, height), within(side, least, 2 * Math.max(width, height))] })
  }
  canvas.addEventListener("pointerdown", async event => {
    canvas.setPointerCapture(event.pointerId)
    const whole = await picture()
    const from = square(whole)
    const scale = whole.width / canvas.clientWidth
    const place = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect()
      return { x: (clientX - box.left) * scale, y: (clientY - box.top) * scale }
    }
    const start = place(event)
    const corner = [Math.min(from.x + from.side / 2, whole.width), Math.min(from.y + from.side / 2, whole.height)]
    const pulls = Math.hypot(start.x - corner[0], start.y - corner[1]) < 24 * scale
    const moved = event => {
      const [dx, dy] = [place(event).x - start.x, place(event).y - start.y]
      const grown = Math.max(from.side + Math.max(dx, dy), least)
      const more = (grown - from.side) / 2
      set(pulls ? { x: from.x + more, y: from.y + more, side: grown } : { ...from, x: from.x + dx, y: from.y + dy })
    }
    const end = () => {
      canvas.removeEventListener("pointermove", moved)
      canvas.removeEventListener("pointerup", end)
      canvas.removeEventListener("pointercancel", end)
    }
    canvas.addEventListener("pointermove", moved)
    canvas.addEventListener("pointerup", end)
    canvas.addEventListener("pointercancel", end)
  })
  canvas.addEventListener("keydown", async event => {
    const way = arrow(event.key)
    const grow = { "+": 1.1, "=": 1.1, "-": 1 / 1.1, "−": 1 / 1.1 }[event.key]
    if (!way && !grow) return
    event.preventDefault()
    const { x, y, side } = square(await picture())
    set(way ? { x: x + 0.04 * side * way[0], y: y + 0.04 * side * way[1], side } : { x, y, side: side * grow })
  })
}

// Radius of the brush, in cells of what can be erased: squares of two pixels of the view.
const BRUSH = 2.5

// The cells with those of a disc erased too.
function rubbed(erased, { x, y }) {
  const side = Math.sqrt(erased.length)
  return erased.map((gone, cell) => (gone || Math.hypot((cell % side) - x, Math.floor(cell / side) - y) <= BRUSH ? 1 : 0))
}

// `rub` hears the cell that is erased; `at` keeps where the brush is.
function brushControls(canvas, { on, cells, at, redraw, rub }) {
  const cell = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect()
    const along = value => Math.min(Math.max(Math.floor(value * cells), 0), cells - 1)
    return { x: along((clientX - box.left) / box.width), y: along((clientY - box.top) / box.height) }
  }
  const touched = event => {
    if (!on()) return
    at(cell(event))
    if (event.buttons) rub(at())
    else redraw()
  }
  canvas.addEventListener("pointerdown", event => {
    if (on()) canvas.setPointerCapture(event.pointerId)
    touched(event)
  })
  canvas.addEventListener("pointermove", touched)
  // A finger erases in place of scrolling, as long as there is a brush.
  canvas.addEventListener("touchmove", event => on() && event.preventDefault(), { passive: false })
  canvas.addEventListener("keydown", event => {
    if (!on()) return
    const way = arrow(event.key)
    if (!way && event.key !== " ") return
    event.preventDefault()
    const { x, y } = at()
    const within = value => Math.min(Math.max(value, 0), cells - 1)
    if (way) at({ x: within(x + way[0]), y: within(y + way[1]) })
    else rub(at())
    redraw()
  })
}

const arrow = key => ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[key]
