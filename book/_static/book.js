// Pages opened from a disk may not read each other, so there the search shows titles only.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false

// Figures and tables wider than the screen say so; see custom.css and tables.css. Ten pixels are a margin that no one misses.
// A figure that is hardly wider shrinks to the screen.
const measure = () => {
  const mark = (boxes, name, least = 10, most = Infinity) =>
    document.querySelectorAll(`.bd-article ${boxes}`).forEach(box => {
      box.classList.remove(name)
      const over = box.scrollWidth - box.clientWidth
      box.classList.toggle(name, over > least && over < most)
    })
  mark("figure", "fits", 0, 0.2 * innerWidth)
  mark("figure", "wide")
  mark(":is(.output, .pst-scrollable-table-container):has(> table)", "slides")
  document.querySelectorAll(".bd-article :is(.slides, .wide)").forEach(ended)
}
// Whether the right end of what slides is seen.
const ended = box => box.classList.toggle("end", box.scrollLeft + box.clientWidth > box.scrollWidth - 10)
addEventListener("scroll", event => event.target.matches?.(".slides, .wide") && ended(event.target), true) // it does not bubble
addEventListener("load", measure)
// The list of pages shows the current one with its neighbours.
addEventListener("load", () => {
  const [list, entry] = [".bd-sidebar-primary", ".bd-sidebar-primary li.active.current"].map(name => document.querySelector(name))
  if (!entry) return
  list.scrollTop += entry.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 2
})
addEventListener("resize", measure)
addEventListener("toggle", measure, true) // what is unfolded; the event does not bubble

// A column's head sorts a table by it: largest first, smallest first, and as it was. Numbers by value, whatever stands behind them.
const key = cell => {
  const text = cell.innerText.trim().replace(/−/g, "-").replace(/(\d),(?=\d{3})/g, "$1")
  const number = text.match(/^[-+]?\d+(\.\d+)?/)
  return number ? Number(number[0]) : text
}
const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1)

const sortable = table => {
  const [body, heads] = [table.tBodies[0], table.tHead?.rows]
  if (!body || heads?.length !== 1 || body.rows.length < 5 || table.querySelector("[rowspan], [colspan]") || table.closest(".ledger")) return
  const rows = [...body.rows]
  for (const [i, head] of [...heads[0].cells].entries()) {
    if (!head.innerText.trim()) continue
    const button = document.createElement("button")
    button.append(...head.childNodes)
    head.append(button)
    button.addEventListener("click", () => {
      const next = { none: "descending", descending: "ascending", ascending: "none" }[head.ariaSort ?? "none"]
      for (const other of heads[0].cells) other.ariaSort = null
      const sign = { none: 0, descending: -1, ascending: 1 }[next]
      if (sign) head.ariaSort = next
      body.append(...(sign ? rows.toSorted((a, b) => sign * compare(key(a.cells[i]), key(b.cells[i]))) : rows))
    })
  }
}
addEventListener("DOMContentLoaded", () => document.querySelectorAll(".bd-article table").forEach(sortable))

// Long names of the index may break behind their dots.
addEventListener("DOMContentLoaded", () =>
  document.querySelectorAll(".genindextable a").forEach(link => { link.innerHTML = link.innerHTML.replaceAll(".", ".<wbr>") }))

// A browser shows a notebook of a disk as text in place of keeping it, so there its page's script brings it (pages.py).
const keep = (name, notebook) => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([JSON.stringify(notebook, null, 1)]))
  link.download = name
  link.click()
}
const download = link => {
  link.download = ""
  link.removeAttribute("target")
  if (location.protocol !== "file:") return
  link.addEventListener("click", event => {
    event.preventDefault()
    const script = document.createElement("script")
    script.src = `notebooks/${link.pathname.split("/").at(-1)}.js`
    document.head.append(script)
  })
}
addEventListener("DOMContentLoaded", () => document.querySelectorAll('a[href$=".ipynb"]').forEach(download))
