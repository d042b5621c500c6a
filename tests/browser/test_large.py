"""A figure opens large over its page and closes again, by mouse and by keys; on a phone its link is followed."""

from pathlib import Path

import checks
import pytest
from playwright.sync_api import expect

STATIC = Path(__file__).parents[2] / "book" / "_static"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><rect width="80" height="40" fill="teal"/></svg>'
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<link rel="stylesheet" href="{0}/custom.css"></head><body>
<main><article class="bd-article"><h1>Title</h1><figure><a class="large" href="figure.svg"><img src="figure.svg" alt="A field"></a>
<figcaption>Fig. 1 A teal field.<a class="headerlink" href="#x">#</a></figcaption></figure></article></main>
<script src="{0}/large.js"></script></body></html>"""


@pytest.fixture
def opened(page, tmp_path):
    (tmp_path / "figure.svg").write_text(PICTURE, "utf-8")
    (tmp_path / "page.html").write_text(PAGE.format(STATIC.as_uri()), "utf-8")
    witness = checks.Witness(page)
    page.goto((tmp_path / "page.html").as_uri())
    yield page
    assert witness.faults() == []


def test_by_mouse(opened):
    small = opened.get_by_alt_text("A field").bounding_box()
    opened.get_by_alt_text("A field").click()
    dialog = opened.get_by_role("dialog", name="Figure")
    expect(dialog).to_contain_text("Fig. 1 A teal field.")
    assert not dialog.inner_text().endswith("#")
    assert dialog.get_by_alt_text("A field").bounding_box()["width"] > 5 * small["width"]
    assert checks.accessibility(opened) == [] and checks.pictures(opened) == []
    dialog.get_by_alt_text("A field").click()
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize("key", ["Escape", "Enter"])  # Enter presses the button that has the focus
def test_by_keys(opened, key):
    link = opened.locator("a.large")
    link.press("Enter")
    expect(opened.get_by_role("button", name="Close")).to_be_focused()
    opened.keyboard.press(key)
    expect(opened.get_by_role("dialog")).to_have_count(0)
    expect(link).to_be_focused()


def test_on_a_phone_the_picture_is_a_page(opened):
    opened.set_viewport_size(checks.PHONE)
    opened.locator("a.large").click()
    opened.wait_for_url("**/figure.svg")
