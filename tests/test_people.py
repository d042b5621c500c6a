import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_data
from hypothesis import given
from hypothesis import strategies as st

from posekit.data import held_out, load_people, rendered
from posekit.data.people import Check, existing, joints_box, parse_spec, sift
from posekit.errors import PosekitError


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("lspet:a/b@train", ("lspet", "a/b", "train")),
        ("coco:/x@y/z@val2017", ("coco", "/x@y/z", "val2017")),  # an @ in the path
        ("mannequins", ("mannequins", None, None)),
        ("mannequins:300,size=96,seed=2@test", ("mannequins", "300,size=96,seed=2", "test")),
        ("lspet:a@", ("lspet", "a", None)),
        ("coco:/x@y/z", ("coco", "/x@y/z", None)),  # no split has a slash
        ("coco:/home/me@work/photos/", ("coco", "/home/me@work/photos/", None)),
        ("coco:C:\\me@work\\photos@val", ("coco", "C:\\me@work\\photos", "val")),
        ("coco:C:\\me@work\\photos", ("coco", "C:\\me@work\\photos", None)),
        ("mannequins@test", ("mannequins", None, "test")),
        ("coco:a@b@val", ("coco", "a@b", "val")),
        ("coco:@val", ("coco", None, "val")),
        ("coco:photos@my labels", ("coco", "photos", "my labels")),
    ],
)
def test_spec(spec, parts):
    assert parse_spec(spec) == parts


def test_a_file_s_name_need_not_be_utf_8_for_a_fingerprint():
    named = [replace(tiny_data.people(1), names=np.array([name])) for name in ("caf\udce9.jpg", "caf\udcea.jpg")]
    assert len({people.fingerprint() for people in named}) == 2


@pytest.mark.parametrize("folder", ["me@work", "a@b@c", "photos@val"])
def test_a_folder_whose_name_has_an_at(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / folder / "in").mkdir(parents=True)
    for path in (folder, f"{folder}/", f"{folder}/in", f"./{folder}", f"~/{folder}", str(tmp_path / folder)):
        assert parse_spec(f"coco:{path}") == ("coco", path, None)
        assert parse_spec(f"coco:{path}@test") == ("coco", path, "test")


def test_an_at_that_may_be_either_is_refused_with_both_ways_to_write_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "photos@val"):
        (tmp_path / folder).mkdir()
    with pytest.raises(PosekitError, match=r"photos and photos@val are both there; write coco:photos@val/ or coco:photos/.@val") as caught:
        parse_spec("coco:photos@val")
    assert "\n" not in str(caught.value)
    assert parse_spec("coco:photos@val/") == ("coco", "photos@val/", None)
    assert parse_spec("coco:photos/.@val") == ("coco", "photos/.", "val")
    assert parse_spec("coco:photos/@val") == ("coco", "photos/", "val")
    assert parse_spec("coco:photos@val@val") == ("coco", "photos@val", "val")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nonsense", "no data set 'nonsense'; there are mannequins"),
        ("lspet", "lspet:FOLDER"),
        ("coco:absent", "absent: no such folder"),
        ("mpii:absent", "absent: no such folder"),
        ("lspet:absent", "absent: no such folder"),
        ("mannequins:many", "'many' is not understood"),
        ("mannequins:10,colour=3", "'colour=3' is not understood"),
        ("mannequins:0", "'0' is not understood"),
    ],
)
def test_wrong_specs_are_refused_in_one_line(spec, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PosekitError) as caught:
        load_people(spec)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", [None, Path("photographs/lspet"), 5, ["mannequins"], np.zeros((3, 2))])
@pytest.mark.parametrize("read", [load_people, parse_spec])
def test_what_is_no_text_is_no_spec(spec, read):
    says = f"a data spec is a string NAME[:PATH][@SPLIT], such as 'lspet:FOLDER@test', not a {type(spec).__name__}"
    with pytest.raises(PosekitError, match=re.escape(says)) as caught:
        read(spec)
    assert "\n" not in str(caught.value)


def test_an_unknown_split_names_those_there_are(tmp_path):
    tiny_data.mpii(tmp_path, [tiny_data.mpii_person()])
    with pytest.raises(PosekitError, match="no split 'test'; it has train, all"):
        load_people(f"mpii:{tmp_path}@test")
    assert len(load_people(f"mpii:{tmp_path}")) == len(load_people(f"mpii:{tmp_path}", default_split="train")) == 1


def test_importing_the_data_package_does_not_import_torch():
    code = "import sys, posekit.data; assert not {'torch', 'scipy', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_selection_keeps_rows_together():
    people = tiny_data.people(5)
    chosen = people[np.array([3, 1])]
    assert chosen.ids.tolist() == [4, 2] and chosen.names.tolist() == ["003", "001"]
    assert np.array_equal(chosen.keypoints, people.keypoints[[3, 1]], equal_nan=True)
    assert len(people.split("all")) == 5 and people.split("val").ids.tolist() == [3]


def test_a_number_selects_one_person():
    people = tiny_data.people(5)
    for one in (people[3], people[np.int64(3)], people[-2], list(people)[3]):
        assert len(one) == 1 and one.ids.tolist() == [4] and one.keypoints.shape == (1, 17, 3)
        assert one.fingerprint() == people[[3]].fingerprint() and "1 person" in repr(one)
    with pytest.raises(IndexError):
        people[5]


def test_fingerprint_follows_content():
    people = tiny_data.people(3)
    assert people.fingerprint() == tiny_data.people(3).fingerprint()
    others = {people[1:].fingerprint(), tiny_data.people(3, seed=1).fingerprint(), people.fingerprint()}
    assert len(others) == 3


def test_joints_box_is_tight_and_ignores_the_unlabelled():
    keypoints = np.array([[[1, 2, 2], [5, 9, 1], [np.nan, np.nan, 0]]])
    assert joints_box(keypoints).tolist() == [[1, 2, 4, 7]]


def test_sift_counts_each_person_once():
    hits = np.array([True, True, False, False]), np.array([False, True, True, False])
    checks = [Check(name, hit, lambda i, name=name: f"file: row {i} {name}") for name, hit in zip("ab", hits, strict=True)]
    keep, left_out = sift(4, checks, "skip")
    assert keep.tolist() == [False, False, False, True] and left_out == {"a": 2, "b": 1}
    with pytest.raises(PosekitError, match=r'file: row 0 a \(2 such people\); on_error="skip" \(--on-error skip\) goes on without$'):
        sift(4, checks, "raise")
    with pytest.raises(PosekitError, match="'raise' or 'skip'"):
        sift(4, checks, "ignore")


def test_existing_looks_in_subfolders(tmp_path):
    tiny_data.picture(tmp_path / "a" / "x.jpg")
    tiny_data.picture(tmp_path / "y.jpg")
    names = np.array(["a/x.jpg", "y.jpg", "x.jpg", "b/x.jpg", ""])
    assert existing(tmp_path, names).tolist() == [True, True, False, False, False]


def test_mannequins_are_rendered_once_and_found_again(tmp_path, monkeypatch):
    heard = []
    people = load_people("mannequins:20,size=32", cache=tmp_path, workers=1, progress=heard.append)
    assert len(people) == 20 and sum(heard) == 20 and people.source == "mannequins:20,size=32,seed=0"
    assert people.read(people.names[3]).shape == (32, 32, 3)
    assert all(values.shape == (20,) for values in people.factors.values()) and "heading" in people.factors
    assert np.isfinite(people.areas).all()
    assert {name: int((people.splits == name).sum()) for name in ("train", "val", "test")} == {
        "train": 16,
        "val": 2,
        "test": 2,
    }

    from posekit.data import mannequins

    monkeypatch.setattr(mannequins, "render_many", None)  # may not be called again
    again = load_people("mannequins:20,size=32@val", cache=tmp_path)
    assert again.ids.tolist() == [8, 18]
    assert again.fingerprint() == people.split("val").fingerprint()
    person = mannequins.render(8, size=32)
    assert np.allclose(again.keypoints[0], person.keypoints, equal_nan=True)
    assert np.abs(again.read("000008").astype(int) - person.picture).mean() < 6  # JPEG


def test_processes_render_the_same_for_a_script_without_a_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import posekit\nprint(posekit.load_people('mannequins:40,size=24', cache='own', workers=2).fingerprint())\n")
    done = subprocess.run([sys.executable, "-W", "error", script.name], cwd=tmp_path, capture_output=True, text=True)
    alone = load_people("mannequins:40,size=24", cache=tmp_path / "alone", workers=1)
    assert (done.stdout, done.stderr) == (f"{alone.fingerprint()}\n", "")
    written = [[path.read_bytes() for path in sorted((tmp_path / cache).rglob("*.*")) if path.is_file()] for cache in ("own", "alone")]
    assert written[0] == written[1]


def test_a_process_of_the_renderer_that_dies_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(rendered, "WORKER", "import pickle, sys; pickle.load(sys.stdin.buffer)")
    with pytest.raises(PosekitError, match="one of its processes ended before its time"):
        load_people("mannequins:40,size=24", cache=tmp_path, workers=2)


def test_rendering_that_is_left_leaves_no_process(monkeypatch):
    started = []
    popen = rendered.subprocess.Popen
    monkeypatch.setattr(rendered.subprocess, "Popen", lambda *given, **named: started.append(popen(*given, **named)) or started[-1])
    people = rendered._render(list(range(64)), 0, 16, 2)
    next(people)
    people.close()
    assert len(started) == 2 and all(process.returncode is not None for process in started)


def test_another_renderer_renders_anew(monkeypatch, tmp_path):
    people = rendered.load("2,size=16", cache=tmp_path, workers=1)
    monkeypatch.setattr(rendered, "renderer_version", lambda: "another")
    other = rendered.load("2,size=16", cache=tmp_path, workers=1)
    assert len(list((tmp_path / "pictures").iterdir())) == 2
    assert people.fingerprint() != other.fingerprint()


@given(count=st.integers(0, 12), seed=st.integers(0, 5))
def test_at_most_so_many_are_drawn_and_keep_their_order(count, seed):
    people = tiny_data.people(9)
    drawn = people.at_most(count, seed)
    assert len(drawn) == min(count, 9) and drawn.ids.tolist() == sorted(set(drawn.ids.tolist()))
    assert drawn.ids.tolist() == people.at_most(count, seed).ids.tolist()
    assert people.at_most(None) is people
    if 0 < count < 9:
        assert len({tuple(people.at_most(count, other).ids) for other in range(20)}) > 1


def test_held_out_people_are_outside_the_training_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    everybody = load_people("mannequins:20,size=40")
    others = everybody.ids[everybody.splits != "train"]
    assert held_out("mannequins:20,size=40").ids.tolist() == others.tolist()
    assert {*held_out("mannequins:20,size=40", 2, 1).ids} < {*others}
    assert {*held_out("mannequins:20,size=40@train").splits} == {"train"}
    assert len(held_out("mannequins:20,size=40@all")) == 20
    monkeypatch.setattr("posekit.data.load_people", lambda spec, on_error: everybody.split("train"))
    assert {*held_out("mannequins:20,size=40").splits} == {"train"}, "nobody else is there"
