"""Small instances of Try it beside figures: loaded when they are opened, changed by the controls of their figure, linked to the page."""

import checks
import numpy as np
import pytest
from playwright.sync_api import expect

CHAPTERS = {"skips": "03_skips", "walks": "05_probes", "erase": "07_explanations"}


def unfolded(page, folder, kind):
    """A chapter's instance, opened by a key; before that, nothing of it is loaded."""
    page.goto((folder / f"{CHAPTERS[kind]}.html").as_uri())
    assert page.evaluate("typeof tryIt + document.querySelectorAll('script[src^=try_it]').length") == "undefined0"
    instance = page.locator("details.live")
    instance.locator("summary").press("Enter")
    return instance


def points(instance):
    """Keypoints (K, 2) as they are drawn."""
    expect(instance).to_have_attribute("aria-busy", "false", timeout=60_000)
    return np.array(instance.evaluate("e => e.shown.now.keypoints.map(({x, y}) => [x, y])"))


@pytest.fixture
def opened(page, site, request):
    witness = checks.Witness(page)
    yield unfolded(page, site, request.param)
    assert witness.faults() == []


def skips(instance):
    for place, how in (("stack0.skip1", "zero"), ("stack0.skip2", "mean"), ("stack0.bottleneck3", "zero")):
        instance.locator(f"[data-place='{place}']").select_option(how)


def walks(instance):
    instance.get_by_label("along").select_option(index=2)
    instance.get_by_label("skip connections").select_option("mean")
    for _ in range(8):
        instance.get_by_label("how far").press("ArrowRight")
    expect(instance.get_by_label("how far")).to_have_attribute("aria-valuetext", "2 standard deviations")


def erase(instance):
    instance.get_by_label("around").select_option("left hip")


@pytest.mark.parametrize(("opened", "act"), [("skips", skips), ("walks", walks), ("erase", erase)], indirect=["opened"], ids=CHAPTERS)
def test_the_page_goes_on_where_the_instance_was(page, opened, act):
    start = points(opened)
    expect(opened.get_by_role("status")).to_contain_text("as it was trained")
    drawn = "e => [...e.querySelectorAll('canvas')].map(canvas => canvas.toDataURL())"
    before = opened.evaluate(drawn)
    act(opened)
    changed = points(opened)
    assert not np.array_equal(start, changed)
    assert all(old != new for old, new in zip(before, opened.evaluate(drawn), strict=True))
    expect(opened.get_by_role("status")).to_contain_text("of the square’s side")
    opened.get_by_role("link", name="Open in Try it").click()
    assert np.array_equal(points(page.locator(".try-it")), changed)
    page.go_back()
    reopened = page.locator("details.live")
    if not reopened.get_attribute("open"):
        reopened.locator("summary").click()
    act(reopened)
    assert np.array_equal(points(reopened), changed)
    reopened.get_by_role("button", name="Undo all changes").click()
    assert np.array_equal(points(reopened), start)


@pytest.mark.parametrize("opened", ["erase"], indirect=True)
def test_a_brush_erases_by_mouse_and_by_keys(page, opened):
    start = points(opened)
    seen = opened.locator(".seen")
    box = seen.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=6)
    page.mouse.up()
    rubbed = points(opened)
    assert not np.array_equal(start, rubbed)
    seen.press("ArrowDown")
    assert np.array_equal(points(opened), rubbed)
    for _ in range(5):
        seen.press("ArrowDown")
        seen.press(" ")
    assert not np.array_equal(points(opened), rubbed)


@pytest.mark.parametrize("opened", CHAPTERS, indirect=True)
def test_on_a_phone_and_for_all_readers(page, opened):
    points(opened)
    assert checks.accessibility(page) + checks.width(page) == []
    page.set_viewport_size(checks.PHONE)
    assert opened.locator(".seen").bounding_box()["width"] > 120
    assert checks.accessibility(page) == []


@pytest.mark.parametrize("kind", CHAPTERS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_a_book(page, book, kind, theme):
    page.emulate_media(color_scheme=theme)
    witness = checks.Witness(page)
    instance = unfolded(page, book, kind)
    assert np.isfinite(points(instance)).all()
    assert witness.faults() + checks.accessibility(page) + checks.width(page) == []


def test_what_is_not_there_is_said(page, site, tmp_path):
    for name in ("03_skips.html", "_static"):
        (tmp_path / name).symlink_to(site / name)
    instance = unfolded(page, tmp_path, "skips")
    expect(instance).to_contain_text("data.js is not there")
    expect(instance.get_by_role("link", name="Open in Try it")).to_be_visible()
