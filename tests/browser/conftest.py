"""The book and the browser.

The book is what POSEKIT_BOOK names: `make browser` builds a preset's and names it. Without it only the checks are tested.
"""

import os
import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM:
        pytest.skip("the browser tests need Chromium: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """An empty page of a reader who has never been here."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def book() -> Path:
    if "POSEKIT_BOOK" not in os.environ:
        pytest.skip("no book is named: make browser PRESET=smoke")
    return Path(os.environ["POSEKIT_BOOK"]).resolve()


def pytest_generate_tests(metafunc):
    if "chapter" in metafunc.fixturenames:
        names = sorted(path.name for path in Path(os.environ.get("POSEKIT_BOOK", "absent")).glob("*.html"))
        metafunc.parametrize("chapter", names)
