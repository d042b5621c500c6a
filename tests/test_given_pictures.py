"""What people hand to functions of pictures: tensors of every kind, names of joints and hook points, networks whose input is no square."""

import numpy as np
import pytest
import tiny_networks
import torch
from test_adapters import QUIET, spot_at
from torch import nn

import posekit
from posekit import PosekitError, Skeleton, adapt
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Predictor
from posekit.interpret.activations import patching, walks
from posekit.interpret.analysis import cells, decodability
from posekit.interpret.analysis.sparse import Dictionary

R = tiny_networks.SIZE
GOOD = torch.rand(2, 3, R, R, generator=torch.Generator().manual_seed(0))


def network():
    return Predictor(tiny_networks.Tiny(), tiny_networks.CARD, Backend.plain())


ASKED = {
    "patch": lambda given: posekit.patch(network(), given, given, ["mix"]),
    "pooled": lambda given: decodability.pooled(network(), given, "mix"),
    "sampled": lambda given: cells.sampled(network(), given, "mix", np.zeros((len(given), 14, 2))),
    "answers": lambda given: walks.answers(network().model, tiny_networks.CARD, given, "mix", None),
}
WRONG = {
    "of 0 to 255": (255 * GOOD, r"in \[0, 1\], float32, not"),
    "in bytes": ((255 * GOOD).byte(), r"float32, not 0 to 254|float32, not 0 to 255"),
    "normalised": (4 * GOOD - 2, r"in \[0, 1\]"),
    "in halves": (GOOD.half(), "torch.float16"),
    "in doubles": (GOOD.double(), "torch.float64"),
    "not finite": (GOOD * float("nan"), "nan to nan"),
    "without a batch": (GOOD[0], r"\(N, 3, 32, 32\)"),
    "channels last": (GOOD.permute(0, 2, 3, 1), r"\(N, 3, 32, 32\)"),
    "grey": (GOOD[:, :1], r"\(N, 3, 32, 32\)"),
    "of another size": (GOOD[..., :16, :16], r"\(N, 3, 32, 32\)"),
    "an array": (GOOD.numpy(), "not a ndarray"),
}


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("fault", WRONG)
def test_pictures_of_another_kind_are_refused(question, fault):
    given, said = WRONG[fault]
    with pytest.raises(PosekitError, match=said) as caught:
        ASKED[question](given)
    assert "\n" not in str(caught.value)


def test_names_of_one_and_of_every_form():
    found = posekit.patch(network(), GOOD, GOOD.flip(-1), "mix")
    assert list(found.patched) == ["mix"]
    one = [found.toward("mix", joints).mean for joints in ("left wrist", ["left wrist"], ["left_wrist"], ("Left-Wrist",))]
    assert np.isfinite(one[0]) and len(set(one)) == 1
    for ask, said in (
        (lambda: found.lands("mix", ["tail"]), "has no joint 'tail'"),
        (lambda: found.toward("bottleneck"), "no part 'bottleneck' was patched; there are mix"),
        (lambda: posekit.patch(network(), GOOD, GOOD, "mix", stage=1), "has no stage 1; it has 1"),
        (lambda: posekit.patch(network(), GOOD, GOOD, {"p": patching.Part("mix", channels=[0.5])}), "has channels 0 to 3, not 0.5"),
    ):
        with pytest.raises(PosekitError, match=said):
            ask()
    parts = {"one": patching.Part("mix"), "list": patching.Part(["mix"])}
    both = posekit.patch(network(), GOOD, GOOD.flip(-1), parts).patched
    assert np.array_equal(both["one"], both["list"])


@pytest.mark.parametrize("size", [(64, 64), (64, 48), (48, 64), (96, 32)])
def test_cells_are_where_an_input_that_is_no_square_has_them(size):
    """The red spot lies in the cell that is marked for it, and the strongest patch shows it in its middle."""
    side, (height, width) = max(size), size

    class Red(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.AvgPool2d(4)

        def forward(self, pictures):
            return self.pool(pictures)[:, :1]

    outside = adapt(Red(), Skeleton("spot", ("spot",)), size, **QUIET)
    middle = np.array([(side - width) / 2, (side - height) / 2])
    places = middle + np.array([[0.2, 0.3], [0.7, 0.8], [0.9, 0.15]]) * [width, height]
    pictures = torch.stack([torch.from_numpy(spot_at(x, y, side, side, 2.5)).permute(2, 0, 1) / 255 for x, y in places])
    found = cells.sampled(outside, pictures, "pool", places[:, None], elsewhere=20)
    assert found.marked.sum() == 3 and (found.values[found.marked[:, 0], 0] > 0.6).all()
    assert (found.values[~found.marked[:, 0], 0] <= found.values[found.marked[:, 0], 0].min()).all()
    atoms = Dictionary("red", np.eye(3, dtype=np.float32)[:1], np.zeros(3, np.float32), 1, lambda given: given[:, :1])
    (best,) = cells.strongest(outside, pictures, "pool", atoms, [0])
    for patch in best.patches:
        row, column = np.unravel_index(patch[..., 0].argmax(), patch.shape[:2])
        assert np.hypot(row - len(patch) / 2, column - len(patch) / 2) < 4


def test_how_many_people_is_a_number_from_0():
    people = posekit.load_people("mannequins:6,size=32@all")
    assert [len(people.at_most(count)) for count in (None, 0, 3, 9)] == [6, 0, 3, 6]
    with pytest.raises(PosekitError, match="-1 people"):
        people.at_most(-1)
