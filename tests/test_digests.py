import hashlib
import os
import threading
import time

import numpy as np
import pytest

from posekit.data.stored import digests as module
from posekit.data.stored.digests import digests


@pytest.fixture
def read(monkeypatch):
    """Which files are read."""
    files, real = [], module._digest
    monkeypatch.setattr(module, "_digest", lambda file: files.append(os.path.basename(file)) or real(file))
    return files


@pytest.fixture
def old(monkeypatch):
    """Files that were just written count as old."""
    monkeypatch.setattr(module, "COARSE", -1e9)


def write(folder, **contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_digest_is_of_the_content(tmp_path):
    folder = write(tmp_path / "a", one=b"1", two=b"2", again=b"1", empty=b"")
    one, two, again, empty, absent = digests(folder, np.array(["one", "two", "again", "empty", "absent"])).tolist()
    assert one == again == int.from_bytes(hashlib.sha256(b"1").digest()[:8], "little")
    assert len({one, two, empty, 0}) == 4 and absent == 0
    assert digests(write(tmp_path / "b", other=b"2"), np.array(["other"])).tolist() == [two]
    assert digests(folder, np.array([], str)).shape == (0,)


def test_a_file_is_read_once(tmp_path, read, old):
    folder, memory = write(tmp_path / "a", one=b"1", two=b"2"), tmp_path / "memory"
    names = np.array(["two", "one", "two", "absent"])
    first = digests(folder, names, memory)
    assert sorted(read) == ["one", "two"] and first[0] == first[2]
    read.clear()
    assert digests(folder, names, memory).tolist() == first.tolist() and not read
    assert digests(folder, names[1:2], memory).tolist() == first[1:2].tolist() and not read
    write(folder, three=b"3")
    digests(folder, np.array(["three"]), memory)
    assert read == ["three"]
    assert digests(f"{folder}/../a/", names, memory).tolist() == first.tolist() and read == ["three"]  # however the folder is written
    assert not [path for path in memory.iterdir() if path.suffix != ".npz"]


@pytest.mark.parametrize("puts_time_back", [False, True])
@pytest.mark.parametrize("how", ["in place", "renamed over"])
def test_a_replaced_file_of_the_same_length_is_read_anew(tmp_path, read, old, puts_time_back, how):
    folder, memory = write(tmp_path / "a", one=b"1", two=b"2"), tmp_path / "memory"
    before = digests(folder, np.array(["one", "two"]), memory)
    stat = (folder / "one").stat()
    read.clear()
    time.sleep(0.02)  # a tick of the file system's clock
    if how == "in place":
        (folder / "one").write_bytes(b"x")
    else:
        (folder / "new").write_bytes(b"x")
        os.replace(folder / "new", folder / "one")
    if puts_time_back:
        os.utime(folder / "one", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = digests(folder, np.array(["one", "two"]), memory)
    assert read == ["one"] and after[0] != before[0] and after[1] == before[1]


def test_what_changed_just_now_is_not_remembered(tmp_path, read):
    folder = write(tmp_path / "a", one=b"1")
    for _ in range(2):
        digests(folder, np.array(["one"]), tmp_path / "memory")
    assert read == ["one", "one"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", "half"])
def test_a_damaged_memory_costs_time_only(tmp_path, read, old, damage):
    folder, memory = write(tmp_path / "a", one=b"1", two=b"2"), tmp_path / "memory"
    names = np.array(["one", "two"])
    first = digests(folder, names, memory)
    (file,) = memory.iterdir()
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if damage == "half" else damage)
    read.clear()
    assert digests(folder, names, memory).tolist() == first.tolist() and len(read) == 2
    read.clear()
    assert digests(folder, names, memory).tolist() == first.tolist() and not read


def test_a_memory_that_cannot_be_written_costs_time_only(tmp_path, old):
    folder = write(tmp_path / "a", one=b"1")
    (tmp_path / "memory").write_text("a file, where a folder should be made")
    assert digests(folder, np.array(["one"]), tmp_path / "memory").tolist() == digests(folder, np.array(["one"])).tolist()


def test_several_at_a_time(tmp_path, old):
    folder = write(tmp_path / "a", **{f"n{i}": bytes([i]) * 100 for i in range(200)})
    names, results = np.array([f"n{i}" for i in range(200)]), []
    threads = [threading.Thread(target=lambda: results.append(digests(folder, names, tmp_path / "memory"))) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(results) == 4 and all(np.array_equal(result, digests(folder, names)) for result in results)
    assert len(list((tmp_path / "memory").iterdir())) == 1
