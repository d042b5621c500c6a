import errno
import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import tiny_data
from PIL import Image

from posekit.coordinates import CONTEXT, MARGIN, cropping, person_square, transform
from posekit.data import crops as module
from posekit.data.crops import crops, cut
from posekit.data.pictures import Folder
from posekit.data.stored import shards
from posekit.errors import PosekitError


def test_crops_follow_people(tmp_path):
    people = tiny_data.people(70)
    heard = []
    stored = crops(people, 40, tmp_path, progress=heard.append)
    assert len(stored) == 70 and sum(heard) == 70
    centres, sides = person_square(people.boxes, MARGIN * CONTEXT)
    for i in (0, 33, 69):
        wanted = cut(people.read(people.names[i]), centres[i], sides[i], 40)
        assert np.abs(stored[i].astype(int) - wanted).mean() < 4  # JPEG
        assert np.allclose(stored.matrices[i], cropping(centres[i], sides[i], 40))
    moved = transform(stored.matrices, people.keypoints[..., :2])
    assert np.allclose(stored.keypoints[..., :2], moved, atol=1e-3, equal_nan=True)
    assert (stored.keypoints[..., 2] == people.keypoints[..., 2]).all()
    chosen = stored.select(np.array([9, 2]))
    assert np.array_equal(chosen[1], stored[2]) and chosen.people.ids.tolist() == [10, 3]
    assert (chosen.people.read is people.read) and len(chosen) == 2


def test_found_again_without_reading_a_picture(tmp_path):
    people = tiny_data.people(20)
    first = crops(people, 32, tmp_path)
    people.read.reads = 0
    again = crops(people, 32, tmp_path)
    assert people.read.reads == 0 and np.array_equal(first[7], again[7])
    crops(people, 24, tmp_path)
    assert people.read.reads > 0


def test_a_split_is_taken_from_the_whole(tmp_path):
    people = tiny_data.people(20)
    whole = crops(people, 32, tmp_path)
    people.read.reads = 0
    mixed = people[np.array([7, 3, 11])]
    part = crops(mixed, 32, tmp_path)
    assert people.read.reads == 0 and part.people.ids.tolist() == [8, 4, 12]
    assert np.array_equal(part[0], whole[7]) and np.array_equal(part.matrices[2], whole.matrices[11])


def test_changed_people_are_cut_anew(tmp_path):
    people = tiny_data.people(5)
    crops(people, 32, tmp_path)
    people.read.reads = 0
    crops(replace(people, boxes=people.boxes + np.array([0, 0, 1, 1])), 32, tmp_path)
    assert people.read.reads == 5
    crops(replace(people, version="another renderer"), 32, tmp_path)
    assert people.read.reads == 10


def test_large_stores_are_found_quickly_and_memory_is_bounded(tmp_path, monkeypatch):
    """No more crops are in the air than a few chunks, however many people there are."""
    monkeypatch.setattr(module, "CHUNK", 4)
    lock, alive, most = threading.Lock(), 0, 0
    real_chunk = module._cut_chunk

    def counted(*arguments):
        nonlocal alive, most
        with lock:
            alive += 4
            most = max(most, alive)
        return real_chunk(*arguments)

    monkeypatch.setattr(module, "_cut_chunk", counted)

    def hear(count):
        nonlocal alive
        with lock:
            alive -= count

    crops(tiny_data.people(200), 16, tmp_path, workers=2, progress=hear)
    assert most <= 4 * 8


@pytest.fixture
def photographs(tmp_path):
    """Four people on four files, and their table."""
    people = tiny_data.people(4)
    for name, picture in people.read.pictures.items():
        (tmp_path / "photographs").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "photographs" / f"{name}.png")
    names = np.array([f"{name}.png" for name in people.names])
    return replace(people, names=names, read=Folder(str(tmp_path / "photographs")))


def test_other_pixels_under_the_same_names_are_cut_anew(photographs, tmp_path):
    first = crops(photographs, 32, tmp_path)
    copy = replace(photographs, read=Folder(str(shutil.copytree(tmp_path / "photographs", tmp_path / "copy"))))
    os.utime(tmp_path / "copy" / "002.png", (0, 0))
    again = crops(copy, 32, tmp_path)
    assert again.store.folder == first.store.folder  # a copy of the same files, elsewhere and of another time
    Image.fromarray(np.full((48, 64, 3), 200, np.uint8)).save(tmp_path / "copy" / "002.png")
    other = crops(copy, 32, tmp_path)
    assert other[2].max() > 190 and (other[2] == 200).any() and not np.array_equal(other[2], first[2])
    assert np.array_equal(other[1], first[1]) and np.array_equal(first[2], crops(photographs, 32, tmp_path)[2])
    both = photographs[[0, 2]]  # a part of the whole follows the files too
    assert np.array_equal(crops(both, 32, tmp_path)[1], first[2])
    assert np.array_equal(crops(replace(both, read=copy.read), 32, tmp_path)[1], other[2])


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".tif"])
@pytest.mark.parametrize("keeps_time", [False, True])
def test_pictures_replaced_by_others_of_as_many_bytes_are_cut_anew(photographs, tmp_path, suffix, keeps_time):
    folder = tmp_path / "photographs"
    for name in photographs.names:
        Image.open(folder / name).save((folder / name).with_suffix(suffix))
    people = replace(photographs, names=np.array([name.replace(".png", suffix) for name in photographs.names]))
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    first = crops(people, 32, tmp_path)
    file = folder / people.names[1]
    before = file.stat()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(file)
    assert file.stat().st_size == before.st_size
    if keeps_time:  # as `rsync -t` and `cp -p` do
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = crops(people, 32, tmp_path)
    assert not second[1].any() and first[1].any()
    assert all(np.array_equal(first[i], second[i]) for i in (0, 2, 3))


def halve(path):
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "no such picture"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (halve, "not a whole picture"),
    ],
)
def test_unreadable_pictures(photographs, tmp_path, damage, says):
    file = tmp_path / "photographs" / "002.png"
    whole = file.read_bytes()
    damage(file)
    with pytest.raises(PosekitError) as caught:
        crops(photographs, 32, tmp_path)
    message = str(caught.value)
    assert says in message and "person 3 of memory" in message and str(file) in message and "\n" not in message
    assert message.endswith('; on_error="skip" (--on-error skip) goes on without')
    stored = crops(photographs, 32, tmp_path, on_error="skip")
    assert stored.people.ids.tolist() == [1, 2, 4] and len(stored) == 3
    assert stored.people.left_out == {"with an unreadable picture": 1} and not photographs.left_out
    with pytest.raises(PosekitError, match="person 3"):  # the store does not hide it from who wants to know
        crops(photographs, 32, tmp_path)
    file.write_bytes(whole)
    assert len(crops(photographs, 32, tmp_path)) == 4  # put right, and made again


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ([200, 10, 20, 20], "lies outside the 64 x 48 pixels"),
        ([-30, -30, 29, 29], "lies outside the 64 x 48 pixels"),
        ([10, 10, 0, 0], "no area"),
        ([10, 10, -5, 20], "no area"),
        ([np.nan, 10, 5, 20], "no area"),
    ],
)
def test_boxes_that_cannot_be_cut(photographs, tmp_path, box, says):
    boxes = photographs.boxes.copy()
    boxes[1] = box
    people = replace(photographs, boxes=boxes)
    with pytest.raises(PosekitError) as caught:
        crops(people, 32, tmp_path)
    assert says in str(caught.value) and "person 2 of memory" in str(caught.value)
    stored = crops(people, 32, tmp_path, on_error="skip")
    assert stored.people.ids.tolist() == [1, 3, 4] and sum(stored.people.left_out.values()) == 1
    assert np.isfinite(stored.matrices).all()


@pytest.mark.parametrize("size", ["160", 0, -3, 160.0, None, True])
def test_a_size_that_is_none(tmp_path, size):
    with pytest.raises(PosekitError, match=f"size is {size!r}; it is how many pixels a crop has a side") as caught:
        crops(tiny_data.people(3), size, tmp_path)
    assert "\n" not in str(caught.value)
    assert len(crops(tiny_data.people(3), np.int64(16), tmp_path)) == 3


def test_what_is_not_people(tmp_path):
    with pytest.raises(PosekitError, match=r"people is the data spec 'lspet:photographs'; .*posekit.load_people"):
        crops("lspet:photographs", 160, tmp_path)
    for other in (None, crops(tiny_data.people(3), 16, tmp_path), np.zeros((3, 2))):
        with pytest.raises(PosekitError, match=f"people is a {type(other).__name__}; .*posekit.load_people") as caught:
            crops(other, 160, tmp_path)
        assert "\n" not in str(caught.value)


def test_one_several_and_none_of_them(tmp_path):
    stored = crops(tiny_data.people(5), 16, tmp_path)
    for one in (stored.select(3), stored.select(np.int64(-2))):
        assert len(one) == 1 and one.people.ids.tolist() == [4] and one.keypoints.shape == (1, 17, 3)
        assert np.array_equal(one[0], stored[3]) and np.array_equal(one[np.int64(0)], stored[3]) and "<img" in one._repr_html_()
    for several in (slice(3), [0, 2], np.array([0, 2]), np.ones(5, bool)):
        with pytest.raises(PosekitError, match=r"crops\[\.\.\.\] takes one number; select chooses several"):
            stored[several]
    assert len(list(stored)) == 5
    none = stored.select([])
    assert len(none) == 0 and "0 people" in repr(none) and "0 people" in none._repr_html_() and "<img" not in none._repr_html_()


def test_nobody(tmp_path):
    with pytest.raises(PosekitError, match="nobody"):
        crops(tiny_data.people(3)[:0], 32, tmp_path)


def test_everybody_left_out(photographs, tmp_path):
    people = replace(photographs, boxes=np.zeros((4, 4)))
    with pytest.raises(PosekitError, match=r"nobody could be cut out.*4 whose box has no area"):
        crops(people, 32, tmp_path, on_error="skip")


def flip_a_byte(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x10
    file.write_bytes(data)


def test_damaged_bytes_are_found(tmp_path):
    people = tiny_data.people(3)
    folder = crops(people, 32, tmp_path).store.folder
    flip_a_byte(folder / "shard-00000.jpegs")
    stored = crops(people, 32, tmp_path)
    with pytest.raises(PosekitError, match=r"shard-00000.jpegs: picture 1 is damaged on disk; delete"):
        [stored[i] for i in range(3)]


def test_a_table_of_something_else_is_found(tmp_path):
    people = tiny_data.people(3)
    folder = crops(people, 32, tmp_path).store.folder
    np.savez(folder / "shard-00000.npz", spans=np.zeros((3, 4), np.int64))
    for some in (people, people[:2]):  # the store itself, and one that could serve
        with pytest.raises(PosekitError, match=r"shard-00000.npz: not a whole table .*; delete"):
            crops(some, 32, tmp_path)


@pytest.mark.parametrize("aspect", [0, -1, np.nan, np.inf, True, "3:4", None])
def test_an_aspect_that_is_none_is_refused(tmp_path, aspect):
    with pytest.raises(PosekitError, match=r"aspect is .*; it is a network input's width over its height, above 0"):
        crops(tiny_data.people(2), 32, tmp_path, aspect=aspect)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keypoints": np.ones((3, 14, 3))}, r"memory: keypoints is no array of shape \(3, 17, 3\), which 3 people have"),
        ({"keypoints": np.ones((2, 17, 3))}, "memory: keypoints is no array of shape"),
        ({"keypoints": np.ones((3, 17, 2))}, "memory: keypoints is no array of shape"),
        ({"boxes": np.ones((2, 4))}, r"memory: boxes is no array of shape \(3, 4\)"),
        ({"boxes": [[1, 2, 3, 4]] * 3}, "memory: boxes is no array of shape"),
        (
            {"keypoints": np.full((3, 17, 3), [1, np.nan, 1])},
            r"person \d+ of memory: nose is labelled and lies at \[1.0, nan\]; its flag is 0",
        ),
        ({"names": ["000", "001", "002"]}, "memory: names is no array of text"),
        ({"names": np.array(["000", "001", "002"], object)}, "memory: names is no array of text"),
    ],
)
def test_people_whose_columns_do_not_fit_are_refused(tmp_path, changes, says):
    with pytest.raises(PosekitError, match=says):
        crops(replace(tiny_data.people(3), **changes), 32, tmp_path)


@pytest.mark.parametrize("file", ["shard-00000.jpegs", "shard-00000.npz"])
@pytest.mark.parametrize("damage", [halve, lambda path: path.write_bytes(b"")])
def test_cut_off_stores_are_found(tmp_path, file, damage):
    people = tiny_data.people(3)
    folder = crops(people, 32, tmp_path).store.folder
    damage(folder / file)
    with pytest.raises(PosekitError, match=f"{file}: .*delete"):
        crops(people, 32, tmp_path)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD", 8)


def test_a_full_disk_is_told_and_resumed(tmp_path, monkeypatch, small_shards):
    people = tiny_data.people(30)
    real_fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 4:  # two shards are whole by then
            raise OSError(errno.ENOSPC, "No space left on device")
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PosekitError, match=r"No space left on device; the disk is full: free some room and run it again") as caught:
        crops(people, 32, tmp_path, workers=1)
    assert "\n" not in str(caught.value)
    (folder,) = (tmp_path / "crops").iterdir()
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [
        "shard-00000.jpegs", "shard-00000.npz", "shard-00001.jpegs", "shard-00001.npz",
    ]  # fmt: skip
    monkeypatch.setattr(os, "fsync", real_fsync)
    people.read.reads, heard = 0, []
    stored = crops(people, 32, tmp_path, progress=heard.append)
    assert people.read.reads == 14 and sum(heard) == 30
    whole = crops(people, 32, tmp_path / "elsewhere")
    assert all(np.array_equal(stored[i], whole[i]) for i in range(30))


def test_a_full_disk_at_the_first_byte(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    with pytest.raises(PosekitError, match="No space left"):
        crops(tiny_data.people(3), 32, tmp_path)


def test_an_interrupted_build_resumes(tmp_path, small_shards):
    people = tiny_data.people(30)
    done = []

    def interrupt(count):
        done.append(count)
        if len(done) == 19:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crops(people, 32, tmp_path, progress=interrupt)
    (folder,) = (tmp_path / "crops").iterdir()
    assert not list(folder.glob("*.tmp")) and len(list(folder.glob("*.npz"))) == 2
    (folder / "shard-00002.jpegs").write_bytes(b"renamed, but the power went off before its table stood")
    (folder / "shard-00003.npz.tmp").write_bytes(b"left by a killed process")
    people.read.reads = 0
    stored = crops(people, 32, tmp_path)
    assert people.read.reads == 14 and not list(folder.glob("*.tmp"))
    whole = crops(people, 32, tmp_path / "elsewhere")
    assert all(np.array_equal(stored[i], whole[i]) for i in range(30))
    assert np.array_equal(stored.keypoints, whole.keypoints, equal_nan=True)


def test_two_builders_do_not_disturb_each_other(tmp_path, small_shards):
    people = tiny_data.people(30)
    results = []
    threads = [threading.Thread(target=lambda: results.append(crops(people, 32, tmp_path))) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(results) == 3 and all(np.array_equal(result[29], results[0][29]) for result in results)
    assert people.read.reads == 30


def test_what_an_error_does_is_one_of_two(tmp_path):
    with pytest.raises(PosekitError, match="on_error is 'raise' or 'skip', not 'ignore'"):
        crops(tiny_data.people(2), 32, tmp_path, on_error="ignore")
