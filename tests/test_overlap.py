"""Who was trained on is known afterwards: sets of pictures in a few bytes, and how many people of others are in them."""

import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
import tiny_data
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import RECIPE
from rich.console import Console

import posekit
from posekit import Backend, HourglassConfig, crops, load_people
from posekit.data.stored import seen
from posekit.engine import weights
from posekit.engine.evaluation import evaluate, print_table
from posekit.engine.learning.fitting import fit, fit_parts
from posekit.engine.overlap import overlap, trained_on, words
from posekit.workflow.words import seen as clause

CONFIG = HourglassConfig.narrow(8, joints=17, depth=1)
ONCE = dataclasses.replace(RECIPE, epochs=1, batch=4)
PLAIN = Backend.plain()
WIDE = np.uint64(2**seen.BITS - 1)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=200))
@settings(max_examples=50)
def test_a_set_is_unpacked_as_it_was(numbers):
    numbers = np.array(numbers, np.uint64)
    kept = json.loads(json.dumps(seen.pack(numbers)))
    found = seen.unpack(kept)
    assert np.array_equal(found, np.unique(numbers[numbers != 0] & WIDE)) and kept["pictures"] == len(found)
    assert np.array_equal(seen.among(numbers, found), numbers != 0)


@pytest.mark.parametrize(("count", "most"), [(1_000, 6_000), (60_000, 250_000)])
def test_sets_are_small_and_take_nobody_for_another(count, most):
    numbers, others = np.random.default_rng(0).integers(1, 2**64, (2, count), np.uint64)
    kept = seen.pack(numbers)
    assert len(json.dumps(kept)) < most
    assert seen.among(numbers, seen.unpack(kept)).all() and not seen.among(others, seen.unpack(kept)).any()


def folder_of(path, people, pictures):
    """A COCO folder whose train file has `people` people on so many pictures, in turn."""
    given = []
    for i in range(people):
        x = 10 * (i // pictures)  # of several people on a picture each stands elsewhere
        joints = [number for j in range(17) for number in (x + 10 + j, 12 + j, 2)]
        given.append(tiny_data.coco_person(i + 1, image=i % pictures + 1, keypoints=joints, bbox=[x + 8, 10, 20, 21]))
    return tiny_data.coco(path, given, images=range(1, pictures + 1))


def cut(spec, cache, size=48):
    return crops(load_people(spec), size, cache)


def test_the_file_that_a_split_is_drawn_from_holds_all_of_it(tmp_path):
    data = folder_of(tmp_path / "coco", 60, 20)
    whole, train, test = (cut(f"coco:{data}@{name}", tmp_path) for name in ("train2017", "train", "test"))
    path = fit(CONFIG, ONCE, whole, test, tmp_path / "whole", backend=PLAIN)
    assert len(test) > 0 and weights.load(path)[1].metrics["overlap"] == {"people": len(test), "complete": True}
    result = evaluate(path, f"coco:{data}@test", cache=tmp_path, backend=PLAIN)
    assert result["overlap"] == {"people": len(test), "complete": True}
    line = f"{len(test)} of these {len(test)} people are in pictures that whole was trained on; new people score lower"
    assert line in result._repr_html_() and said(result).count(line) == 1
    path = fit(CONFIG, ONCE, train, test, tmp_path / "own", backend=PLAIN)
    result = evaluate(path, f"coco:{data}@test", cache=tmp_path, backend=PLAIN, against=tmp_path / "whole")
    assert result["overlap"] == {"people": 0, "complete": True} and result["against"]["overlap"]["people"] == len(test)
    assert "nobody of them is in a picture that own was trained on" in said(result) and line in said(result)


def said(result):
    console = Console(file=io.StringIO(), width=200)
    print_table(result, console)
    return console.file.getvalue()


def card(**known):
    return dataclasses.replace(weights.load("mannequins-hg1")[1], **known)


def test_pictures_are_known_by_what_they_show_wherever_they_lie(tmp_path):
    """Under other names and folders, annotated anew, another person of the same picture: not others of the same name."""
    data = folder_of(tmp_path / "coco", 10, 10)
    known = card(trained_on=trained_on(cut(f"coco:{data}@train2017", tmp_path)))
    moved = tiny_data.coco(tmp_path / "moved", [tiny_data.coco_person(i, image=i, bbox=[5, 5, 30, 30]) for i in range(1, 11)], "val2017")
    for path in sorted((moved / "val2017").iterdir())[:4]:
        shutil.copyfile(data / "train2017" / path.name, path)
    assert overlap(known, cut(f"coco:{moved}@val2017", tmp_path))["people"] == 4
    crowded = folder_of(tmp_path / "crowded", 25, 10)  # the same pictures, with more people
    assert overlap(known, cut(f"coco:{crowded}@train2017", tmp_path))["people"] == 25
    for path in (crowded / "train2017").iterdir():
        tiny_data.picture(path, seed=1000)
    assert overlap(known, cut(f"coco:{crowded}@train2017", tmp_path))["people"] == 0


@pytest.mark.parametrize(("spec", "people"), [
    ("mannequins:20,size=40", 20), ("mannequins:30,size=40@train", 16), ("mannequins:20,size=56@all", 20),
    ("mannequins:20,size=40,seed=1", 0),
])  # fmt: skip
def test_mannequins_are_known_at_every_size(tmp_path, spec, people):
    known = card(trained_on=trained_on(cut("mannequins:20,size=40", tmp_path, 40)))
    assert overlap(known, cut(spec, tmp_path, 40))["people"] == people


def test_a_selection_has_its_own_pictures(tmp_path):
    store = cut("mannequins:20,size=40", tmp_path, 40)
    known = card(trained_on=trained_on(store.select(slice(0, 20, 2))))
    assert overlap(known, store.select(slice(7))) == {"people": 4, "complete": True}


def test_what_a_training_began_with_counts(tmp_path):
    old, new, judges = (cut("mannequins:30,size=40", tmp_path, 40).select(part) for part in (slice(10), slice(10, 20), slice(20, 30)))
    first = fit(CONFIG, ONCE, old, judges, tmp_path / "first", backend=PLAIN)
    second = weights.load(fit(CONFIG, ONCE, new, judges, tmp_path / "second", start=first, backend=PLAIN))[1]
    assert [overlap(second, part)["people"] for part in (old, new, judges)] == [10, 10, 0] and second.trained_on["complete"]
    network, before = weights.load(first)
    weights.save(tmp_path / "silent.safetensors", network, dataclasses.replace(before, trained_on={}))
    third = weights.load(fit(CONFIG, ONCE, new, judges, tmp_path / "third", start=tmp_path / "silent.safetensors", backend=PLAIN))[1]
    assert overlap(third, judges) == {"people": 0, "complete": False}
    assert words("third", overlap(third, judges), 10) == [
        "nobody of them is in a picture that third was trained on; of a network that it began with or learnt from that is not known"
    ]


def test_fitted_networks_keep_it_too(tmp_path):
    pytest.importorskip("skimage", reason="needs the extra 'parts'")
    store = cut("mannequins:12,size=40", tmp_path, 40)
    found = posekit.load(fit_parts(store, store, tmp_path / "parts", resolution=32, mixtures=1, backend=PLAIN)).card
    assert overlap(found, store) == {"people": 12, "complete": True} == found.metrics["overlap"]


def test_a_card_that_does_not_say_is_silent(tmp_path):
    result = evaluate("mannequins-hg1", "mannequins:10,size=40", cache=tmp_path, backend=PLAIN)
    assert result["overlap"] is None and "trained on" not in said(result)


def test_a_chapter_says_what_is_known(tmp_path):
    store = cut("mannequins:20,size=40", tmp_path, 40)
    train, others = (store.select(part) for part in (store.people.splits == "train", store.people.splits != "train"))
    known = card(trained_on=trained_on(train))
    assert clause(known, others) == "none of whom the network was trained on"
    assert clause(known, store) == "16 of whom are in pictures that the network was trained on"
    partly = card(trained_on=trained_on(train) | {"complete": False})
    for silent in (card(trained_on={}), partly):
        assert clause(silent, others) == "none of whom is in the training split"
    assert clause(card(trained_on={}), store) == "some of whom are in the training split"
