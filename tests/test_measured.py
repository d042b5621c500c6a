"""Cards of numbers: which of a run's numbers a page shows, what it is, and what other runs have in its place."""

import html
import json
import re
from pathlib import Path

import measured
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from measured import INTERVAL, Block, Source, blocks, card, definition, like, mark, over, read, written

from posekit.workflow.words import ranged, spoken

BOOK = Path(__file__).parents[1] / "book"
METRICS = {
    "intact": {"mean": 0.4819, "low": 0.4621, "high": 0.5033, "people": 499},
    "levels": {"skip1": {"mean": -0.0312, "low": -0.0383, "high": 0.0, "people": 499}},
    "probes": {"lean": {"people": 900, "r2": 0.3984, "low": 0.3472, "high": 0.4412}},
    "noise": [{"share": [0.2, 0.1, 0.3]}],
    "say": {"low": 0.1, "high": 0.3, "mean": 0.2},
}
QUANTITIES = {"03_skips": {"intact": "PCK", "levels/*": "Change of PCK", "probes/*/r2": "R²", "noise/*/share": "Share of noise"}}


def lines(text, metrics=METRICS, kept=None):
    others = [Source("03_skips", "Kept run on photographs", kept)] if kept else []
    sources = [Source("03_skips", "This edition: 03_skips", metrics), *others]
    return card(INTERVAL.search(text), sources, QUANTITIES, others)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("finds 48.2 % [46.2, 50.3] of the joints", ["PCK.", "95 % interval over 499 people."]),
        ("<td>0.482 [0.462, 0.503]</td>", ["PCK.", "95 % interval over 499 people."]),
        ("costs −3.1 [−3.8, 0.0] points", ["Change of PCK: skip connection 1.", "95 % interval over 499 people."]),
        ("R² = 0.40 [0.35, 0.44]", ["R²: lean.", "95 % interval over 900 people."]),
        ("20 % [10, 30]", ["Share of noise.", "95 % interval."]),
    ],
)
def test_a_number_of_the_run(text, first):
    assert lines(text) == [*first, "This edition: 03_skips."]


@pytest.mark.parametrize(
    "text", ["48.2 % [46.2, 50.4]", "48.3 % [46.2, 50.3]", "0.48 % [0.46, 0.50]", "+3.1 [−3.8, 0.0] points", "148.2 % [46.2, 50.3]"]
)
def test_another_number(text):
    assert lines(text) == []


def test_what_no_list_has():
    assert lines("20 % [10, 30]", {"unknown": {"mean": 0.2, "low": 0.1, "high": 0.3}}) == []


def test_what_reads_alike():
    block = {"mean": 0.2, "low": 0.1, "high": 0.3, "people": 9}
    two = lines("20 % [10, 30]", {"intact": block, "levels": {"all": block}})
    assert two[:4] == ["PCK.", "95 % interval over 9 people.", "Or: Change of PCK: all.", "95 % interval over 9 people."]
    assert lines("20 % [10, 30]", {"intact": block, "levels": {"all": block, "skip1": block}}) == []


def test_another_run():
    kept = {"intact": {"mean": 0.6, "low": 0.55, "high": 0.7}, "levels": {"skip1": {"mean": 0.012, "low": -0.004, "high": 0.034}}}
    assert lines("48.2 % [46.2, 50.3]", kept=kept)[-1] == "Kept run on photographs: 60.0 % [55.0, 70.0]."
    assert lines("−3.1 [−3.8, 0.0] points", kept=kept)[-1] == "Kept run on photographs: +1.2 [−0.4, +3.4] points."
    assert lines("48.2 % [46.2, 50.3]", kept=METRICS)[-1] == "Kept run on photographs: the same."
    assert lines("60.0 % [55.0, 70.0]", kept=kept)[-1] == "Kept run on photographs."


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_any_number_reads_as_itself(value, below, above):
    block = {"mean": value, "low": value - below, "high": value + above}
    source = Source("03_skips", "", {"intact": block})
    for text in (spoken(block, points=True), ranged(block), f"({ranged(block, 3)})"):
        match = INTERVAL.search(text)
        assert [like(match, block.ends, scale) for block, scale in measured.found(match, source)], text
        assert {like(match, block.ends, scale) for block, scale in measured.found(match, source)} == {"the same"}


def test_a_study():
    kept = {"study": {"share": [0.2, 0.1, 0.3]}}
    runs = [Source("04_stacks", "This edition: 04_stacks", kept), Source("04_stacks", "Kept run on photographs", kept)]
    said = card(INTERVAL.search("20 % [10, 30]"), runs, {"04_stacks": {"study/*": "Share of noise"}}, runs)
    assert said[-1] == "Of trainings kept in book/studies. This edition: 04_stacks."


def test_a_study_and_the_run_read_alike():
    quantities = {"08": {"study/base/pck": "PCK of trainings", "live": "PCK"}}
    metrics = {"study": {"base": {"pck": {"mean": 0.4, "low": 0.3, "high": 0.5}}}, "live": {"mean": 0.4, "low": 0.3, "high": 0.5}}
    for kept in ({"study": metrics["study"]}, {"live": metrics["live"]}):
        assert card(INTERVAL.search("40 % [30, 50]"), [Source("08", "This edition", kept)], quantities, [])
    assert card(INTERVAL.search("40 % [30, 50]"), [Source("08", "This edition", metrics)], quantities, []) == []


def test_only_in_text():
    body = '<p title="20 % [10, 30]">20\u00a0% [10,\u00a030]</p><script>"20 % [10, 30]"</script><svg><text>20 % [10, 30]</text></svg>'
    marked = mark(body, [Source("03_skips", "a run", METRICS)], QUANTITIES, [])
    assert marked.count("data-card") == 1
    assert re.sub(r"<span class=\"measured\"[^>]*>(.*?)</span>", r"\1", marked) == body
    assert html.unescape(re.search(r'data-card="([^"]+)"', marked)[1]) == "<p>Share of noise.</p><p>95 % interval.</p><p>a run.</p>"


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"over": "seeds and people", "n": [3, 1630]}, " over 3 seeds and 1,630 people"),
        ({"seeds": 3, "people": 1630}, " over 3 trainings and 1,630 people"),
        ({"chance": 0.1}, ""),
    ],
)
def test_over(beside, said):
    assert over(Block(("a",), (0, 0, 0), beside)) == said
    assert over(Block(("claims", "a", "number"), (0, 0, 0), beside)) == ""


def test_a_list_is_one_number():
    assert [block.place for block in blocks([[0.2, 0.1, 0.3], [1, 2, 3]])] == [("1",)]
    assert written((0.2, -0.0004, 1234.5), 1, 1) == ("0.2", "0.0", "1234.5") and read("−1,234.5") == "-1234.5"


def test_the_list_of_the_book():
    quantities = yaml.safe_load((BOOK / "quantities.yaml").read_text("utf-8"))
    for notebook, patterns in quantities.items():
        kept = [json.loads(path.read_text("utf-8")) for path in BOOK.glob(f"reference/*/{notebook}.json")]
        places = [block.place for metrics in kept for block in blocks(metrics)]
        used = {definition(notebook, place, quantities) for place in places}
        unused = {text for pattern, text in patterns.items() if not pattern.startswith("stud")} - {says[0] for says in used if says}
        assert not unused, f"of {notebook} no number has {unused}"  # but for those of studies under way
