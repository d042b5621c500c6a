"""Sizes of pictures and crops that memory or JPEG cannot hold."""

import pytest

from posekit.data import load_people
from posekit.data.crops import crops
from posekit.data.stored import shards
from posekit.errors import PosekitError


@pytest.mark.parametrize(
    "memory, size, says",
    [(2**30, 100_000, "size is 100000: pictures of so many pixels a side need 111 GiB of memory, and there are 1 GiB; 9,459 is the most"),
     (2**50, 65_501, "size is 65501: .* fit into no JPEG; 65,500 is the most here"), (0, 65_501, "65,500 is the most here")],
)  # fmt: skip
def test_crops_that_memory_or_jpeg_cannot_hold_are_refused(tmp_path, monkeypatch, memory, size, says):
    people = load_people("mannequins:3,size=16", cache=tmp_path, workers=1)
    monkeypatch.setattr(shards, "memory_there_is", lambda: memory)
    with pytest.raises(PosekitError, match=says) as caught:
        crops(people, size, tmp_path)
    assert "\n" not in str(caught.value) and not (tmp_path / "crops").exists()
    with pytest.raises(PosekitError, match=f"size is {size}: .* is the most here"):
        load_people(f"mannequins:3,size={size}", cache=tmp_path)


def test_as_many_crops_as_are_cut_at_a_time_have_to_fit(tmp_path, monkeypatch):
    people = load_people("mannequins:40,size=16", cache=tmp_path, workers=1)
    monkeypatch.setattr(shards, "memory_there_is", lambda: 2 * 12 * 24**2 - 1)
    assert len(crops(people, 24, tmp_path, workers=1)) == 40
    with pytest.raises(PosekitError, match=r"size is 25: .* 23 is the most here"):
        crops(people, 25, tmp_path, workers=2)
