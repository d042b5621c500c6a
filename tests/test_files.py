"""Files are written whole or not at all, and say why where they cannot be."""

import errno
import hashlib
import json
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posekit import files
from posekit.errors import PosekitError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=["new", "old"])
def path(request, tmp_path):
    path = tmp_path / "a" / "file.json" if request.param == "new" else tmp_path / "file.json"
    if request.param == "old":
        path.write_text("before")
    return path


def left(path):
    return path.read_text() if path.exists() else None


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), PosekitError("mine"), KeyboardInterrupt(), ValueError("odd")])
def test_an_error_within_leaves_what_was_there(path, error):
    before = left(path)
    raised = PosekitError if isinstance(error, OSError) else type(error)
    with pytest.raises(raised), files.atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert left(path) == before
    assert not list(path.parent.glob("*.tmp"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_says_what_to_do(path, monkeypatch, code, where):
    before = left(path)

    def full(*_):
        raise OSError(code, "no room")

    monkeypatch.setattr(*((os, "fsync") if where == "fsync" else ("pathlib.Path.replace",)), full)
    with pytest.raises(PosekitError) as told, files.replacing(path, "go on") as temporary:
        temporary.write_text("after")
    assert str(told.value) == f"{path}: could not be written: no room; the disk is full: free some room and go on"
    assert left(path) == before and not list(path.parent.glob("*.tmp"))


def test_other_failures_advise_no_room(tmp_path):
    with pytest.raises(PosekitError, match=r"could not be written: Is a directory$"):
        files.write_text(tmp_path, "text")
    (tmp_path / "file").touch()
    with pytest.raises(PosekitError, match="could not be written"):
        files.write_text(tmp_path / "file" / "below", "text")
    with pytest.raises(PosekitError, match="could not be written"):
        files.write_text(tmp_path / ("x" * 300), "text")


def test_the_longest_names_can_be_written(tmp_path):
    files.write_text(tmp_path / ("x" * 255), "text")
    assert (tmp_path / ("x" * 255)).read_text() == "text"


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no /dev/null here")
def test_what_is_no_file_is_written_to_as_it_is():
    files.write_text("/dev/null", "text")
    assert not os.path.isfile("/dev/null")


@given(VALUES)
def test_plain_is_json_and_stays_so(value):
    once = files.plain(value)
    assert files.plain(once) == once
    assert json.loads(json.dumps(once, allow_nan=False)) == once


@pytest.mark.parametrize("value", [np.float32(0.5), np.array([[1, 2]]), torch.tensor([0.5]), (1, 2), np.bool_(True), {1: float("inf")}])
def test_json_comes_back(tmp_path, value):
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == files.plain(value)


@pytest.mark.parametrize("content", ["", "{", "[1,", "\x00", '{"a": NaN'])
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(PosekitError, match=r"a\.json: not a whole JSON file"):
        files.read_json(tmp_path / "a.json")


@given(st.binary(max_size=99))
def test_a_files_hash_is_that_of_its_content(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("hash") / "file"
    path.write_bytes(content)
    assert files.file_hash(path) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("a", "b", "same"), [
    ("x = 1  # one", "x=1", True), ('"""Says."""\nx = 1', "x = 1", True), ("x = 1", "x = 2", False), ("%magic a", "%magic b", False),
])  # fmt: skip
def test_a_codes_hash_is_of_what_it_does(a, b, same):
    assert (files.code_hash(a) == files.code_hash(b)) is same
