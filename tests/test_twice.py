"""Photographs that were annotated twice: planted copies whose annotations differ by what is known."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from posekit import metrics
from posekit.data.people import People
from posekit.data.pictures import Folder
from posekit.interpret.analysis.twice import annotated_twice
from posekit.skeleton import LSP

SIZE = 96


def annotations(rng, people):
    xy = rng.uniform(10, SIZE - 10, (people, len(LSP), 2))
    for joint, place in zip(
        ("left shoulder", "right shoulder", "left hip", "right hip"), ((60, 20), (30, 20), (55, 60), (35, 60)), strict=True
    ):
        xy[:, LSP.index(joint)[0]] = place
    return np.concatenate([xy, np.full((people, len(LSP), 1), 2.0)], -1)


def table(folder, keypoints):
    """Photographs 0 to 3, of which 1 is photograph 0 at half the size."""
    rng = np.random.default_rng(0)
    names = []
    for i in range(len(keypoints)):
        blobs = Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        picture = Image.open(folder / "0.png").resize((SIZE // 2, SIZE // 2), Image.Resampling.BOX) if i == 1 else blobs
        picture.save(folder / f"{i}.png")
        names.append(f"{i}.png")
    count = len(names)
    return People(LSP, np.array(names), np.tile([0.0, 0, SIZE, SIZE], (count, 1)), keypoints, np.arange(count), np.full(count, "train"),
                  read=Folder(str(folder)), source="own")  # fmt: skip


def halved(keypoints):
    moved = keypoints.copy()
    moved[..., :2] = (moved[..., :2] + 0.5) / 2 - 0.5
    return moved


@pytest.fixture
def keypoints():
    return annotations(np.random.default_rng(1), 4)


def test_copies_are_compared_in_one_frame(tmp_path, keypoints):
    shift = np.zeros((len(LSP), 3))
    shift[LSP.index("left wrist")[0], 0] = 12.0
    keypoints[1] = halved(keypoints[0] + shift)
    found = annotated_twice(table(tmp_path, keypoints), tmp_path / "cache")
    assert found.people.tolist() == [[0, 1]] and found.others == 0
    due = np.zeros(len(LSP))
    due[LSP.index("left wrist")[0]] = 12 / metrics.torso(keypoints[:1], LSP)[0]
    np.testing.assert_allclose(found.distances[0], due, atol=1e-9)


def test_exchanged_annotation_is_seen_as_that(tmp_path, keypoints):
    keypoints[1] = halved(keypoints[0][list(LSP.mirrored)])
    found = annotated_twice(table(tmp_path, keypoints), tmp_path / "cache")
    np.testing.assert_allclose(found.exchanged[0], 0, atol=1e-9)
    assert np.nanmedian(found.distances) > 0.1


def test_other_person_of_the_photograph_is_counted_apart(tmp_path, keypoints):
    away = keypoints[0] + [3 * SIZE, 0, 0]
    keypoints[1] = halved(away)
    found = annotated_twice(table(tmp_path, keypoints), tmp_path / "cache")
    assert found.others == 1 and len(found.people) == 0 and found.distances.shape == (0, len(LSP))


def test_joints_that_one_lacks_are_not_compared(tmp_path, keypoints):
    keypoints[1] = halved(keypoints[0])
    keypoints[1, :3] = [np.nan, np.nan, 0]
    found = annotated_twice(table(tmp_path, keypoints), tmp_path / "cache")
    assert np.isnan(found.distances[0, :3]).all() and np.isfinite(found.distances[0, 3:]).all()
    keypoints[1, :9] = [np.nan, np.nan, 0]
    assert len(annotated_twice(table(tmp_path, keypoints), tmp_path / "cache").people) == 0


def test_people_who_share_a_photograph_are_not_copies(tmp_path, keypoints):
    people = table(tmp_path, keypoints)
    crowd = dataclasses.replace(people, names=np.array(["0.png", "0.png", "2.png", "3.png"]))
    assert len(annotated_twice(crowd, tmp_path / "cache").people) == 0


def test_rendered_people_have_no_copies(tmp_path, keypoints):
    rendered = dataclasses.replace(table(tmp_path, keypoints), read=lambda name: np.zeros((4, 4, 3), np.uint8))
    assert len(annotated_twice(rendered, tmp_path / "cache").people) == 0
