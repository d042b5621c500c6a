// Pages opened from a disk may not read each other, so there the search shows titles only.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false

// Figures wider than the screen say so; see custom.css.
const measure = () =>
  document.querySelectorAll(".bd-article figure").forEach(figure => figure.classList.toggle("wide", figure.scrollWidth > figure.clientWidth + 1))
addEventListener("load", measure)
addEventListener("resize", measure)
