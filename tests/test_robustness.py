"""Pictures made worse: nothing changes at the clean level, everything gets worse from there, and joints move with the view."""

import itertools

import numpy as np
import planted
import pytest
import torch

import posekit
from posekit import PosekitError
from posekit.coordinates import transform, view
from posekit.engine.trust.corruption import CORRUPTIONS, moved
from posekit.engine.trust.robustness import _at_loss

PLAIN = posekit.Backend.plain()
PIXELS = [name for name, one in CORRUPTIONS.items() if one.pixels]
MOTIONS = [name for name, one in CORRUPTIONS.items() if one.motion]


@pytest.fixture
def pictures():
    torch.manual_seed(0)
    return torch.nn.functional.interpolate(torch.rand(4, 3, 8, 8), size=(32, 32), mode="bilinear")


@pytest.mark.parametrize("name", PIXELS)
def test_a_picture_gets_worse_level_by_level(pictures, name):
    one = CORRUPTIONS[name]
    away = [(one.pixels(pictures, level, np.random.default_rng(0)) - pictures).abs().mean() for level in (one.clean or 1e-3, *one.levels)]
    assert away[0] < 0.03 and all(b > a for a, b in itertools.pairwise(away)), "the clean level, then worse and worse"
    worst = one.pixels(pictures, one.levels[-1], np.random.default_rng(0))
    assert worst.shape == pictures.shape and worst.min() >= 0 and worst.max() <= 1


@pytest.mark.parametrize("name", PIXELS)
def test_the_same_seed_makes_the_same_picture_and_leaves_the_given_one(pictures, name):
    one, before = CORRUPTIONS[name], pictures.clone()
    again = [one.pixels(pictures, one.levels[0], np.random.default_rng(5)) for _ in range(2)]
    assert torch.equal(*again) and torch.equal(pictures, before)


@pytest.mark.parametrize("name", MOTIONS)
def test_a_view_turns_about_its_middle(name):
    one, plain = CORRUPTIONS[name], np.tile(view(40, 32), (5, 1, 1))
    for level in (one.clean, *one.levels):
        matrices = moved(plain, 32, one, level, np.random.default_rng(0))
        middle = transform(matrices, np.full((5, 1, 2), 19.5))[:, 0]
        expected = level / 100 * 32 if name == "box shift" else 0
        assert np.linalg.norm(middle - 15.5, axis=1) == pytest.approx(expected, abs=1e-9)
    scale = np.sqrt(np.linalg.det(moved(plain, 32, one, one.levels[-1], np.random.default_rng(0))[:, :2, :2])) / plain[:, 0, 0]
    assert scale == pytest.approx({"box too large": 0.5, "box too small": 2}.get(name, 1))
    assert np.array_equal(moved(plain, 32, one, one.clean, np.random.default_rng(0)), plain)


class Colours(torch.nn.Module):
    """Finds each planted joint by its colour, wherever it lies."""

    def __init__(self):
        super().__init__()
        self.colours = torch.nn.Parameter(torch.tensor(planted._COLOURS / 255).float())
        self.squeeze = torch.nn.AvgPool2d(16)
        self.cells = torch.nn.AvgPool2d(2)

    def forward(self, pictures):
        self.squeeze(pictures)
        apart = (pictures[:, None] - self.colours[None, :, :, None, None]).square().sum(2)
        return self.cells(torch.exp(-apart / 0.02))


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return posekit.crops(planted.people(range(10)), 80, tmp_path_factory.mktemp("crops"))


def test_a_network_that_goes_by_colour_minds_neither_turn_nor_shift_but_the_dark(crops):
    network = posekit.adapt(Colours(), "lsp", 64, name="colours", code="squeeze", report=None, backend=PLAIN)
    found = posekit.robustness(network, crops, families=("rotation", "darkness", "box shift"))
    assert found["clean"]["mean"] > 0.9 and found["people"] == 10
    turned, dark = (found["families"][name]["levels"] for name in ("rotation", "darkness"))
    assert turned[-1]["pck"]["mean"] > found["clean"]["mean"] - 0.1, "half a turn, about the middle"
    assert dark[-1]["pck"]["mean"] < 0.6 and dark[-1]["change"]["high"] < -0.3
    moves = [step["code"]["mean"] for step in dark]
    assert moves == sorted(moves) and moves[0] > 0 and found["families"]["darkness"]["code at loss"] > 0
    assert found["families"]["rotation"]["code at loss"] is None
    assert "darkness, share of the light" in found._repr_html_()


def test_a_network_without_a_code_has_none_to_move(crops):
    network = posekit.adapt(Colours(), "lsp", 64, name="colours", report=None, backend=PLAIN)
    family = posekit.robustness(network, crops.select(slice(3)), families=("noise",))["families"]["noise"]
    assert family["code at loss"] is None and all(step["code"] is None for step in family["levels"])


def test_where_a_quarter_is_lost_lies_between_the_levels():
    def level(score, moves):
        return {"pck": {"mean": score}, "code": {"mean": moves}}

    assert _at_loss(0.8, [level(0.7, 1.0), level(0.5, 2.0)]) == pytest.approx(1.5)
    assert _at_loss(0.8, [level(0.6, 1.0)]) == pytest.approx(1.0) and _at_loss(0.8, [level(0.7, 1.0)]) is None


def test_an_unknown_family_is_refused(crops):
    with pytest.raises(PosekitError, match="no family 'fog' of corruptions; there are blur, noise, JPEG"):
        posekit.robustness("mannequins-hg1", crops, families=("fog",))
