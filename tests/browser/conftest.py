"""The book and the browser.

The book is what POSEKIT_BOOK names: `make browser` builds a preset's and names it. Without it only the checks are tested.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from posekit.workflow.pages import try_it

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

REPOSITORY = Path(__file__).parents[2]
HEAD = '<meta charset="utf-8"><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width"><title>{}</title>'
PAGE = (
    f'<!doctype html><html lang="en"><head>{HEAD}</head><body><main><article class="bd-article">'
    "<h1>{}</h1>{}</article></main></body></html>"
)


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


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """A folder with the page Try it and ten people to choose from, and chapters with its small instances, without a book's theme."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("data"))
        found = try_it.data(try_it.WEIGHTS, "mannequins:100,size=64", gallery=10)
    shutil.copytree(REPOSITORY / "book" / "_extra" / "try_it", folder / "try_it")
    shutil.copytree(REPOSITORY / "book" / "_static", folder / "_static")
    (folder / "try_it" / "data.js").write_text(try_it.as_script(found), "utf-8")
    chapters = [REPOSITORY / "notebooks" / f"{name}.py" for name in ("03_skips", "05_probes", "07_explanations")]
    for source in (REPOSITORY / "book" / "try_it.md", *chapters):
        text = re.sub("^# ?", "", source.read_text("utf-8"), flags=re.MULTILINE) if source.suffix == ".py" else source.read_text("utf-8")
        parts = "".join(re.findall(r"```\{raw\} html\n(.*?)```", text, re.DOTALL))
        if source.suffix == ".py":
            parts += '<link rel="stylesheet" href="_static/custom.css"><script src="_static/live.js"></script>'
        (folder / f"{source.stem}.html").write_text(PAGE.format(source.stem, source.stem, parts), "utf-8")
    return folder


def pytest_collection_modifyitems(items):
    for item in items:
        if "book" in getattr(item, "fixturenames", ()):
            item.add_marker("book")


def pytest_generate_tests(metafunc):
    if "chapter" in metafunc.fixturenames:
        names = sorted(path.name for path in Path(os.environ.get("POSEKIT_BOOK", "absent")).glob("*.html"))
        metafunc.parametrize("chapter", names)
