"""The book on paper: what the latex builder is given in place of what only a screen can show.

The order of the pages is that of _toc.yml: those before the first part make the front matter, the parts that are not numbered
the appendix. The landing page is a way into the web pages; on paper there is its picture, on the title page.
"""

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx import addnodes
from sphinx.builders.latex.nodes import thebibliography
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.transforms.post_transforms.images import ImageConverter
from sphinx.util import texescape
from tidy_pages import unbroken

LETTERS = 95  # of the size of tables that fill a line
GAP = 2.7  # letters that the space between two columns takes; half as many where there are MANY columns
MANY = 8
SMALLER = 1.14  # times as many letters fill a line where the columns are crowded
LEDGER = (0.42, 0.16, 0.17, 0.17, 0.08)  # shares of the line of the ledger's columns, the same in all its tables
SHORT = 10  # lines of code that stay on one page
ROOM = 1.6  # times the lines counted, where a table begins: words do not fill narrow columns
TOGETHER = 3  # rows at a table's end that stay on one page, as do its first two
TALL = 4  # lines of a row, on average, from which a table may break behind any
LAST = ("The verdict", "In one table", "What this does not show")  # sections that come after all of a chapter's figures
LINE = 80  # letters of code that fill a line
HEADING = 6  # lines that a heading takes with the line below it
BRIEF = 260  # letters of a line that stays between its heading and its table
WHOLE = 10  # letters of a word that is not broken
PIECES = r"[_.,/=:(](?=\w)"  # after which a name of code may break
BREAK = "\u200b"
CODE = "The web pages show the code behind every figure and number; this paper edition shows only its central calls."
STILL = "The web page {page}.html has an interactive figure here; the figures of this chapter are its stills."


def latex(code: str) -> nodes.raw:
    return nodes.raw("", f"{code}\n", format="latex")


class Pages(SphinxPostTransform):
    """Title page, front matter, contents, parts, appendix, bibliography: of the root page with all others below it."""

    default_priority = 760  # after the bibliography has been gathered
    builders = ("latex",)

    def run(self, **kwargs: Any) -> None:
        if self.env.docname != self.config.root_doc:
            return
        trees = [node for node in self.document.findall(nodes.compound) if "toctree-wrapper" in node["classes"]]
        trees = [tree for tree in trees if not _within(tree, addnodes.start_of_file)]
        picture = next((image for image in self.document.findall(nodes.image) if not _within(image, addnodes.start_of_file)), None)
        works = next(self.document.findall(thebibliography), None)
        parts = self.config.external_site_map.root.subtrees

        pages: list[nodes.Node] = [latex(rf"\begin{{titlepage}}\thesistitle{{{self._edition()}}}")]
        if picture is not None:
            pages.append(nodes.image("", uri=picture["uri"], candidates=picture["candidates"], width="100%"))
        pages.append(latex(r"\end{titlepage}"))
        front, lettered = True, False
        for part, tree in zip(parts, trees, strict=True):
            if part.caption and front:
                pages.append(
                    latex(
                        r"\renewcommand{\contentsname}{Contents}\sphinxtableofcontents\pagestyle{normal}\cleardoublepage\pagenumbering{arabic}"
                    )
                )
                front = False
            if part.caption and not part.numbered and not lettered:
                pages.append(latex(r"\appendix"))
                lettered = True
            if part.caption:
                pages.append(latex(rf"\part{{{texescape.escape(part.caption, 'xelatex')}}}"))
            for page in tree.children:
                pages.append(_unnumbered(page) if front else page)
        root = self.document[0]
        root.children = root.children[:1]  # its title is the book's
        root.extend(pages)
        if works is not None:
            works.parent.remove(works)
            self._place(works)

    def _edition(self) -> str:
        preset = self.config.myst_substitutions.get("preset", "")
        return rf"Edition \emph{{{texescape.escape(preset, 'xelatex')}}}\\[.4cm]\small {CODE}" if preset else ""

    def _place(self, works: thebibliography) -> None:
        """Put the list of works, which brings its own heading, in place of its page's."""
        for page in self.document.findall(addnodes.start_of_file):
            if page["docname"] == "bibliography":
                page[0].replace_self([_label(page), works])


def _unnumbered(page: addnodes.start_of_file) -> addnodes.start_of_file:
    """A page with its section's heading outside the numbers and the contents."""
    section = page[0]
    title = texescape.escape(section[0].astext(), "xelatex")
    page.children = []
    page.extend([latex(rf"\chapter*{{{title}}}"), _label(page), *section.children[1:]])
    return page


def _label(page: addnodes.start_of_file) -> nodes.raw:
    """What a link to a page leads to, which its heading would have brought."""
    return latex(rf"\phantomsection\label{{\detokenize{{{page['docname']}::doc}}}}")


def _within(node: nodes.Node, kind: type[nodes.Node]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kind):
            return True
    return False


class Outputs(SphinxPostTransform):
    """What notebooks show: no hidden code and no way to run it, of pictures in two colours the light one, tables of pandas as tables."""

    default_priority = 3  # before MyST-NB chooses among an output's forms
    builders = ("latex",)

    def run(self, **kwargs: Any) -> None:
        for node in list(self.document.findall(nodes.Element)):
            classes = node.get("classes", [])
            if {"only-dark", "again"} & {*classes} or (
                "cell_input" in classes and any(name.startswith("tag_hide-") for name in node.parent["classes"])
            ):
                node.parent.remove(node)
        for bundle in list(self.document.findall(nodes.container)):
            forms = {form["mime_type"]: form for form in bundle.children} if bundle.get("nb_element") == "mime_bundle" else {}
            if "text/html" in forms and not any(kind.startswith("image/") for kind in forms):
                bundle.replace_self(from_html(forms["text/html"].astext(), _page(bundle)))


def from_html(html: str, page: str) -> list[nodes.Element]:
    """The tables in a piece of HTML of a page, each below its caption; where there is none, a line that says what the web page has."""
    found: list[nodes.Element] = []
    for table in BeautifulSoup(html, "html.parser").find_all("table"):
        if table.caption:
            words = nodes.emphasis("", _words(table.caption))
            found.append(nodes.paragraph("", "", words, latex(r"\captioned"), classes=["table-caption"]))
        found.append(_table(table))
    return found or [nodes.paragraph("", "", nodes.emphasis("", STILL.format(page=page)))]


def _page(node: nodes.Node) -> str:
    """The name of the page that a node is on."""
    while "docname" not in node:
        node = node.parent
    return node["docname"]


def _table(table: Tag) -> nodes.table:
    rows = [row.find_all(["th", "td"]) for row in table.find_all("tr")]
    columns = max(map(len, rows))
    heads = next((i for i, row in enumerate(rows) if any(cell.name == "td" for cell in row)), len(rows))
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in range(columns)), cols=columns)
    for kind, some in ((nodes.thead, rows[:heads]), (nodes.tbody, rows[heads:])):
        if some:
            group.append(kind("", *(_row([_words(cell) for cell in row], columns) for row in some)))
    return nodes.table("", group)


def _words(tag: Tag) -> str:
    return re.sub(r"(?<=\w)'(?=\w)", "’", " ".join(tag.get_text().split()))


def _row(texts: list[str], columns: int) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in texts + [""] * (columns - len(texts))))


class Columns(SphinxPostTransform):
    """Lines break where they do on the web pages; tables break over pages, and have columns that fit the page."""

    default_priority = 800  # when all references have their words
    builders = ("latex",)

    def run(self, **kwargs: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, nodes.paragraph | nodes.strong | nodes.emphasis | nodes.caption):
                text.parent.replace(text, nodes.Text(unbroken(text) if _within(text, nodes.entry) else bound(text)))
            elif isinstance(text.parent, nodes.literal):
                text.parent.replace(text, nodes.Text(re.sub(PIECES, f"\\g<0>{BREAK}", text)))
        for block in [*self.document.findall(nodes.literal_block), *self.document.findall(nodes.doctest_block)]:
            lines = sum(max(-(-len(line) // LINE), 1) for line in block.astext().splitlines())
            if lines <= SHORT:
                block.parent.insert(block.parent.index(block), latex(rf"\whole{{{lines + 3}}}"))
        for chapter in list(self.document.findall(nodes.section)):
            last = [part for part in chapter if isinstance(part, nodes.section) and part[0].astext().startswith(LAST)]
            if last:
                chapter.insert(chapter.index(last[0]), latex(r"\FloatBarrier"))
        for signature in self.document.findall(addnodes.desc_parameterlist):
            signature["multi_line_parameter_list"] = False
        for table in list(self.document.findall(nodes.table)):
            rows = [row for body in table.findall(nodes.tbody) for row in body.findall(nodes.row)]
            for entry in table.findall(nodes.entry):
                if not entry.astext().strip() and not any(entry.findall(nodes.image)):
                    entry.clear()  # an empty paragraph would be as high as two lines
            table["classes"] = [*table["classes"], "longtable"]
            natural, least = _most(table, _length), _most(table, _word)
            small = sum(least) > 0.9 * _room(len(least))
            letters = LETTERS * SMALLER if small else LETTERS
            ledger = any("ledger" in node.get("classes", []) for node in _above(table)) and len(least) == len(LEDGER)
            spec = _fixed([share * _room(len(least)) for share in LEDGER], LETTERS) if ledger else columns_of(natural, least, letters)
            table.parent.insert(table.parent.index(table), addnodes.tabular_col_spec(spec=spec))
            size = r"\scriptsize" if small else ""
            heights = _heights(table, spec, letters)
            tall = sum(heights) > TALL * len(heights)  # such rows stand well alone
            for row in () if tall else {*rows[:1], *rows[-TOGETHER:]} - {*rows[-1:]}:
                row.parent.insert(row.parent.index(row) + 1, latex(r"\noalign{\nobreak}"))
            begin = 1 if tall else 2 if len(rows) > TOGETHER + 1 else len(rows)
            first = heights[: len(heights) - len(rows) + begin]  # the head and the rows that stay with it
            caption = 3 * any(
                "table-caption" in node.get("classes", []) for node in table.parent[_headed(table) : table.parent.index(table)]
            )
            whole, start = 3 + caption + round(sum(heights)), 8 + caption + round(ROOM * sum(first))
            begins = latex(rf"\tablebegins{{{whole}}}{{{start}}}{{{size}}}")
            if section := _opened(table):  # whose heading and line stay with it
                place = section.parent.index(section)
                section.parent.insert(place, begins)
                if whole < 20:
                    section.parent.insert(place, latex(rf"\whole{{{HEADING + whole}}}"))
            else:
                table.parent.insert(_headed(table), begins)


def bound(text: str) -> str:
    """No line ends where it would not on a web page, or between a number and its interval or what it counts."""
    text = re.sub(r"(?<=\d) (?=(?:epochs|points|people|seeds)\b)", "\u00a0", unbroken(text))
    return re.sub(r"(\d(?:\u00a0%)?) (?=\[[−+]?\d)", "\\1\u00a0", text)


def _headed(table: nodes.table) -> int:
    """Where among its siblings a table's own heading and caption begin, or itself."""
    siblings = table.parent.children
    place = table.parent.index(table)
    heads = nodes.rubric | addnodes.tabular_col_spec
    while place > 0 and (isinstance(siblings[place - 1], heads) or "table-caption" in siblings[place - 1]["classes"]):
        place -= 1
    return place


def _opened(table: nodes.table) -> nodes.section | None:
    """The section that a table opens, with nothing but a heading before it, a brief line, or the table's caption."""
    section, line = table.parent, False
    while section is not None and not isinstance(section, nodes.section):
        section = section.parent
    for node in section.findall(nodes.Element) if section else ():
        if node is table:
            return section
        if "table-caption" in node["classes"]:
            continue
        if isinstance(node, nodes.paragraph) and not line and len(node.astext()) < BRIEF:
            line = True
        elif isinstance(node, nodes.paragraph | nodes.figure | nodes.literal_block | nodes.image):
            break
    return None


def _heights(table: nodes.table, spec: str, letters: float) -> list[float]:
    """About how many lines of text each row of a table takes: as many of its own as its longest cell."""
    widths = [letters * float(share) for share in re.findall(r"p\{([\d.]+)", spec)]
    cells = [[_length(entry) for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
    return [0.3 + 0.8 * max([1, *(ceil(length / width) for length, width in zip(row, widths, strict=False))]) for row in cells]


def _above(node: nodes.Element) -> Iterator[nodes.Element]:
    while (node := node.parent) is not None:
        yield node


def _most(table: nodes.table, measure: Callable[[nodes.entry], float]) -> list[float]:
    """The greatest measure in each column of a table."""
    rows = [[measure(entry) for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
    return [max(cells) for cells in zip_longest(*rows, fillvalue=1.0)]


def _length(entry: nodes.entry) -> float:
    """About how long a cell's text is, in letters; those of code are wider."""
    code = sum(len(literal.astext().replace(BREAK, "")) for literal in entry.findall(nodes.literal))
    return len(entry.astext().replace(BREAK, "")) + 0.25 * code + 1


def _word(entry: nodes.entry) -> float:
    """About how long the longest word of a cell is that should not break, as long ones of letters and code do; those of heads are wider."""
    code = max((len(piece) for each in entry.findall(nodes.literal) for piece in re.split(f"[ {BREAK}]", each.astext())), default=0)
    words = [] if code else re.split(r"[ \n_-]", entry.astext())
    longest = 1.25 * code or max((min(len(word), WHOLE) if word.isalpha() else len(word) for word in words), default=0)
    return longest * (1.25 if isinstance(entry.parent.parent, nodes.thead) else 1.0) + 1


def _room(columns: int, letters: float = LETTERS) -> float:
    """Letters to a line of a table of so many columns, without the space between them, which is no smaller where the letters are."""
    many = columns >= MANY
    return letters * (1 - 0.007 * many) * (1 - GAP * columns / (1 + many) / LETTERS)


def columns_of(natural: list[float], least: Sequence[float] = (), letters: float = LETTERS) -> str:
    """LaTeX columns for texts of so many letters, on a line of `letters`: as wide as they are if that fits, else long ones share the rest.

    Among the long ones a column's share goes with the square root of its text: one that has four times as much to say gets
    twice the width. None gets less than its `least`, its longest word, where there is room for that; else all get what they need at
    least in proportion. Where there are many columns they stand closer.
    """
    room = _room(len(natural), letters)
    if sum(natural) <= room:
        return "l" * len(natural)
    short: set[int] = set()
    for i in sorted(range(len(natural)), key=natural.__getitem__):
        left = room - sum(natural[j] for j in short)
        if natural[i] > left / (len(natural) - len(short)):
            break
        short.add(i)
    fixed = {i: natural[i] for i in short}
    while True:
        left = room - sum(fixed.values())
        weight = sum(length**0.5 for i, length in enumerate(natural) if i not in fixed)
        widths = [fixed[i] if i in fixed else left * length**0.5 / weight for i, length in enumerate(natural)]
        narrow = {i: word for i, word in enumerate(least) if i not in fixed and word > widths[i]}
        crowded = sum((fixed | narrow).values()) > 0.9 * room
        if narrow and crowded:
            needed = [min(max(fixed.get(i, word), 1), room) for i, word in enumerate(least)]
            widths = [0.99 * room * each / sum(needed) for each in needed]
        if not narrow or crowded or len(fixed) + len(narrow) == len(natural):
            break
        fixed |= narrow
    return _fixed(widths, letters)


def _fixed(widths: Sequence[float], letters: float) -> str:
    columns = [rf">{{\raggedright\arraybackslash}}p{{{width / letters:.3f}\linewidth}}" for width in widths]
    return (r"@{\hspace{6pt}}" if len(widths) >= MANY else "").join(columns)


class Drawings(ImageConverter):
    """SVG to PDF, by librsvg."""

    conversion_rules: ClassVar = [("image/svg+xml", "application/pdf")]

    def is_available(self) -> bool:
        return True

    def convert(self, _from: str, _to: str) -> bool:
        done = subprocess.run(["rsvg-convert", "--format", "pdf", "--output", _to, _from], capture_output=True, text=True)
        if done.returncode:
            raise ExtensionError(f"{Path(_from).name} does not become PDF: {done.stderr.strip()}")
        return True


def setup(app):
    for transform in (Outputs, Drawings, Pages, Columns):
        app.add_post_transform(transform)
    return {"parallel_read_safe": True}
