"""Networks of one training by epoch."""

import numpy as np
import pytest
import torch

import posekit
from posekit import PosekitError
from posekit.engine.backend import Backend
from posekit.engine.learning.epochs import epochs_of
from posekit.engine.weights import fingerprint

CONFIG = posekit.HourglassConfig.narrow(4, joints=17, depth=1)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    cache = tmp_path_factory.mktemp("data")
    return posekit.crops(posekit.load_people("mannequins:8,size=40", cache=cache), 40, cache)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_each_epoch_has_the_weights_of_a_training_that_stopped_there(people, tmp_path, average):
    """The figures of the history come out of the networks that were kept, and the last is the checkpoint's."""
    recipe = posekit.Recipe(resolution=32, epochs=3, batch=4, average=average, seed=3)
    before = torch.get_rng_state()
    found = epochs_of(CONFIG, recipe, people, people, tmp_path / "a", [1], backend=Backend.plain())
    assert torch.equal(before, torch.get_rng_state()), "the caller's chance stays as it is"
    assert list(found) == [0, 1, 3] and [one.card.name for one in found.values()] == ["untrained", "epoch 1", "epoch 3"]
    assert len({fingerprint(one.model) for one in found.values()}) == 3
    state = torch.load(tmp_path / "a" / "last.pt", weights_only=True)
    last = state["average"] or state["model"]
    assert all(torch.equal(value, last[name]) for name, value in found[3].model.state_dict().items())
    again = epochs_of(CONFIG, recipe, people, people, tmp_path / "b", [1, 2], backend=Backend.plain())
    assert [fingerprint(again[e].model) for e in (0, 1, 3)] == [fingerprint(found[e].model) for e in (0, 1, 3)]
    assert not found[1].model.training and len(found[1].predict(np.zeros((40, 40, 3), np.uint8))) == 1


@pytest.mark.parametrize(
    ("keep", "said"),
    [([4], "keep has epoch 4, and the training has 3; give epochs from 1 to 3"), ([0], "keep is 0; it must be a whole number from 1"),
     ([1.5], "keep is 1.5; it must be a whole number")],
)  # fmt: skip
def test_an_epoch_that_the_training_does_not_have_is_refused(people, tmp_path, keep, said):
    recipe = posekit.Recipe(resolution=32, epochs=3, batch=4)
    with pytest.raises(PosekitError, match=said):
        epochs_of(CONFIG, recipe, people, people, tmp_path / "c", keep, backend=Backend.plain())
    assert not (tmp_path / "c").exists()
