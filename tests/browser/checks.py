"""What a reader's browser must not find in a page: each check returns faults in words, none where all is well."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from bs4 import BeautifulSoup
from playwright.sync_api import Page

MOST = 2_000_000  # bytes of a page before its pictures
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


class Witness:
    """What goes on in a page from now on that should not: requests to other hosts, errors on the console and in scripts."""

    def __init__(self, page: Page):
        self.seen: list[str] = []
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else self.seen.append(f"asks for {r.url}"))
        page.on("requestfailed", lambda r: self.seen.append(f"{r.url[:200]} is not there"))
        page.on("console", lambda m: self.seen.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: self.seen.append(f"script: {e}"))

    def faults(self) -> list[str]:
        found, self.seen = self.seen, []
        return found


def weight(path: Path) -> list[str]:
    """More than a page should weigh, pictures inside it included."""
    size = path.stat().st_size
    return [f"{size:,} bytes"] if size > MOST else []


def pictures(page: Page) -> list[str]:
    """Pictures that do not show, or are not described."""
    return page.evaluate("""async () => {
        const found = []
        for (const image of document.querySelectorAll("article img")) {
            image.loading = "eager"
            await image.decode().catch(() => {})
            if (!image.naturalWidth) found.push(`no picture: ${image.src.slice(-60)}`)
            if (!image.alt.trim()) found.push(`not described: ${image.src.slice(-60)}`)
        }
        return found
    }""")


def formulas(page: Page) -> list[str]:
    """Formulas that MathJax has left as source, or could not read."""
    page.wait_for_function("!document.querySelector('.math') || window.MathJax?.startup?.promise")
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    return page.evaluate(r"""() => {
        const raw = [...document.querySelectorAll("article .math")].filter(e => !e.querySelector("mjx-container svg"))
        const text = document.querySelector("article")?.innerText ?? ""
        return [
            ...raw.map(e => `not rendered: ${e.textContent.slice(0, 60)}`),
            ...[...document.querySelectorAll("[data-mjx-error]")].map(e => `not understood: ${e.dataset.mjxError}`),
            ...(text.match(/\\[(\[].{0,40}|\$\$.{0,40}/g) ?? []).map(t => `raw: ${t}`),
        ]
    }""")


def width(page: Page) -> list[str]:
    """What makes the page wider than a phone, so that it scrolls sideways."""
    page.set_viewport_size(PHONE)
    faults = page.evaluate("""() => {
        const wide = document.documentElement.clientWidth
        if (document.documentElement.scrollWidth <= wide) return []
        const culprits = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > wide + 1)
        return [`${document.documentElement.scrollWidth} px wide: `
            + culprits.slice(0, 3).map(e => `<${e.tagName.toLowerCase()} class="${e.className}">`).join(", ")]
    }""")
    page.set_viewport_size(DESK)
    return faults


def unfold(page: Page) -> int:
    """Open all that is folded in a page; how much that is."""
    return page.evaluate("""() => {
        const folded = [...document.querySelectorAll("article details")]
        folded.forEach(details => { details.open = true })
        return folded.length
    }""")


def accessibility(page: Page, within: str = "html") -> list[str]:
    """What axe-core finds serious or critical, in the whole page or in the elements of a selector."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE_SCRIPT)
    run = "([within, options]) => axe.run({include: [[within]]}, options).then(results => results.violations)"
    found = page.evaluate(run, [within, {"resultTypes": ["violations"], "preload": False}])
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def links(book: Path) -> list[str]:
    """Links and pictures within the book that lead nowhere, anchors included."""
    pages = {path: BeautifulSoup(path.read_bytes(), "html.parser") for path in sorted(book.glob("*.html"))}
    anchors = {path: {element["id"] for element in soup.find_all(id=True)} for path, soup in pages.items()}
    faults = []
    for path, soup in pages.items():
        for element in soup.find_all(["a", "img", "script", "link"]):
            link = element.get("href") or element.get("src")
            if not link or urlsplit(link).scheme:
                continue
            where, anchor = unquote(urlsplit(link).path), unquote(urlsplit(link).fragment)
            target = (path.parent / where).resolve() if where else path
            if not target.is_file():
                faults.append(f"{path.name}: {link} is not there")
            elif (
                anchor and "=" not in anchor and element.name == "a" and anchor not in anchors.get(target, set())
            ):  # with =, a state of Try it
                faults.append(f"{path.name}: {link} names no place there")
    return faults
