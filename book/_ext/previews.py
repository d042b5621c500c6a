"""What links lead to within the book, gathered for cards: figures, formulas, algorithms, tables, works, terms.

_static/preview.js shows them.
"""

import json
import re
from pathlib import Path

LINK = re.compile(r'<a class="reference internal" href="([^"#]*)#([^"]+)"')
TARGETS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'<figure\b[^>]*\bid="(?P<id>[^"]+)".*?</figure>',
        r'<div class="math\b[^>]*\bid="(?P<id>[^"]+)".*?</div>',
        r'<div class="proof\b[^>]*\bid="(?P<id>[^"]+)".*?</section>\s*</div>',
        r'<table\b[^>]*\bid="(?P<id>[^"]+)".*?</table>',
        r'<div class="citation" id="(?P<id>[^"]+)"[^>]*>\s*<span class="label">.*?</span></span>\s*(?P<shown>.*?)</div>',
        r'<dt id="(?P<id>term-[^"]+)">.*?</dt>\s*<dd>(?P<shown>.*?)</dd>',
    )
]


def targets(body: str) -> dict[str, str]:
    """By id, what a page's figures and the like show in a card: without ids, links and the marks that only the page has use for."""
    found = {}
    for pattern in TARGETS:
        for match in pattern.finditer(body):
            shown = match.groupdict().get("shown") or match[0]
            shown = re.sub(r'<a class="headerlink".*?</a>', "", shown, flags=re.DOTALL)
            found[match["id"]] = re.sub(r'</?a\b[^>]*>| (?:id|role)="[^"]*"', "", shown).strip()
    return found


def links(page: str, body: str) -> set[str]:
    """Places that a page leads to, as `page.html#id`."""
    return {f"{file or page}#{anchor}" for file, anchor in LINK.findall(body)}


def gather(app, pagename, templatename, context, doctree):
    page, body = f"{pagename}.html", context.get("body", "")
    app.previews |= {f"{page}#{anchor}": shown for anchor, shown in targets(body).items()}
    app.linked |= links(page, body)


def write(app, exception):
    if app.builder.format == "html" and not exception:
        wanted = {place: shown for place, shown in sorted(app.previews.items()) if place in app.linked}
        path = Path(app.outdir) / "_static" / "previews.js"
        path.write_text(f"previews = {json.dumps(wanted, ensure_ascii=False, indent=0)}\n", "utf-8")


def setup(app):
    app.previews, app.linked = {}, set()
    app.connect("html-page-context", gather, priority=950)  # of tidy pages
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
