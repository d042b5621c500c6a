import numpy as np
import pytest
import tiny_data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from posekit.data import load_people
from posekit.data.readers import duplicates


def scene(seed, width=160, height=120):
    """A picture of soft blots, unlike that of any other seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def smaller(image):
    return image.resize((97, 73))


def brighter(image):
    return image.point(lambda v: min(255, round(v * 1.2 + 10)))


def cropped(image):
    return image.crop((2, 1, image.width - 1, image.height - 2))


def grey(image):
    return image.convert("L")


def blurred(image):
    return image.filter(ImageFilter.GaussianBlur(2))


@pytest.mark.parametrize("change", [smaller, brighter, cropped, grey, blurred])
def test_what_shows_the_same_is_one_group_and_what_does_not_is_none(tmp_path, change):
    files = []
    for number in range(6):
        scene(number).save(tmp_path / f"{number}.jpg", quality=90)
        files.append(tmp_path / f"{number}.jpg")
    change(scene(4)).save(tmp_path / "again.jpg", quality=60)
    group = duplicates.groups([*files, tmp_path / "again.jpg"], tmp_path / "cache")
    assert group[-1] == group[4] and len(set(group.tolist())) == 6


def test_blank_and_broken_pictures_are_like_no_other(tmp_path):
    for number in range(3):
        Image.new("RGB", (40, 30), "black").save(tmp_path / f"{number}.jpg")
    (tmp_path / "3.jpg").write_bytes(b"no picture")
    group = duplicates.groups(sorted(tmp_path.glob("*.jpg")), tmp_path / "cache")
    assert len(set(group.tolist())) == 4
    assert duplicates.groups([], tmp_path).tolist() == []


def test_small_copies_are_kept_and_follow_the_files(tmp_path):
    for number in range(2):
        scene(number).save(tmp_path / f"{number}.png")
    files = sorted(tmp_path.glob("*.png"))
    cache = tmp_path / "cache"
    assert len(set(duplicates.groups(files, cache).tolist())) == 2
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.npy")}
    duplicates.groups(files, cache)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.npy")} == before and len(before) == 1
    scene(0).resize((80, 60)).save(files[1])
    assert len(set(duplicates.groups(files, cache).tolist())) == 1


@given(st.lists(st.tuples(st.sampled_from(duplicates.ORDER), st.integers(0, 5)), max_size=30))
def test_a_group_is_on_one_side_and_only_towards_training(pairs):
    splits = np.array([split for split, _ in pairs], dtype="<U5")
    group = np.unique(np.array([number for _, number in pairs], int), return_inverse=True)[1]
    new, moved = duplicates.on_one_side(splits, group)
    assert all(len(set(new[group == number].tolist())) == 1 for number in set(group.tolist()))
    ranks = [[duplicates.ORDER.index(name) for name in names.tolist()] for names in (splits, new)]
    assert all(after <= before for before, after in zip(*ranks, strict=True))
    assert moved == (new != splits).sum()
    alone = np.bincount(group, minlength=1)[group] == 1 if len(group) else np.zeros(0, bool)
    assert (new[alone] == splits[alone]).all()


def test_leeds_sports_pose_keeps_copies_together(tmp_path):
    raw = np.random.default_rng(0).uniform(5, 40, (14, 3, 16))
    raw[:, 2] = 1
    folder = tiny_data.lspet(tmp_path, raw)
    people = load_people("lspet:" + str(tmp_path), cache=tmp_path / "cache")
    test = int(people.split("test").ids[0])
    train = int(people.split("train").ids[0])
    pictures = sorted(folder.glob("images/*.jpg"))
    scene(1).save(pictures[train - 1])
    scene(1).resize((64, 48)).save(pictures[test - 1])
    again = load_people("lspet:" + str(tmp_path), cache=tmp_path / "cache")
    assert again.splits[again.ids == test] == ["train"]
