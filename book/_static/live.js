// Small instances of the page Try it beside figures (_extra/try_it/small.js): what they run is loaded when a reader opens one.
const PARTS = ["data", "network", "picture", "drawing", "state", "pointing", "prediction", "layout", "small"]
let parts = null
const loadParts = () => {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "try_it/try_it.css" })
  document.head.append(style)
  const loaded = PARTS.map(
    part =>
      new Promise((resolve, reject) => {
        const script = Object.assign(document.createElement("script"), { src: `try_it/${part}.js`, async: false }) // in this order
        script.addEventListener("load", resolve)
        script.addEventListener("error", () => reject(new Error(`${script.src} is not there`)))
        document.head.append(script)
      }),
  )
  return Promise.all(loaded)
}
const openLive = async ({ target }) => {
  if (!target.matches("details.live") || !target.open || target.dataset.opened) return
  target.dataset.opened = "yes"
  const place = target.querySelector(".instance")
  place.textContent = "Loading …"
  parts ??= loadParts()
  await parts.then(() => smallInstance(target, target.dataset.live, tryIt)).catch(error => (place.textContent = error.message))
}
addEventListener("toggle", openLive, true) // it does not bubble
