"""What a reader does with a book: turn pages, search, switch the light, explore figures, with a mouse or with keys alone."""

import json
import re

import pytest
from playwright.sync_api import expect


def test_next_leads_through_the_whole_book_and_back(page, book):
    page.goto((book / "index.html").as_uri())
    listed = page.locator("nav.bd-docs-nav a.reference.internal").evaluate_all("links => links.map(link => link.href)")
    order = [page.url]
    while (following := page.locator("a.right-next")).count():
        following.click()
        page.wait_for_load_state()
        order.append(page.url)
        assert page.locator("nav.bd-docs-nav li.current.active > a").evaluate("link => link.href").rstrip("#") == page.url
    assert [url.partition("#")[0] for url in listed] == order
    page.locator("a.left-prev").click()
    page.wait_for_url(order[-2])


def test_search(page, book):
    page.goto((book / "index.html").as_uri())
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.keyboard.press("Control+k")
    page.locator("dialog input[type=search]").fill("bottleneck")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=bottleneck*")
    page.locator("#search-results a[href*='02_training.html']").first.wait_for()
    page.locator("#search-results a").first.click()
    page.wait_for_function("document.querySelector('article h1') && document.querySelector('article').innerText.includes('bottleneck')")
    assert errors == []


def test_the_light_is_switched_and_stays_so(page, book):
    page.goto((book / "01_dataset.html").as_uri())
    switch = page.locator(".theme-switch-button:visible").first
    html = page.locator("html")
    looks = {}
    for _ in range(3):
        before = html.get_attribute("data-mode")
        switch.click()
        expect(html).not_to_have_attribute("data-mode", before)
        looks[html.get_attribute("data-mode")] = page.evaluate("""() => {
            const style = getComputedStyle(document.body), picture = getComputedStyle(document.querySelector("article figure img"))
            return [style.backgroundColor, style.color, picture.filter]
        }""")
    assert {*looks} == {"light", "dark", "auto"}
    assert all(light != dark for light, dark in zip(looks["light"], looks["dark"], strict=True))
    while html.get_attribute("data-mode") != "dark":
        switch.click()
    page.goto((book / "index.html").as_uri())
    assert html.get_attribute("data-theme") == "dark"


def test_keys_alone_reach_the_content(page, book):
    page.goto((book / "05_components.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    for _ in range(12):  # the page's own buttons come before its text
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('article') !== null"):
            break
    else:
        pytest.fail("no link of the text is reached")


def test_a_walk_goes_on_by_mouse_and_by_keys(page, book):
    page.goto((book / "05_probes.html").as_uri())
    walk = page.locator(".walk-slider").first
    picture, step, says = walk.locator("[role=img]"), walk.get_by_label("How far"), walk.locator("output")

    def state():
        return (
            picture.evaluate("e => e.style.backgroundPosition + e.style.backgroundImage"),
            says.inner_text(),
            step.get_attribute("aria-valuetext"),
        )

    start = state()
    assert start[1].startswith("At the mean. ") and start[2] == "the mean"
    assert picture.bounding_box()["height"] > 50
    step.focus()
    page.keyboard.press("ArrowRight")
    keyed = state()
    assert all(before != after for before, after in zip(start, keyed, strict=True))
    box = step.bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    assert state()[2] == "−3 sd"
    walk.get_by_label("Along").select_option(index=1)
    assert state()[0] != keyed[0] and picture.get_attribute("aria-label").startswith("component 2, −3 sd")


def test_a_head_sorts_its_table(page, book):
    page.goto((book / "08_redesign.html").as_uri())
    table = page.locator("table", has_text="what for").first
    head = table.get_by_role("columnheader", name="parameters")
    column = [cell.inner_text() for cell in head.locator("xpath=..").locator("th").all()].index("parameters")

    def shown():
        return [int(row.locator("td, th").nth(column).inner_text().replace(",", "")) for row in table.locator("tbody tr").all()]

    before = shown()
    head.get_by_role("button").click()
    assert shown() == sorted(before, reverse=True) != before and head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").press("Enter")
    assert shown() == sorted(before) and head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    assert shown() == before and head.get_attribute("aria-sort") is None


def test_code_unfolds_above_its_figure(page, book):
    page.goto((book / "03_skips.html").as_uri())
    expect(page.locator("article .cell_input:visible", has_text="ablation.ablate(network, card, crops, groups, ways")).to_have_count(1)
    cell = page.locator("article .cell", has=page.locator("figure#fig-skips-levels"))
    code, fold = cell.locator(".cell_input"), cell.locator("summary")
    expect(code).to_be_hidden()
    fold.click()
    expect(code).to_contain_text("figures.conditions(")
    assert code.bounding_box()["y"] < cell.locator("figure").bounding_box()["y"]
    fold.press("Enter")
    expect(code).to_be_hidden()


def test_a_chapter_is_downloaded_as_it_was_executed(page, book):
    page.goto((book / "01_dataset.html").as_uri())
    page.get_by_label("Download this page").click()
    for link in (page.locator(".btn-download-source-button"), page.locator(".again a")):
        with page.expect_download() as download:
            link.click()
        assert download.value.suggested_filename == "01_dataset.ipynb"
        notebook = json.loads(download.value.path().read_text("utf-8"))
        assert any(cell.get("outputs") for cell in notebook["cells"])
        assert "{{" not in "".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    expect(page.locator(".again")).to_contain_text("posekit run 01_dataset --preset")


def test_the_map_shows_the_person_under_the_mouse(page, book):
    page.goto((book / "06_clusters.html").as_uri())
    frame = page.locator(".bk-CartesianFrame")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    places = page.evaluate("""() => {
        const models = [...Bokeh.documents[0]._all_models.values()]
        const {x_range, y_range} = models.find(model => model.type === "Figure")
        const {x, y} = models.find(model => model.type === "ColumnDataSource").data
        const part = (value, range) => (value - range.start) / (range.end - range.start)
        return [...x].map((_, i) => [part(x[i], x_range), 1 - part(y[i], y_range)])
    }""")
    tip = page.locator(".bk-Tooltip div[style*='background-image']").first
    shown = set()
    for x, y in places[:: max(1, len(places) // 8)]:
        page.mouse.move(box["x"] + 2, box["y"] + 2)
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
        expect(tip).to_have_css("background-image", re.compile(r'^url\("data:image/webp;'))
        shown.add(tip.evaluate("e => getComputedStyle(e).backgroundPosition"))
    assert len(shown - {""}) > 1, "no two people are shown"  # nothing where the next one's had just taken its place
    choice, key = page.get_by_label("Colour by"), page.locator(".bk-Div .bk-clearfix").first
    before = key.inner_html()
    choice.select_option(index=1)
    assert key.inner_html() != before
