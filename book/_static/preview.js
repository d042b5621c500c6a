// A card shows what a link leads to, be it a figure, a formula, a work or a term, while the mouse or the focus of the keys is on the link;
// and what a number is, while the mouse is on it or after a tap.
//
// What links lead to was gathered when the book was built (_ext/previews.py), in a script: pages on a disk may not read each other.
// What a number is stands with it (_ext/measured.py).
const WAIT = 200 // milliseconds, in which the mouse may cross a link, or go from a link to its card
const NUMBERS = ".bd-article .measured"
const LINKS = `.bd-article a.reference.internal[href*='#'], ${NUMBERS}`
const preview = { link: null, card: null, timer: 0, index: null }

const loadPreviews = () =>
  (preview.index ??= new Promise(resolve => {
    const script = document.createElement("script")
    script.src = "_static/previews.js"
    script.addEventListener("load", () => resolve(previews))
    script.addEventListener("error", () => resolve({}))
    document.head.append(script)
  }))

const hidePreview = () => {
  clearTimeout(preview.timer)
  preview.link?.removeAttribute("aria-describedby")
  preview.card?.remove()
  preview.link = preview.card = null
}

const linked = async link => {
  const page = link.pathname.split("/").at(-1) || "index.html"
  return (await loadPreviews())[page + decodeURIComponent(link.hash)]
}

const showPreview = async link => {
  hidePreview()
  preview.link = link
  const shown = link.dataset.card ?? (await linked(link))
  if (!shown || preview.link !== link) return
  const className = link.dataset.card ? "preview number" : "preview"
  const card = Object.assign(document.createElement("div"), { id: "preview", className, role: "tooltip", innerHTML: shown })
  if (card.querySelector(".math") && !window.MathJax?.typesetPromise) return // a page that has no formulas
  link.removeAttribute("title") // the same words, which the browser would lay over the card
  preview.card = card
  document.body.append(card)
  if (card.querySelector(".math")) await MathJax.typesetPromise([card])
  await Promise.all([...card.querySelectorAll("img")].map(image => image.decode().catch(() => {}))) // for the card's height
  if (preview.card !== card) return
  link.setAttribute("aria-describedby", card.id)
  const box = link.getClientRects()[0]
  const [above, below] = [box.top - 12, innerHeight - box.bottom - 12] // the room that there is
  card.style.maxHeight = `${Math.max(above, below)}px`
  const { offsetWidth: width, offsetHeight: height } = card
  const right = document.documentElement.clientWidth - width - 8
  card.style.left = `${scrollX + Math.max(8, Math.min(box.left, right))}px`
  card.style.top = `${scrollY + (height > below ? box.top - height - 6 : box.bottom + 6)}px`
  card.classList.add("placed")
}

const soon = what => {
  clearTimeout(preview.timer)
  preview.timer = setTimeout(what, WAIT)
}
addEventListener("pointerover", ({ pointerType, target }) => {
  if (pointerType !== "mouse") return
  const link = target.closest(LINKS)
  if (link && link === preview.link) clearTimeout(preview.timer)
  else if (link) soon(() => showPreview(link))
  else if (target.closest(".preview")) clearTimeout(preview.timer)
  else soon(hidePreview)
})
addEventListener("focusin", ({ target }) => target.matches(LINKS) && target.matches(":focus-visible") && showPreview(target))
addEventListener("focusout", hidePreview)
addEventListener("keydown", ({ key }) => key === "Escape" && hidePreview())
addEventListener("click", ({ pointerType, target }) => {
  const number = pointerType === "mouse" ? null : target.closest(NUMBERS)
  if (number && number !== preview.link) showPreview(number)
  else hidePreview()
})
