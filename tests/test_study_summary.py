"""From results to what decides claims: which contrasts there are, and what keeps one from being decided."""

import json

import numpy as np
import pytest
from planted_study import KEYS, plant

from posekit.errors import PosekitError
from posekit.studies import floor, kept, verdict
from posekit.studies.designs import SEEDS, design
from posekit.studies.summary import AUTOENCODER, CONTRASTS, LEDGER, summarise

FOUND = {"base": 0.40, "base, trained on": 0.41, "autoencoder": 0.44, "wider": 0.42, "sharper targets": 0.43, "all three": 0.45}
RANDOM = {f"random redesign {i}": 0.36 + 0.01 * i for i in range(1, 6)}


def read(folder, study="redesign", source="lspet"):
    return kept.read(study, folder / source)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    return plant(tmp_path_factory.mktemp("complete"), FOUND | RANDOM)


def test_a_complete_study_names_its_winner_and_gives_every_contrast_a_number(complete):
    found = summarise(read(complete))
    assert found["winner"] == "all three" and not found["missing"] and found["kept"] == found["trainings"] == 54
    for name, block in found["contrasts"].items():
        assert block["why"] is None and block["mean"] is not None, name
        assert block["seeds"] == 3 and (block["people"] == 77 or name == "winner's cost")
    contrasts = {name: block["mean"] for name, block in found["contrasts"].items()}
    assert contrasts["autoencoder"] == pytest.approx(0.03, abs=0.006)
    assert contrasts["autoencoder, wider"] == pytest.approx(0.03 - 0.02, abs=0.009)
    assert contrasts["winner"] == pytest.approx(0.05 / 0.40, abs=0.02)
    assert contrasts["winner's cost"] == 1
    assert contrasts["found, random"] == pytest.approx(np.mean([0.4, 0.4, 0.4, 0.43, 0.45]) - 0.39, abs=0.005)
    assert json.loads(json.dumps(found)) == found


def test_kinds_of_variants(complete):
    kinds = {name: block["kind"] for name, block in summarise(read(complete))["variants"].items()}
    assert kinds["base"] == "reference" and kinds["lean"] == "found" and kinds["wider"] == kinds["linear"] == "study"
    assert kinds["sharper targets, distilled"] == "distilled"
    assert sum(kind == "random" for kind in kinds.values()) == sum(kind == "found" for kind in kinds.values()) == 5


@pytest.mark.parametrize("name", ["random redesign 2", "sharper targets, distilled", "autoencoder", "wider"])
def test_controls_and_what_costs_more_cannot_win(tmp_path, name):
    found = summarise(read(plant(tmp_path, FOUND | RANDOM | {name: 0.6})))
    assert found["winner"] == "all three"


@pytest.mark.parametrize(
    ("lacking", "open_"),
    [
        (("wider",), {"winner", "winner's cost", "autoencoder, wider"}),
        ((("base", 1),), {"winner", "winner's cost", "autoencoder, wider"}),
        ((("autoencoder", 2), "linear"), {"winner", "winner's cost", *AUTOENCODER}),
        (("random redesign 3", ("lean", 0), ("lean", 2)), {"winner", "winner's cost", "found, random"}),
        (("random redesign 3", ("base, distilled", 1)), {"found, random"}),
    ],
)
def test_a_comparison_needs_every_training_of_its_networks_and_the_winner_of_all_that_may_win(tmp_path, lacking, open_):
    found = summarise(read(plant(tmp_path, FOUND | RANDOM, leave_out=lacking)))
    count = sum(1 if isinstance(one, tuple) else 3 for one in lacking)
    assert found["winner"] == (None if "winner" in open_ else "all three") and found["kept"] == 54 - count
    assert sum(map(len, found["missing"].values())) == count
    assert {name for name, block in found["contrasts"].items() if block["mean"] is None} == open_
    for name in open_:
        assert found["contrasts"][name]["why"].endswith("trainings are missing")
    if "winner" in open_:
        count = sum(1 if isinstance(one, tuple) else 3 for one in lacking if one != "random redesign 3")
        assert found["contrasts"]["winner"]["why"] == f"{count} of 33 trainings are missing"


def test_of_what_is_not_trained_there_is_its_name(tmp_path):
    found = summarise(read(plant(tmp_path, FOUND, leave_out=("wider", ("lean", 0)))))["variants"]
    assert "test" not in found["wider"] and found["wider"]["seeds"] == [] and found["wider"]["why"]
    assert found["lean"]["seeds"] == [1, 2] and found["lean"]["difference"]["low"] is None


def test_without_any_result_all_is_missing(tmp_path):
    found = summarise(read(tmp_path))
    assert found["kept"] == 0 and len(found["missing"]) == len(found["variants"]) == 18 and found["floor"] is None
    assert found["contrasts"]["winner"]["why"] == "33 of 33 trainings are missing"
    assert all(block["mean"] is None for block in found["contrasts"].values())


@pytest.mark.parametrize(
    ("low", "blocked"),
    [
        ("autoencoder", {"autoencoder", "autoencoder, wider", "autoencoder, linear", "autoencoder, random"}),
        ("linear", {"autoencoder, linear"}),
        ("random redesign 4", {"found, random"}),
        ("lean", {"winner", "winner's cost", "found, random"}),
    ],
)
@pytest.mark.parametrize("fault", ["not learned", "climbing"])
def test_what_rests_on_a_network_that_has_not_learned_or_climbs_still_is_not_decided(tmp_path, low, blocked, fault):
    """Three times the median pose's score is the least; just above it is enough."""
    planted = FOUND | RANDOM | ({low: 3 * 0.06 - 0.02} if fault == "not learned" else {})
    found = summarise(read(plant(tmp_path, planted, climbing=(low,) if fault == "climbing" else ())))
    why = {name: block["why"] for name, block in found["contrasts"].items()}
    words = "under 3 times the median pose's score" if fault == "not learned" else "not at the plateau"
    assert {name for name, reason in why.items() if reason} == blocked
    assert all(why[name] == f"{words}: {low}" for name in blocked)
    assert (found["winner"] is None) == ("winner" in blocked)


def test_just_above_the_floor_is_enough(tmp_path):
    found = summarise(read(plant(tmp_path, FOUND | RANDOM | {"lean": 3 * 0.06 + 0.02})))
    assert found["variants"]["lean"]["learned"] and found["winner"] == "all three"


def test_without_the_median_pose_nothing_is_decided(tmp_path):
    found = summarise(read(plant(tmp_path, FOUND, floor=None)))
    assert {block["why"] for block in found["contrasts"].values()} == {"the median pose's score is not kept with the results"}
    assert found["winner"] is None


def test_a_contrast_of_a_variant_that_a_study_lacks_says_so(tmp_path):
    found = summarise(
        read(plant(tmp_path, FOUND, study="redesign-mannequins", source="mannequins", joints=17), "redesign-mannequins", "mannequins")
    )
    assert found["contrasts"]["autoencoder, random"]["why"] == "this study does not train *random*"
    assert found["contrasts"]["autoencoder"]["why"] is None
    assert found["contrasts"]["found, random"]["why"] == "this study has no redesigns drawn at random"


@pytest.mark.parametrize("name", CONTRASTS)
def test_contrasts_are_of_variants_that_some_study_has(name):
    variants = set(design("redesign" if name.startswith("redesign") else name, 14).variants)
    for weights in CONTRASTS[name].values():
        assert set(weights) <= variants and sum(weights.values()) == 0
    assert design(name, 14).reference


def test_the_ledgers_studies_exist():
    for kinds in LEDGER.values():
        for study, _ in kinds.values():
            assert design(study, 14).trainings


def test_two_sets_of_people_with_as_many_results_are_refused(tmp_path):
    plant(tmp_path, FOUND)
    for path in (tmp_path / "lspet").glob("*.json"):
        content = json.loads(path.read_text("utf-8"))
        content["data"]["people"]["test"]["fingerprint"] = "other"
        keys = KEYS | {"test": "other"}
        training = next(t for t in design("redesign", 14).trainings if (t.variant, t.seed) == (content["variant"], content["seed"]))
        content["key"] = training.key(keys)
        path.with_name(path.name.rpartition("-")[0] + f"-{content['key']}.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(PosekitError, match="two sets of people have 54 results of the study redesign each"):
        read(tmp_path)
    next((tmp_path / "lspet").glob("lean-1-*.json")).unlink()
    assert len(read(tmp_path).results) == 54


def test_a_result_cut_short_is_named(complete, tmp_path):
    plant(tmp_path, FOUND, leave_out=[v for v in design("redesign", 14).variants if v != "base"])
    path = sorted((tmp_path / "lspet").glob("*.json"))[1]
    path.write_text(path.read_text("utf-8")[:90], "utf-8")
    with pytest.raises(PosekitError, match=f"{path.name}: cut short or damaged"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:90], "cut short or damaged, no JSON from line [0-9]+ on"),
        (lambda text: "", "cut short or damaged, no JSON from line 1 on"),
        (lambda text: "[]", "cut short or damaged"),
        (lambda text: changed(text, scores=None), "cut short or damaged"),
        (lambda text: changed(text, hits={}), "cut short or damaged, without 'val'"),
        (
            lambda text: changed(text, format=0),
            "made by another version of posekit: its format is 0 and its metric .*, and this version reads",
        ),
        (lambda text: changed(text, metric="pck@1"), "made by another version of posekit: .* its metric 'pck@1'"),
        (lambda text: changed(text, key="0123"), "renamed: its content is the result of key 0123"),
    ],
)
def test_a_result_that_is_not_to_be_trusted_is_refused_in_words(complete, tmp_path, change, said):
    plant(tmp_path, FOUND, leave_out=[v for v in design("redesign", 14).variants if v != "base"])
    path = sorted((tmp_path / "lspet").glob("*.json"))[0]
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    with pytest.raises(PosekitError, match=f"{path.name}: {said}.*; move it elsewhere, and `posekit study` trains it again") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value) and "Error" not in str(caught.value)


def changed(text, **entries):
    return json.dumps(json.loads(text) | entries)


@pytest.mark.parametrize("text", ["{", "[]", '{"median pose": {"val": 0.1}}', '{"median pose": {"val": 0.1, "test": null}}'])
def test_a_floor_cut_short_is_named(tmp_path, text):
    path = floor._file(KEYS, tmp_path)
    assert floor.recall(KEYS, tmp_path) is None
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(PosekitError, match=f"{path.name}: cut short or damaged"):
        floor.recall(KEYS, tmp_path)


def test_fresh_seeds_are_a_study_of_their_own(tmp_path):
    plant(tmp_path, FOUND, seeds=(3, 4, 5))
    assert len(kept.read("redesign", tmp_path / "lspet", (3, 4, 5)).results) == 54
    assert not kept.read("redesign", tmp_path / "lspet", SEEDS).results


def test_what_goes_on_from_the_base_is_compared_with_the_base_trained_on(complete):
    rows = {row.variant: row for row in verdict.rows(read(complete))}
    assert rows["autoencoder"].against == "base, trained on" and rows["lean"].against == "base" and rows["base"].against is None
    assert rows["autoencoder"].difference.mean == pytest.approx(0.03, abs=0.006)
    assert rows["base"].difference is None and rows["base"].relative is None
    assert rows["autoencoder"].relative.mean == pytest.approx(rows["autoencoder"].difference.mean / rows["base, trained on"].test.mean)
