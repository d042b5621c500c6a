// A figure opens large over its page. On a phone, and with keys that open links elsewhere, its link leads to the picture, to be zoomed there.
addEventListener("click", event => {
  const link = event.target.closest("a.large")
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || innerWidth <= 576) return
  event.preventDefault()
  const [dialog, picture, words, close] = ["dialog", "img", "p", "button"].map(name => document.createElement(name))
  Object.assign(picture, { src: link.href, alt: link.querySelector("img").alt })
  picture.onload = () => picture.style.setProperty("--shape", picture.naturalWidth / picture.naturalHeight)
  words.textContent = link.closest("figure")?.querySelector("figcaption")?.innerText.replace(/#$/, "").trim() ?? ""
  close.textContent = "Close"
  dialog.className = "large"
  dialog.ariaLabel = "Figure"
  dialog.append(close, picture, words)
  dialog.addEventListener("click", () => dialog.close())
  dialog.addEventListener("close", () => dialog.remove()) // Escape closes it too; the focus goes back to the link
  document.body.append(dialog)
  dialog.showModal()
})
