"""Cards of links and numbers: by mouse and by keys, hidden again, for a link on no touch screen, and beside the text without moving it."""

import json
from pathlib import Path

import checks
import measured
import previews
import pytest
from playwright.sync_api import expect

STATIC = Path(__file__).parents[2] / "book" / "_static"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="400"><rect width="800" height="400" fill="teal"/></svg>'
LINKS = {
    "Horn, 1965": ("bibliography.html#id13", "A rationale and test"),
    "Fig. 5.1": ("#fig-planted", "Left, the spectrum"),
    "code": ("notation.html#term-code", "the activation at the bottleneck"),
    "a section": ("#below", None),
    "(5.6)": ("theory.html#equation-eq-shrinkage", None),  # a formula, on a page without MathJax
}
TARGETS = {
    "bibliography.html": '<div class="citation" id="id13" role="listitem"><span class="label"><span>[</span>Horn, 1965<span>]</span></span>'
    '<p>J. Horn. A rationale and test. <a class="reference external" href="https://doi.org/1">doi:1</a>.</p></div>',
    "page.html": '<figure class="align-default" id="fig-planted"><a class="large" href="picture.svg"><img alt="Dots" src="picture.svg"></a>'
    '<figcaption><p><span class="caption-text">Left, the spectrum.</span>'
    '<a class="headerlink" href="#fig-planted">#</a></p></figcaption></figure>',
    "notation.html": '<dl class="glossary"><dt id="term-code">code<a class="headerlink" href="#term-code">#</a></dt>'
    "<dd><p>the activation at the bottleneck</p></dd></dl>",
    "theory.html": r'<div class="math notranslate" id="equation-eq-shrinkage"><span class="eqno">(5.6)</span>\[x\]</div>',
}
TEXT = "".join(f'<p>See <a class="reference internal" href="{place}" title="{name}!">{name}</a>.</p>' for name, (place, _) in LINKS.items())
NUMBER = measured.mark(
    "<p>It finds 48.2 % [46.2, 50.3].</p>",
    [measured.Source("03_skips", "A run", {"intact": {"mean": 0.482, "low": 0.462, "high": 0.503, "people": 499}})],
    {"03_skips": {"intact": "PCK@0.2·torso < 1"}},
    [],
)
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>'
    '<meta name="viewport" content="width=device-width">'
    '<link rel="icon" href="data:,"><link rel="stylesheet" href="{0}/custom.css">'
    "<style>html {{--pst-color-background: #fff}}</style></head>"
    "<body>"
    '<main><article class="bd-article"><h1>Title</h1>{1}<p id="below" style="height: 900px">Below</p>{2}</article></main>'
    '<script src="{0}/preview.js"></script></body></html>'
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "picture.svg").write_text(PICTURE, "utf-8")
    found = {f"{page}#{name}": shown for page, body in TARGETS.items() for name, shown in previews.targets(body).items()}
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "previews.js").write_text(f"previews = {json.dumps(found)}", "utf-8")
    (tmp_path / "page.html").write_text(PAGE.format(STATIC.as_uri(), TEXT + NUMBER, TARGETS["page.html"]), "utf-8")
    return tmp_path


@pytest.fixture
def opened(page, folder):
    witness = checks.Witness(page)
    page.goto((folder / "page.html").as_uri())
    yield page
    assert witness.faults() == []


def card(page):
    return page.locator(".preview.placed")


@pytest.mark.parametrize("size", [checks.DESK, {"width": 500, "height": 300}], ids=["wide", "small"])
def test_by_mouse(opened, size):
    opened.set_viewport_size(size)
    for name, (_, shown) in LINKS.items():
        opened.mouse.move(1, 1)
        expect(card(opened)).to_have_count(0)
        link = opened.get_by_role("link", name=name, exact=True)
        link.scroll_into_view_if_needed()
        before = opened.evaluate("[document.body.getBoundingClientRect().height, document.documentElement.scrollWidth]")
        link.hover()
        if shown is None:
            opened.wait_for_timeout(400)
            expect(opened.locator(".preview")).to_have_count(0)
            continue
        expect(card(opened)).to_contain_text(shown)
        assert link.get_attribute("aria-describedby") == "preview"
        assert before == opened.evaluate("[document.body.getBoundingClientRect().height, document.documentElement.scrollWidth]")
        box = card(opened).bounding_box()
        assert box["x"] >= 0 and box["y"] >= 0, name
        assert box["x"] + box["width"] <= size["width"] and box["y"] + box["height"] <= size["height"], name
        card(opened).hover(position={"x": 5, "y": 5})
        opened.wait_for_timeout(400)
        expect(card(opened)).to_have_count(1)  # it may be read with the mouse on it
        assert checks.accessibility(opened) == []


def test_by_keys(opened):
    link = opened.get_by_role("link", name="Horn, 1965")
    opened.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(card(opened)).to_contain_text("A rationale and test. doi:1.")
    assert card(opened).locator("a, [id], .headerlink").count() == 0
    opened.keyboard.press("Escape")
    expect(card(opened)).to_have_count(0)
    expect(link).to_be_focused()
    assert link.get_attribute("aria-describedby") is None
    opened.keyboard.press("Tab")
    expect(card(opened).get_by_alt_text("Dots")).to_be_visible()
    opened.keyboard.press("Tab")
    expect(card(opened)).to_have_text("the activation at the bottleneck")
    opened.keyboard.press("Tab")
    expect(card(opened)).to_have_count(0)


def test_a_finger_follows_the_link(browser, folder):
    context = browser.new_context(viewport=checks.PHONE, has_touch=True)
    page = context.new_page()
    page.goto((folder / "page.html").as_uri())
    page.get_by_role("link", name="Fig. 5.1").tap()
    page.wait_for_url("**#fig-planted")
    page.wait_for_timeout(400)
    expect(page.locator(".preview")).to_have_count(0)
    context.close()


def test_a_number(opened):
    opened.get_by_text("48.2 %").hover()
    expect(card(opened)).to_have_text("PCK@0.2·torso < 1.95 % interval over 499 people.A run.")
    assert checks.accessibility(opened) == []
    opened.mouse.move(1, 1)
    expect(card(opened)).to_have_count(0)


def test_a_number_under_a_finger(browser, folder):
    context = browser.new_context(viewport=checks.PHONE, has_touch=True)
    page = context.new_page()
    page.goto((folder / "page.html").as_uri())
    page.get_by_text("48.2 %").tap()
    expect(card(page)).to_contain_text("over 499 people")
    page.get_by_role("heading", name="Title").tap()
    expect(page.locator(".preview")).to_have_count(0)
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_a_book(page, book, theme):
    page.emulate_media(color_scheme=theme)
    witness = checks.Witness(page)
    page.goto((book / "theory_codes.html").as_uri())
    assert checks.formulas(page) == []
    for place in ("bibliography.html#", "#fig-theory-planted", "#equation-eq-shrinkage", "algorithms.html#alg-moments"):
        page.mouse.move(1, 1)
        expect(card(page)).to_have_count(0)
        link = page.locator(f"article a.reference.internal[href^='{place}']").first
        link.scroll_into_view_if_needed()
        link.hover()
        expect(card(page)).to_have_count(1)
        assert not card(page).locator(".math").filter(has_not=page.locator("svg")).count()
    assert witness.faults() + checks.accessibility(page) == []


def test_terms_of_a_book(page, book):
    page.goto((book / "03_skips.html").as_uri())
    page.locator("article a[href='notation.html#term-skip-connection']").first.hover()
    expect(card(page)).to_contain_text("past the bottleneck")


def test_numbers_of_a_book(page, book):
    page.goto((book / "03_skips.html").as_uri())
    number = page.locator("article .measured").first
    number.scroll_into_view_if_needed()
    number.hover()
    expect(card(page)).to_contain_text("95 % interval")
    expect(card(page)).to_contain_text("This edition: 03_skips")
