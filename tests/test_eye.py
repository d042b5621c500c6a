"""Labels checked by eye: who is drawn and shown, and what verdicts say of flagged labels and of the viewer, in closed form."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from planted_labels import people, predictor

import posekit
from posekit.auditing.quality.eye import sheets, verdicts
from posekit.errors import PosekitError

MANY = 40


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    found = posekit.audit(people(range(MANY)), predictor(), flip=False, cache=tmp_path_factory.mktemp("cache"))
    exact = replace(found.opinions[0], predicted=found.people.keypoints)
    return replace(found, exchanged=np.linspace(0.9, 0, MANY), opinions=(exact,))


def drawn(audit, **changes):
    return sheets.draw(audit, **{"flagged": 8, "others": 8, "controls": 4, "again": 3} | changes)


def test_who_is_drawn(audit):
    key = drawn(audit)
    first, second = (key[key["look"] == look] for look in (1, 2))
    assert first["group"].value_counts().to_dict() == {"flagged": 8, "others": 8, "label planted": 4, "prediction planted": 4}
    assert first["person"].is_unique and set(key["number"]) == set(range(1, 28)) and len(second) == 3
    high = audit.exchanged[first["person"]] > sheets.FLAGGED
    assert (high == (first["group"] == "flagged")).all()
    earlier = first.set_index("person")["number"]
    assert all(earlier[row["person"]] < row["number"] and not row["planted"] for row in second.to_dict("records"))
    assert (key["planted"] != "").equals(key["group"].str.contains("planted")) and set(key["label"]) == {"A", "B"}


def test_a_seed_draws_the_same_people_again(audit):
    assert drawn(audit, seed=3).equals(drawn(audit, seed=3)) and not drawn(audit, seed=3).equals(drawn(audit, seed=4))


def test_where_too_few_are_flagged_the_most_doubtful_are(audit):
    key = drawn(replace(audit, exchanged=audit.exchanged / 3))
    assert set(key[key["group"] == "flagged"]["person"]) == set(range(8))


@pytest.mark.parametrize("changes", [{"flagged": MANY}, {"others": MANY}, {"controls": MANY}, {"flagged": 20, "others": 21}])
def test_too_few_people_are_refused(audit, changes):
    with pytest.raises(PosekitError, match="people are too few for so many looks; draw fewer"):
        drawn(audit, **changes)


def shown(audit, folder, row):
    sheets.write(audit, pd.DataFrame([row]), folder)
    picture = np.asarray(Image.open(folder / "sheet-01.png"), int)[sheets.HEAD : sheets.HEAD + sheets.SIDE]
    return picture[:, : sheets.SIDE], picture[:, sheets.SIDE : 2 * sheets.SIDE]


def close(a, b):
    return np.abs(a - b).mean() < 2


ROW = {"number": 1, "person": 4, "group": "flagged", "probability": 0.5, "kind": "", "planted": "", "label": "A", "look": 1}


def test_label_and_prediction_change_places(audit, tmp_path):
    moved = np.array(audit.people.keypoints)
    moved[..., 0] += 15
    other = replace(audit, people=replace(audit.people, keypoints=moved))
    (a, b), (c, d) = (shown(other, tmp_path, ROW | {"label": letter}) for letter in "AB")
    assert close(a, d) and close(b, c) and not close(a, b)


@pytest.mark.parametrize("kind", ["whole", "arms", "legs"])
def test_a_control_has_the_exchange_on_the_skeleton_that_it_says(audit, tmp_path, kind):
    label, prediction = shown(audit, tmp_path, ROW | {"group": "label planted", "planted": kind})
    other_label, other_prediction = shown(audit, tmp_path, ROW | {"group": "prediction planted", "planted": kind})
    assert not close(label, prediction) and close(label, other_prediction) and close(prediction, other_label)


def test_a_prediction_is_drawn_at_labelled_joints_only(audit, tmp_path):
    fewer = np.array(audit.people.keypoints)
    fewer[4, 3:] = (np.nan, np.nan, 0)
    label, prediction = shown(replace(audit, people=replace(audit.people, keypoints=fewer)), tmp_path, ROW)
    assert close(label, prediction)


def filled(audit, folder, **answers):
    key = drawn(audit)
    sheets.write(audit, key, folder)
    form = pd.read_csv(folder / sheets.FORM)
    form["A"], form["B"] = "right", "unknown"
    for column, values in answers.items():
        form[column] = values
    form.to_csv(folder / sheets.FORM, index=False)
    return key


def test_verdicts_are_read_back_and_kept(audit, tmp_path):
    key = filled(audit, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.csv", "sheet-01.png", "sheet-02.png", "sheet-03.png", "verdicts.csv"]
    looks = verdicts.read(tmp_path)
    assert ((looks["label"] == "right") == (key["label"] == "A")).all() and (
        (looks["prediction"] == "right") == (key["label"] == "B")
    ).all()
    verdicts.keep(looks, audit, tmp_path / "kept.json", "a test")
    assert verdicts.kept(tmp_path / "none.json") is None
    found = verdicts.kept(tmp_path / "kept.json")
    flagged = int((audit.exchanged > 0.5).sum())
    assert (found["people"], found["total"], found["viewer"]) == (MANY, {"flagged": flagged, "others": MANY - flagged}, "a test")
    assert "annotation" not in (tmp_path / "kept.json").read_text() and found["flagged"]["looked at"] == 8


@pytest.mark.parametrize("answer", ["", "Right", "wrong", "exchanged", 1, "right;arms"])
def test_an_answer_that_is_none_is_named(audit, tmp_path, answer):
    filled(audit, tmp_path, A=["right"] * 26 + [answer])
    with pytest.raises(PosekitError, match=r"verdicts.csv: number 27 has A '.*'; it is one of right, whole"):
        verdicts.read(tmp_path)


@pytest.mark.parametrize("numbers", [[1] * 27, list(range(27)), [*range(1, 27), 1]])
def test_a_form_of_other_sheets_is_refused(audit, tmp_path, numbers):
    filled(audit, tmp_path, number=numbers)
    with pytest.raises(PosekitError, match=r"numbers are not those of key\.csv"):
        verdicts.read(tmp_path)


@pytest.mark.parametrize("name", ["key.csv", "verdicts.csv"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"", "cannot be read: No columns"),
        (b"\xff\xfe\x00", "cannot be read: .*utf-8"),
        (b"number;person;A;B\n1;2;right;right\n", "has no column 'number'; save it as a table with commas between number, "),
    ],
)
def test_a_table_that_is_none_is_named(audit, tmp_path, name, content, says):
    """Spreadsheets of many countries put semicolons in place of commas."""
    filled(audit, tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    with pytest.raises(PosekitError, match=f"{name}: {says}"):
        verdicts.read(tmp_path)


def looks(*rows):
    """Rows of (count, group, probability, planted, label, prediction), each of people of their own."""
    found = [[group, probability, "whole", planted, 1, label, prediction] for count, *rest in rows for group, probability, planted, label,
             prediction in [rest] * count]  # fmt: skip
    return pd.DataFrame([[str(i), *row] for i, row in enumerate(found)], columns=verdicts.COLUMNS)


def wilson(hits, count, z=1.959964):
    middle, half = hits + z**2 / 2, z * np.sqrt(hits * (count - hits) / count + z**2 / 4)
    return (middle - half) / (count + z**2), (middle + half) / (count + z**2)


def test_shares_in_closed_form():
    table = looks(
        (30, "flagged", 0.9, "", "whole", "right"), (10, "flagged", 0.3, "", "arms", "right"),
        (5, "flagged", 0.3, "", "displaced", "right"),
        (15, "flagged", 0.3, "", "right", "whole"), (4, "flagged", 0.3, "", "unknown", "unknown"), (2, "others", 0.0, "", "pair", "right"),
        (48, "others", 0.0, "", "right", "right"), (8, "label planted", 0.0, "whole", "whole", "right"),
        (2, "label planted", 0.0, "arms", "right", "arms"), (9, "prediction planted", 0.0, "legs", "right", "legs"),
        (1, "prediction planted", 0.0, "legs", "unknown", "unknown"),
    )  # fmt: skip
    found = verdicts.summary(table, 100, 900)
    flagged = found["flagged"]
    assert (flagged["looked at"], flagged["unknown"], flagged["kinds"]["whole"]) == (64, 4, 30)
    assert (flagged["exchanged"]["hits"], flagged["wrong"]["hits"], flagged["network"]["hits"]) == (40, 45, 15)
    assert flagged["exchanged"]["n"] == 60 and found["sure"]["exchanged"]["mean"] == 1 and found["others"]["exchanged"]["mean"] == 0.04
    assert np.allclose([flagged["exchanged"]["low"], flagged["exchanged"]["high"]], wilson(40, 60))
    assert np.isclose(found["recall"]["mean"], (100 * 2 / 3) / (100 * 2 / 3 + 900 * 0.04))
    assert np.isclose(found["share"]["mean"], (100 * 2 / 3 + 900 * 0.04) / 1000) and found["controls"] == 20
    assert flagged["bounds"] == {"low": 40 / 64, "high": 44 / 64}
    assert (found["sensitivity"]["hits"], found["sensitivity"]["n"], found["alarms"]["hits"], found["alarms"]["n"]) == (17, 19, 2, 19)
    assert found["again"]["n"] == 0 and found["again"]["kappa"] is None


def test_second_looks_in_closed_form():
    table = looks((10, "flagged", 0.9, "", "whole", "right"), (10, "others", 0.0, "", "right", "right"))
    second = table.copy().assign(look=2)
    second.loc[:1, "label"], second.loc[2:4, "label"] = "right", "arms"  # arms for whole is the same verdict
    found = verdicts.summary(pd.concat([table, second]), 10, 10)["again"]
    assert (found["hits"], found["n"]) == (18, 20) and np.isclose(found["kappa"], (0.9 - 0.5) / 0.5)
    assert verdicts.summary(pd.concat([table[:3], table[:3].assign(look=2)]), 10, 10)["again"]["kappa"] is None  # one verdict throughout


def test_without_people_there_is_no_share():
    found = verdicts.summary(looks((3, "flagged", 0.9, "", "unknown", "right")), 3, 5)
    assert found["flagged"]["exchanged"]["mean"] is None and found["recall"]["mean"] is None and found["others"]["looked at"] == 0


counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, counts, st.integers(1, 1000), st.integers(1, 9000))
def test_a_recall_lies_in_its_interval(flagged, others, first, rest):
    found = verdicts.recall(verdicts.share(*flagged), verdicts.share(*others), first, rest)
    if flagged[0] + others[0]:
        assert 0 <= found["low"] <= found["mean"] + 1e-9 and found["mean"] - 1e-9 <= found["high"] <= 1
        a, b = flagged[0] / flagged[1], others[0] / others[1]
        assert np.isclose(found["mean"], first * a / (first * a + rest * b))
        share = verdicts.of_all(verdicts.share(*flagged), verdicts.share(*others), first, rest)
        assert 0 <= share["low"] <= share["mean"] + 1e-9 and share["mean"] - 1e-9 <= share["high"] <= 1
    else:
        assert found["mean"] is None
