"""The book on paper: what becomes of a small book's pages, with TeX and without."""

import re
import shutil

import nbformat
import numpy as np
import paper
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from posekit.errors import PosekitError
from posekit.workflow import pages
from posekit.workflow.pages import typeset
from posekit.workflow.parameters import root

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="90"><rect width="300" height="90" fill="teal"/></svg>'
TABLE = "<table><thead><tr><th>map</th><th>score</th></tr></thead><tbody><tr><td>first</td><td>50 % & more</td></tr></tbody></table>"
LONG = "a claim that is told at some length, with what decides it " * 4


def book(folder, toc, **pages):
    """A small book with the settings and the extensions of the real one."""
    (folder / "_extra").mkdir(parents=True)
    shutil.copytree(root() / "book" / "_ext", folder / "_ext")
    shutil.copy(root() / "book" / "references.bib", folder)
    shutil.copy(root() / "_config.yml", folder)
    (folder / "_toc.yml").write_text(yaml.safe_dump({"format": "jb-book", "root": "index", "parts": toc}))
    for name, page in pages.items():
        if isinstance(page, str):
            (folder / f"{name}.md").write_text(page, encoding="utf-8")
        else:
            page.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            nbformat.write(page, folder / f"{name}.ipynb")
    for name in ("front", "light", "dark"):
        Image.new("RGB", (300, 100), "teal").save(folder / f"{name}.png")
    return folder


def shown(data, **metadata):
    return new_code_cell("hidden = 1", outputs=[new_output("display_data", data)], metadata={"tags": ["hide-input"]} | metadata)


@pytest.fixture(scope="module")
def tex(tmp_path_factory):
    """A small book's LaTeX file, made once."""
    drawn = {"image/svg+xml": DRAWING} if shutil.which("rsvg-convert") else {}
    notebook = new_notebook(cells=[
        new_markdown_cell("# The first chapter\n\nAs {cite:t}`newell2016` and {numref}`fig-pair` say. ✓ ≤ {math}`\\sigma^2`"),
        shown({"text/html": TABLE, "text/plain": "<object>"}),
        shown({"text/html": "<div id='x'></div><script>move()</script>", "text/plain": "<object>"}),
        shown({"text/plain": "'plain words'"} | drawn),
        new_code_cell("an_open_call()", metadata={"tags": ["show-input"]}),
        new_markdown_cell(":::{admonition} Run this\n:class: again\nRun it so.\n:::"),
        new_markdown_cell(f"| | mannequins | photographs |\n| --- | --- | --- |\n| short | {LONG} | {LONG} |\n| `some_code` | x | y |"),
        new_markdown_cell(
            "```{figure} light.png\n:name: fig-pair\n:figclass: only-light\n\nThe light one.\n```\n\n"
            "```{figure} dark.png\n:figclass: only-dark\n\nThe dark one.\n```"
        ),
    ])  # fmt: skip
    source = book(
        tmp_path_factory.mktemp("paper") / "source",
        [
            {"chapters": [{"file": "abstract"}]},
            {"caption": "One & two", "numbered": True, "chapters": [{"file": "first"}]},
            {"caption": "Appendix", "chapters": [{"file": "more"}, {"file": "bibliography"}]},
        ],
        index="# A small book\n\nWords of the landing page.\n\n```{figure} front.png\nA caption of the landing page.\n```\n",
        abstract="# Abstract\n\nWhat was found.\n",
        first=notebook,
        more="# More\n\nSee [the abstract](abstract) and [the first chapter](first).\n\n"
        "```{rubric} A small heading\n```\n\n| small | table |\n| --- | --- |\n| 1 | 2 |\n",
        bibliography="# Bibliography\n\n```{bibliography}\n```\n",
    )
    return pages._sphinx(source, "latex", strict=True) / "book.tex"


def test_a_thesis_has_its_parts_in_order(tex):
    text = tex.read_text("utf-8").partition(r"\begin{document}")[2]
    order = [
        r"\thesistitle", r"{front}.png", r"\chapter*{Abstract}", "What was found.", r"\sphinxtableofcontents", r"\part{One \& two}",
        r"\chapter{The first chapter}", r"\appendix", r"\part{Appendix}", r"\chapter{More}", r"\begin{sphinxthebibliography}",
    ]  # fmt: skip
    places = [text.index(piece) for piece in order]
    assert places == sorted(places)
    assert "landing page" not in text
    assert text.count(r"\bibitem") == 1 and r"\chapter{Bibliography}" not in text


def test_what_only_a_screen_shows_is_left_out(tex):
    text = tex.read_text("utf-8")
    assert "{light}.png" in text and "{dark}.png" not in text and "The dark one" not in text
    assert "hidden" not in text and "move()" not in text and "object" not in text.partition(r"\begin{document}")[2]
    assert r"an\PYGZus{}open\PYGZus{}call" in text and "Run it so" not in text
    assert text.count("The web page first.html has an interactive figure here") == 1


def test_tables_of_pandas_are_tables(tex):
    text = tex.read_text("utf-8")
    table = text[text.index("map") - 300 : text.index("50\u00a0\\% \\& more")]
    assert r"\begin{longtable}" in table and "score" in table


def test_the_room_for_a_table_is_asked_for_above_its_heading(tex):
    _, asked, after = tex.read_text("utf-8").partition("A small heading")[0].rpartition(r"\tablebegins")
    assert asked and r"\begin{longtable}" not in after


def test_wide_tables_fit_the_page(tex):
    specs = re.findall(r"\\begin\{longtable\}(?:\[\w\])?\{(.+)\}$", tex.read_text("utf-8"), re.MULTILINE)
    assert len(specs) == 3
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)", specs[1])]
    assert len(widths) == 3 and sum(widths) < 1 and widths[0] < widths[1] == widths[2]


@settings(deadline=None)
@given(columns=st.lists(st.tuples(st.floats(1, 2000), st.floats(0, 1)), min_size=1, max_size=12))
def test_columns_fill_no_more_than_the_line(columns):
    natural = [length for length, _ in columns]
    spec = paper.columns_of(natural, [length * share for length, share in columns])
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)", spec)]
    assert len(widths) == len(natural) or spec == "l" * len(natural)
    assert sum(widths) <= 1 and all(width > 0 for width in widths)


def test_a_column_is_as_wide_as_its_longest_word():
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)", paper.columns_of([13, 80, 80, 80], [13, 30, 10, 10]))]
    assert widths[0] == pytest.approx(13 / paper.LETTERS, abs=1e-3) and widths[1] > widths[2] == widths[3]
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)", paper.columns_of([20, 80, 400], [20, 50, 10]))]
    assert widths[1] == pytest.approx(50 / paper.LETTERS, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("by +5.9 % [+4.9, +6.9] and", "by +5.9~%~[+4.9,~+6.9] and"),
        ("by 0.12 [0.10, 0.15] of 30 epochs", "by 0.12~[0.10,~0.15] of 30~epochs"),
        ("in 1998 [LeCun98] and 3 pointless", "in 1998 [LeCun98] and 3 pointless"),
    ],
)
def test_a_number_stays_with_its_interval(text, expected):
    assert paper.bound(text).replace("\u00a0", "~") == expected


def test_many_columns_that_do_not_fit_share_what_there_is_by_their_words():
    """As the table of a study: names of three words, intervals, and figures."""
    natural, least = [25, 8, 20, 22, 22, 14, 14, 9, 16], [11, 8, 13, 14, 14, 14, 11, 9, 8]
    spec = paper.columns_of(natural, least)
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)", spec)]
    assert spec.count(r"@{\hspace{6pt}}") == 8 and 0.8 < sum(widths) < 1
    assert np.ptp(np.array(widths) / least) < 0.01  # nobody's words are cut while others have room


def test_a_log_says_what_is_wrong():
    log = (
        "Missing character: There is no ✗ (U+2717) in font [pagella]/OT:script=latn;!\n"
        "LaTeX Warning: Hyper reference `first:fig' on page 3 undefined on input line 7.\n"
        "LaTeX Warning: Reference `eq:a' on page 4 undefined on input line 9.\n"
    )
    assert typeset.complaints(log) == ["no glyph for ✗ (U+2717)", "nothing is called eq:a", "nothing is called first:fig"]
    assert typeset.complaints("Overfull \\hbox (3pt too wide)") == []


def test_a_page_that_runs_off_its_foot_is_named():
    over = "\n\nOverfull \\vbox ({}pt too high) has occurred while \\output is active []\n\n[{}]\nFile: a.pdf\n"
    assert typeset.complaints(over.format(243.1, 165) + over.format(2.9, 166)) == ["page 165 runs 243 pt off its foot"]


def test_what_is_not_installed_is_named_in_one_line(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(PosekitError) as caught:
        typeset.require()
    said = str(caught.value)
    assert "\n" not in said
    wanted = {"texlive-xetex", "latexmk", "librsvg2-bin", "fonts-texgyre", "fonts-texgyre-math", "texlive-fonts-recommended"}
    assert wanted <= set(said.split())


@pytest.fixture
def installed():
    try:
        typeset.require()
    except PosekitError as error:
        pytest.skip(str(error))


def test_the_small_book_is_typeset(tex, installed):
    file = typeset.typeset(tex)
    assert file.read_bytes().startswith(b"%PDF")
    too_wide = re.findall(r"^Overfull \\hbox \(([\d.]+)pt", tex.with_suffix(".log").read_text("utf-8", errors="replace"), re.MULTILINE)
    assert all(float(points) < 20 for points in too_wide)


def test_a_table_below_a_figure_fills_the_pages_after(tmp_path, installed):
    """The room that the figure takes is missing on its own page alone."""
    rows = "\n".join(f"| {i} | a row |" for i in range(200))
    words, counts = "Words that fill a third of a page. " * 40 + "\n\n", []
    for name, figure in (("without", ""), ("with", "```{figure} front.png\n:width: 90%\n:height: 10cm\n\nA figure.\n```\n\n")):
        one = f"# One\n\n{2 * words}{figure}{words}| number | what |\n| --- | --- |\n{rows}\n"
        toc = [{"chapters": [{"file": "abstract"}]}, {"caption": "One", "numbered": True, "chapters": [{"file": "one"}]}]
        source = book(tmp_path / name, toc, index="# A small book\n\nWords.\n", abstract="# Abstract\n\nWords.\n", one=one)
        file = pages._sphinx(source, "latex", strict=True) / "book.tex"
        typeset.typeset(file)
        counts.append(int(re.findall(r"Output written on .*?\((\d+) page", file.with_suffix(".log").read_text("utf-8", "replace"))[0]))
    assert counts[0] > 7 and counts[1] <= counts[0] + 1


def test_short_code_stays_whole_where_figures_head_the_new_page(tmp_path, installed):
    """Two figures wait for the page on which the code would come, and leave it too few lines."""
    whole = re.search(r"\\newcommand\{\\whole\}.*?\n(?=\\renewcommand)", (root() / "book/_ext/paper.sty").read_text("utf-8"), re.DOTALL)[0]
    figure = r"\begin{figure}[t]\vbox to 13\baselineskip{}\end{figure}"
    code = r"\\".join(rf"line {i}\label{{line{i}}}" for i in range(12))
    words = "\n\n".join(f"A line of words, {i}." for i in range(30))
    source = tmp_path / "small.tex"
    source.write_text(
        rf"""\documentclass{{article}}\usepackage{{needspace}}\setlength\textheight{{40\baselineskip}}\setlength\parskip{{0pt}}
{whole}\begin{{document}}{words}{figure}{figure}\par\whole{{13}}\noindent {code}\end{{document}}""",
        "utf-8",
    )
    typeset.typeset(source)
    pages = re.findall(r"newlabel\{line\d+\}\{\{\}\{(\d+)\}", source.with_suffix(".aux").read_text("utf-8"))
    assert len(pages) == 12 and len(set(pages)) == 1, pages


@pytest.mark.parametrize(
    "body, said",
    [(r"\nosuchcommand", r"Undefined control sequence.*\\nosuchcommand"), (r"See \ref{nothing}.", "nothing is called nothing")],
)
def test_what_is_wrong_with_the_source_is_said(tmp_path, installed, body, said):
    source = tmp_path / "small.tex"
    source.write_text(rf"\documentclass{{article}}\begin{{document}}{body}\end{{document}}")
    with pytest.raises(PosekitError, match=said):
        typeset.typeset(source)
