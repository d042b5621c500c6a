"""The page of an audit, used by keyboard, as a file: decisions download, and --apply reads them."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import checks
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from planted_labels import exchanged, people, predictor

import posekit
from posekit.auditing import decisions, writing
from posekit.auditing.quality import planted
from posekit.skeleton import LSP

WHOLE = planted.groups(LSP)["whole"]


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    there = people(range(20))
    labels = replace(there, keypoints=exchanged(there.keypoints, [6], WHOLE, LSP.mirrored))
    return posekit.audit(labels, predictor(), flip=False, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def opened(page, audit, tmp_path):
    path = tmp_path / "review.html"
    path.write_text(writing.page(audit, 5), "utf-8")
    witness = checks.Witness(page)
    page.goto(path.as_uri())
    yield page
    assert witness.faults() == []


def downloaded(page, tmp_path, key="d"):
    with page.expect_download() as found:
        page.keyboard.press(key)
    found.value.save_as(tmp_path / "decisions.json")
    return tmp_path / "decisions.json"


def test_a_review_by_keyboard(opened, audit, tmp_path):
    assert opened.locator("article").count() == 5 and opened.evaluate("document.activeElement.dataset.id") == "6"
    before = opened.locator("article").first.locator("svg").first.inner_html()
    opened.keyboard.press("x")
    assert opened.locator("article").first.locator("svg").first.inner_html() != before
    assert "exchange" in opened.locator("article").first.locator(".said").inner_text()
    opened.keyboard.press("ArrowRight")
    second = int(opened.evaluate("document.activeElement.dataset.id"))
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("r")
    gone = opened.locator("article").nth(1).locator("li.gone").inner_text().rpartition(" ")[0].rpartition(" ")[0]
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("k")
    opened.keyboard.press("u")  # of the fourth, about whom nothing was decided
    assert opened.locator("#count").inner_text() == "3 of 5 people decided"
    file = downloaded(opened, tmp_path)
    found = {decision.id: decision for decision in decisions.read(file, audit.people)}
    assert found[6].exchange == tuple(WHOLE) and not found[6].remove and len(found) == 3
    assert [LSP.joints[k] for k in found[second].remove] == [gone]
    assert [entry["decision"] for entry in json.loads(file.read_text())["decisions"]] == ["change", "change", "keep"]


def test_exchanges_go_round_and_end_with_none(opened):
    said = opened.locator("article").first.locator(".said")
    seen = []
    for _ in range(6):
        opened.keyboard.press("x")
        seen.append(said.inner_text())
        if not seen[-1]:
            break
    assert seen[-1] == "" and len(set(seen)) == len(seen) >= 4  # whole, arms, legs, perhaps a pair, none


def test_decisions_are_still_there_after_a_reload(opened):
    opened.keyboard.press("k")
    opened.reload()
    assert opened.locator("#count").inner_text() == "1 of 5 people decided"


def test_the_page_can_be_read(opened):
    assert checks.accessibility(opened) == [] and checks.width(opened) == []
