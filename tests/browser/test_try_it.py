"""The page Try it: its network predicts as torch does, each control changes what it should, and it takes any picture."""

import functools
import http.server
import io
import itertools
import json
import re
import threading

import checks
import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import expect

import posekit
from posekit import heatmaps as hm
from posekit.coordinates import STRIDE, rescaling, transform
from posekit.data.crops import cut
from posekit.engine.inference.prediction import predict_heatmaps
from posekit.workflow.pages import try_it

PLACES = [*(f"stack0.skip{level}" for level in (1, 2, 3, 4)), "stack0.bottleneck3"]


@pytest.fixture(scope="module")
def network():
    return posekit.load(try_it.WEIGHTS, "cpu")


@pytest.fixture
def opened(page, site):
    witness = checks.Witness(page)
    page.goto((site / "try_it.html").as_uri())
    settle(page)
    yield page
    assert witness.faults() == []


def settle(page):
    expect(page.locator(".try-it")).to_have_attribute("aria-busy", "false", timeout=60_000)


def shown(page):
    """Keypoints (K, 2) as the page has them, and what it has drawn."""
    settle(page)
    points = page.evaluate("document.querySelector('.try-it').shown.now.keypoints.map(({x, y}) => [x, y])")
    drawn = page.evaluate("[...document.querySelectorAll('.views canvas')].map(canvas => canvas.toDataURL())")
    return np.array(points), drawn


def moves(page):
    return page.locator(".moved").inner_text()


def views(page):
    """What the page's network sees of everybody, (N, R, R, 3) uint8."""
    found = page.evaluate("""async () => Promise.all(tryIt.people.map(async ({picture, name, view: [x, y, side]}) =>
        [...cutView(await decodePicture(picture, name), {x, y, side}, tryIt.network.resolution)]))""")
    return np.array(found, np.uint8).reshape(len(found), 64, 64, 3)


def answers(page, requests):
    """Heatmaps (N, K, h, w) and keypoints (N, K, 2) by the page's network; a request is JavaScript that has the views as `views`."""
    found = page.evaluate(f"""async () => {{
        const network = poseNetwork(tryIt.network)
        const views = await Promise.all(tryIt.people.map(async ({{picture, name, view: [x, y, side]}}) =>
            cutView(await decodePicture(picture, name), {{x, y, side}}, tryIt.network.resolution)))
        return {requests}.map(request => network.answer(request))
            .map(({{heatmaps, keypoints}}) => [heatmaps.map(map => [...map]), keypoints.map(({{x, y}}) => [x, y])])
    }}""")
    maps = np.array([maps for maps, _ in found])
    return maps.reshape(*maps.shape[:2], 16, 16), np.array([points for _, points in found])


def by_torch(network, pictures, edits=None):
    """What `answers` gives, by posekit."""
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    with posekit.edit(network.model, edits or {}):
        maps = predict_heatmaps(network.model, network.card, batch)[:, -1]
    return maps.numpy(), transform(rescaling(STRIDE), hm.decode_output(maps, network.card.loss)[..., :2].double().numpy())


def test_the_page_predicts_as_torch_does(opened, site, network):
    seen = views(opened)
    assert len(seen) == 10
    maps, points = answers(opened, "views.map(view => ({view}))")
    expected, places = by_torch(network, seen)
    assert np.abs(maps - expected).max() < 1e-3 * expected.max()
    assert np.abs(points - places).max() < 0.01
    found = json.loads((site / "try_it" / "data.js").read_text("utf-8").removeprefix("tryIt = "))
    for person, view in zip(found["people"], seen, strict=True):
        file = io.BytesIO(try_it.base64.b64decode(person["picture"].partition(",")[2]))
        x, y, side = person["view"]
        own = cut(np.asarray(Image.open(file).convert("RGB")), np.array([x - 0.5, y - 0.5]), side, 64)
        assert np.abs(own.astype(int) - view).max() <= 3


def test_replaced_activations_are_those_of_edits(opened, network):
    seen = views(opened)[:4]
    with posekit.trace(network.model, PLACES) as activations:
        by_torch(network, seen)
    for place in PLACES:
        own = activations[place]
        means = torch.tensor(opened.evaluate(f"[...fromText(tryIt.means['{place}'])]"))
        ways = {
            "{how: 'zero'}": torch.zeros_like(own),
            f"{{how: 'values', values: fromText(tryIt.means['{place}'])}}": means.view(*own.shape[2:], -1).permute(2, 0, 1).expand_as(own),
            "{how: 'another'}": own[3].expand_as(own),
        }
        requests = ", ".join(f"...views.slice(0, 2).map(view => ({{view, other: views[3], edits: {{'{place}': {how}}}}}))" for how in ways)
        maps, _ = answers(opened, f"[{requests}]")
        for found, (how, values) in zip(maps.reshape(3, 2, *maps.shape[1:]), ways.items(), strict=True):
            expected, _ = by_torch(network, seen, {place: lambda x, name, values=values: values})
            assert np.abs(found - expected[:2]).max() < 1e-3 * expected.max(), (place, how)


def test_a_walk_adds_to_the_code(opened, network):
    seen, place = views(opened)[:3], PLACES[-1]
    step = torch.tensor(opened.evaluate("[...fromText(tryIt.walks[0].step)]"))
    assert opened.evaluate("tryIt.walks.length") == try_it.COMPONENTS + len(try_it.ATTRIBUTES)
    maps, _ = answers(
        opened, f"views.slice(0, 3).map(view => ({{view, edits: {{'{place}': {{add: fromText(tryIt.walks[0].step).map(v => 2 * v)}}}}}}))"
    )
    expected, _ = by_torch(network, seen, {place: lambda x, name: x + 2 * step.view(1, -1, 1, 1)})
    assert np.abs(maps - expected).max() < 1e-3 * expected.max()


def test_with_all_of_another_person_the_prediction_is_that_persons(opened):
    opened.locator("[data-place]").evaluate_all(
        "selects => selects.forEach(s => { s.value = 'another'; s.dispatchEvent(new Event('change', {bubbles: true})) })"
    )
    opened.get_by_label("the other person").select_option(index=6)
    given, _ = shown(opened)
    expect(opened).to_have_url(re.compile("other=7"))
    opened.goto("about:blank")
    opened.go_back()
    expect(opened.get_by_label("the other person")).to_have_value("6")  # kept in the address
    assert np.array_equal(shown(opened)[0], given)
    opened.get_by_role("button", name="Undo all changes").click()
    opened.locator("[name=person]").nth(6).check()
    assert np.array_equal(shown(opened)[0], given)


def test_a_switch_changes_the_prediction_and_back(opened):
    before, picture = shown(opened)
    for name, how in itertools.product(["skip 1", "skip 4", "bottleneck"], ["zero", "mean", "another"]):
        select = opened.get_by_label(name)
        select.select_option(how)
        after, changed = shown(opened)
        assert not np.array_equal(before, after) and changed[1] != picture[1] and changed[0] == picture[0]
        assert "move" in moves(opened)
        expect(opened).to_have_url(re.compile(rf"{name.replace(' ', '')}={how}"))
        select.select_option("")
        again, same = shown(opened)
        assert np.array_equal(before, again) and same == picture and "as it was trained" in moves(opened)


def test_the_slider_walks_by_keys(opened):
    before, _ = shown(opened)
    slider = opened.get_by_label("how far")
    for _ in range(8):
        slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "2 standard deviations"
    one, _ = shown(opened)
    opened.get_by_label("along").select_option(label="probe: lean")
    other, _ = shown(opened)
    assert not np.array_equal(before, one) and not np.array_equal(one, other)
    expect(opened).to_have_url(re.compile("walk=probe%3A\\+lean&step=2"))


def test_the_brush_erases_by_mouse_and_by_keys(opened):
    before, picture = shown(opened)
    canvas = opened.locator(".seen")
    canvas.click(position={"x": 100, "y": 100})
    assert shown(opened)[1] == picture  # there is no brush yet
    opened.get_by_label("erase with a brush").check()
    canvas.click(position={"x": 100, "y": 100})
    clicked, changed = shown(opened)
    expect(opened).to_have_url(re.compile("erased="))
    address = opened.url
    assert not np.array_equal(before, clicked) and changed[1] != picture[1]
    canvas.focus()
    for key in ["ArrowDown"] * 6 + [" "]:
        opened.keyboard.press(key)
    keyed, _ = shown(opened)
    assert not np.array_equal(clicked, keyed)
    expect(opened).not_to_have_url(address)
    opened.reload()
    assert np.array_equal(shown(opened)[0], keyed)
    opened.get_by_role("button", name="Restore").click()
    assert np.array_equal(shown(opened)[0], before)


def test_the_square_is_moved_by_mouse_and_by_keys(opened):
    start, _ = shown(opened)
    canvas = opened.locator(".whole")
    canvas.press("ArrowRight")
    moved, _ = shown(opened)
    canvas.press("+")
    grown, _ = shown(opened)
    box = canvas.bounding_box()
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2 + 10, steps=3)
    opened.mouse.up()
    dragged, _ = shown(opened)
    states = [start, moved, grown, dragged]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(states))
    expect(opened).to_have_url(re.compile("view="))
    opened.get_by_role("button", name="Undo all changes").click()
    assert np.array_equal(shown(opened)[0], start)


def test_circles_and_a_heatmap_are_laid_over_the_view(opened):
    _, plain = shown(opened)
    opened.get_by_label("confidence circles").check()
    _, circles = shown(opened)
    expect(opened.locator(".circles")).to_contain_text("80 % of mannequins")
    wrist = opened.get_by_role("button", name="left wrist")
    wrist.click()
    _, both = shown(opened)
    assert len({plain[1], circles[1], both[1]}) == 3
    expect(wrist).to_have_attribute("aria-pressed", "true")
    expect(opened).to_have_url(re.compile("joint=left\\+wrist&circles=1"))
    wrist.click()
    opened.get_by_label("confidence circles").uncheck()
    assert shown(opened)[1] == plain


def test_the_table_says_what_is_drawn(opened):
    opened.get_by_label("skip 1").select_option("zero")
    points, _ = shown(opened)
    opened.get_by_text("The prediction as a table").click()
    rows = [row.split() for row in opened.locator("tbody tr").all_inner_texts()]
    assert [[float(value) for value in row[-5:-3]] for row in rows] == [[round(v, 1) for v in point] for point in points.tolist()]


def test_links_of_the_page_change_the_network_for_the_chosen_person(opened):
    opened.locator("[name=person]").nth(4).check()
    settle(opened)
    opened.get_by_role("link", name="Set all skip connections to zero").click()
    expect(opened.get_by_label("skip 3")).to_have_value("zero")
    settle(opened)
    assert opened.locator("[name=person]").nth(4).is_checked()
    opened.go_back()
    expect(opened.get_by_label("skip 3")).to_have_value("")


def test_an_address_that_makes_no_sense_is_passed_over(opened):
    start, _ = shown(opened)
    for words in (
        "person=99&skip1=half&walk=none&step=1e9&erased=!&view=1,2",
        "person=x&view=0,0,-5&other=0.5",
        "=&==",
        "step=NaN&walk=probe",
    ):
        opened.evaluate("words => { location.hash = words }", words)
        opened.reload()
        assert np.array_equal(shown(opened)[0], start) and "as it was trained" in moves(opened)


def picture(kind, folder):
    random = np.random.default_rng(0)
    path = folder / f"{kind}.jpg"
    size = {"huge": (6000, 9000), "flat": (900, 3)}.get(kind, (120, 200))
    image = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(size[::-1])
    if kind == "transparent":
        path = folder / "transparent.png"
        image.putalpha(128)
    if kind in ("grey", "huge"):
        image = image.convert("L")
    image.save(path)
    if kind == "broken":
        path.write_bytes(path.read_bytes()[:300])
    if kind == "text":
        path.write_text("no picture")
    if kind == "empty":
        path.write_bytes(b"")
    return path


def test_a_picture_of_the_readers_own(opened, tmp_path):
    for kind in ("plain", "huge", "grey", "transparent", "flat"):
        before, drawn = shown(opened)
        opened.locator("[data-file]").first.set_input_files(picture(kind, tmp_path))
        opened.wait_for_function("before => document.querySelector('.whole').toDataURL() !== before", arg=drawn[0])
        after, _ = shown(opened)
        assert np.isfinite(after).all() and not np.array_equal(before, after)
        expect(opened.locator("[name=person]:checked")).to_have_count(0)
        expect(opened.locator(".fault")).to_be_empty()
        expect(opened).not_to_have_url(re.compile("person"))
        assert "place the square" in moves(opened)
    opened.get_by_label("skip 2").select_option("mean")
    assert np.isfinite(shown(opened)[0]).all()


def test_a_file_that_is_no_picture_is_said_in_one_line(opened, tmp_path):
    before, drawn = shown(opened)
    for kind in ("broken", "text", "empty"):
        path = picture(kind, tmp_path)
        opened.locator("[data-file]").first.set_input_files(path)
        expect(opened.locator(".fault")).to_contain_text(f"{path.name} cannot be read as a picture")
        assert "\n" not in opened.locator(".fault").inner_text()
        after, same = shown(opened)
        assert np.array_equal(before, after) and drawn == same
    opened.locator("[name=person]").nth(2).check()
    expect(opened.locator(".fault")).to_be_empty()


def test_a_picture_is_dropped(opened, tmp_path):
    before, _ = shown(opened)
    content = list(picture("plain", tmp_path).read_bytes())
    transfer = opened.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer()
            transfer.items.add(new File([new Uint8Array(bytes)], "me.jpg", {type: "image/jpeg"}))
            return transfer
        }""",
        content,
    )
    opened.dispatch_event(".try-it", "drop", {"dataTransfer": transfer})
    expect(opened.locator("[name=person]:checked")).to_have_count(0)
    assert not np.array_equal(shown(opened)[0], before)


def test_on_a_phone_and_for_all_readers(opened):
    assert checks.accessibility(opened) == []
    assert checks.width(opened) == []
    opened.set_viewport_size({"width": 375, "height": 700})
    opened.reload()
    settle(opened)
    opened.get_by_label("confidence circles").check()
    opened.get_by_text("The prediction as a table").click()
    settle(opened)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 375
    assert checks.accessibility(opened) == []


def test_keys_reach_every_control(opened):
    reached = []
    for _ in range(60):
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    for part in (
        'name="person"',
        'class="whole"',
        'class="seen"',
        *(f"data-{name}" for name in ("file", "place", "walk", "step", "joint")),
    ):
        assert any(part in element for element in reached), part


def test_from_a_server_it_asks_for_its_own_files_alone(page, site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address, asked, errors = f"http://127.0.0.1:{server.server_port}/", [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}try_it.html")
        settle(page)
        loaded = len(asked)
        page.get_by_label("skip 1").select_option("mean")
        page.get_by_label("confidence circles").check()
        settle(page)
        local = [url for url in asked if not url.startswith(("data:", "blob:"))]
        assert all(url.startswith(address) for url in local)
        assert not [url for url in asked[loaded:] if url.startswith("http")]
        assert errors == []
    finally:
        server.shutdown()
        server.server_close()
