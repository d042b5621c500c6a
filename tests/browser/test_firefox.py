"""The page Try it in Firefox, as it is installed (Debian: apt install firefox-esr; pip install marionette_driver).

Playwright drives a Firefox of its own alone; Marionette is Firefox's own protocol. What Chromium's tests check control by control is
checked here as a reader would go through it.
"""

import re
import shutil
import socket
import subprocess
import time

import numpy as np
import pytest
import torch

import posekit
from posekit import heatmaps as hm
from posekit.coordinates import STRIDE, rescaling, transform
from posekit.engine.inference.prediction import predict_heatmaps
from posekit.workflow.pages import try_it

marionette = pytest.importorskip("marionette_driver.marionette", reason="the tests in Firefox need marionette_driver")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
PORT = 2828  # Marionette's


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    if not FIREFOX:
        pytest.skip("the tests in Firefox need it: apt install firefox-esr")
    profile = tmp_path_factory.mktemp("profile")
    command = [FIREFOX, "-headless", "-marionette", "-no-remote", "-profile", str(profile)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait(lambda: socket.create_connection(("127.0.0.1", PORT), 1).close() is None, 120)
    driver = marionette.Marionette("127.0.0.1", port=PORT)
    driver.start_session()
    driver.timeout.script = 120
    yield driver
    driver.delete_session()
    process.terminate()
    process.wait(30)


def wait(condition, seconds=60):
    """Until `condition` holds; an error of it counts as not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


class Page:
    def __init__(self, driver):
        self.driver = driver

    def evaluate(self, script, *given):
        """What the statements `script` return, to whom `given` are `arguments`, in the page's own scope."""
        return self.driver.execute_script(script, list(given), sandbox=None)

    def awaited(self, expression, *given):
        """What the promise `expression` comes to."""
        code = f"const done = arguments[arguments.length - 1]; ({expression}).then(done, error => done('failed: ' + error))"
        found = self.driver.execute_async_script(code, list(given), sandbox=None)
        assert not isinstance(found, str) or not found.startswith("failed"), found
        return found

    def open(self, path):
        self.driver.navigate(path.as_uri())
        self.settle()

    def settle(self):
        wait(lambda: self.evaluate("return document.querySelector('.try-it').getAttribute('aria-busy')") == "false")

    def points(self):
        self.settle()
        return np.array(self.evaluate("return document.querySelector('.try-it').shown.now.keypoints.map(({x, y}) => [x, y])"))

    def choose(self, name, value):
        """Choose an option of a labelled control, as a reader does."""
        script = """const label = [...document.querySelectorAll('label')].find(l => l.textContent.trim().startsWith(arguments[0]))
            const control = label.control || label.querySelector('select'); control.value = arguments[1]
            control.dispatchEvent(new Event('input', {bubbles: true})); control.dispatchEvent(new Event('change', {bubbles: true}))"""
        self.evaluate(script, name, value)
        time.sleep(0.3)
        self.settle()


@pytest.fixture
def opened(firefox, site):
    page = Page(firefox)
    page.open(site / "try_it.html")
    yield page
    asked = page.evaluate("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(address.startswith(("file:", "data:", "blob:")) for address in asked)


def test_it_predicts_as_torch_does(opened):
    network = posekit.load(try_it.WEIGHTS, "cpu")
    found = opened.awaited("""(async () => {
        const network = poseNetwork(tryIt.network), found = []
        for (const {picture, name, view: [x, y, side]} of tryIt.people) {
            const view = cutView(await decodePicture(picture, name), {x, y, side}, tryIt.network.resolution)
            const {heatmaps, keypoints} = network.answer({view})
            found.push([[...view], heatmaps.map(map => [...map]), keypoints.map(({x, y}) => [x, y])])
        }
        return found
    })()""")
    seen = np.array([view for view, *_ in found], np.uint8).reshape(10, 64, 64, 3)
    maps = predict_heatmaps(network.model, network.card, torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 255)[:, -1]
    own = np.array([maps for _, maps, _ in found]).reshape(maps.shape)
    assert np.abs(own - maps.numpy()).max() < 1e-3 * float(maps.max())
    places = transform(rescaling(STRIDE), hm.decode_output(maps, network.card.loss)[..., :2].double().numpy())
    assert np.abs(np.array([points for *_, points in found]) - places).max() < 0.01


def test_switches_walks_and_people_change_the_prediction_and_back(opened):
    before = opened.points()
    for name, value in (("skip 1", "zero"), ("skip 4", "mean"), ("bottleneck", "another")):
        opened.choose(name, value)
        assert not np.array_equal(opened.points(), before)
        assert re.search(rf"{name.replace(' ', '')}={value}", opened.driver.get_url())
        opened.choose(name, "")
        assert np.array_equal(opened.points(), before)
    opened.choose("how far", "2")
    assert not np.array_equal(opened.points(), before)
    opened.choose("how far", "0")
    assert np.array_equal(opened.points(), before)
    opened.evaluate("document.querySelectorAll('[name=person]')[3].click()")
    time.sleep(0.3)
    assert not np.array_equal(opened.points(), before)


def test_the_address_keeps_the_state(opened, site):
    opened.choose("skip 1", "zero")
    points, address = opened.points(), opened.driver.get_url()
    opened.driver.navigate("about:blank")
    opened.driver.navigate(address)
    assert np.array_equal(opened.points(), points)


def test_a_picture_is_dropped_and_a_broken_one_is_said_in_one_line(opened, tmp_path):
    from PIL import Image

    before, path = opened.points(), tmp_path / "me.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 60, 3), np.uint8)).resize((600, 900)).save(path)
    drop = """const transfer = new DataTransfer()
        transfer.items.add(new File([new Uint8Array(arguments[0])], arguments[1], {type: 'image/jpeg'}))
        document.querySelector('.try-it').dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}))"""
    opened.evaluate(drop, list(path.read_bytes()), "me.jpg")
    wait(lambda: opened.evaluate("return document.querySelectorAll('[name=person]:checked').length") == 0)
    after = opened.points()
    assert np.isfinite(after).all() and not np.array_equal(after, before)
    opened.evaluate(drop, [1, 2, 3], "broken.jpg")
    wait(lambda: opened.evaluate("return document.querySelector('.fault').textContent") != "")
    fault = opened.evaluate("return document.querySelector('.fault').textContent")
    assert "broken.jpg cannot be read as a picture" in fault and "\n" not in fault.strip()
    assert np.array_equal(opened.points(), after)


@pytest.mark.parametrize("width", [1280, 450])
def test_the_page_is_as_wide_as_the_window(opened, width):
    opened.driver.set_window_rect(width=width, height=900)
    time.sleep(0.5)
    assert opened.evaluate("return document.documentElement.scrollWidth <= window.innerWidth")
