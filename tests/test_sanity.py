"""Tests of maps: planted relevance, a detector of edges that must be found out, silhouettes."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from planted import people
from scipy import stats
from tiny_networks import CARD, SIZE, Tiny
from torch import nn

from posekit import Backend, HourglassConfig, PosekitError, adapt, crops
from posekit.engine.weights import Card
from posekit.interpret.attribution import sanity
from posekit.interpret.attribution.targets import Scored, target
from posekit.models.hourglass import Hourglass

CONFIG = HourglassConfig.narrow(8, joints=14, depth=2)
TOY = Card("toy", CONFIG.to_dict(), "lsp", 32, "cross-entropy")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Hourglass(CONFIG).eval()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return crops(people(range(9)), 40, tmp_path_factory.mktemp("sanity"))


@pytest.fixture(scope="module")
def asked(model, stored):
    return sanity.draw_cases(model, TOY, stored, people=6)


def test_everybody_is_asked_about_one_visible_joint_where_it_is(asked, stored):
    assert len(asked) == 6 and asked.pictures.shape == (6, 3, 32, 32)
    assert asked.names == [stored.people.skeleton.joints[k] for k in asked.joints]
    assert (asked.truth >= 0).all() and (asked.truth <= 31).all()
    points = stored.keypoints[asked.rows, asked.joints, :2]
    assert np.allclose(asked.truth, (points + 0.5) - 4 - 0.5, atol=1e-4)  # the view is the middle 32 of the crop's 40 pixels
    few = asked.take(np.array([4, 1]))
    assert few.names == [asked.names[4], asked.names[1]] and torch.equal(few.pictures[1], asked.pictures[1])


def test_joints_can_be_chosen_and_unknown_ones_are_refused(model, stored):
    assert set(sanity.draw_cases(model, TOY, stored, ["neck", "left hip"], people=5).names) <= {"neck", "left hip"}
    with pytest.raises(PosekitError, match="no joint 'tail'"):
        sanity.draw_cases(model, TOY, stored, ["tail"])


def test_the_randomisation_check_flags_a_detector_of_edges(model, asked):
    levels = sanity.cascade_levels(model)
    assert list(levels) == ["head", "decoder", "bottleneck", "encoder and skips", "stem"]
    assert levels["head"] == ["stack0.heatmaps", "stack0.features"] and levels["stem"][-1] == "stem"
    ways = {"edges": sanity.edges, "noise": sanity.noise, "saliency": sanity.by(TOY, "saliency")}
    forgetful = sanity.randomisation(model, asked, ways, levels)
    for ignorant in ("edges", "noise"):
        known = ways[ignorant](model, asked)
        for maps in forgetful[ignorant].values():
            assert np.allclose(sanity.likeness(known, maps), 1) and np.allclose(sanity.likeness(known, maps, asked.predicted), 1)
    known, found = ways["saliency"](model, asked), forgetful["saliency"]
    assert sanity.likeness(known, found["stem"], asked.predicted).mean() < 0.8
    assert (sanity.likeness(known, found["stem"]) < 0.99).all()


def test_the_cascade_of_a_network_of_many_parts_has_few_levels():
    parts = {f"conv{i}": nn.Conv2d(1, 1, 1) for i in range(25)} | {"act": nn.ReLU(), "decoder": nn.Conv2d(1, 1, 1)}
    names = [*list(parts)[:12], "act", "decoder", *list(parts)[12:25]]
    levels = sanity.cascade_levels(nn.Sequential(OrderedDict((name, parts[name]) for name in names)))
    assert len(levels) in (10, 11) and {"conv24", "decoder", "conv0"} <= levels.keys() and "act" not in levels
    assert levels["conv24"] == ["conv24"] and levels["conv0"] == names[::-1]
    sizes = [len(hooked) for hooked in levels.values()]
    assert sizes == sorted(sizes) and max(np.diff(sizes)) <= 4
    assert all(hooked[-1] == name for name, hooked in levels.items())


def test_each_person_has_a_random_network_of_its_own(model, asked):
    ways, levels = {"saliency": sanity.by(TOY, "saliency")}, {"head": sanity.cascade_levels(model)["head"]}
    same = asked.take(np.array([2, 2, 2]))  # one person three times: what differs is the network
    maps = sanity.randomisation(model, same, ways, levels, seed=5)["saliency"]["head"]
    for person in range(3):
        expected = ways["saliency"](sanity.randomised(model, levels["head"], 5 + person), same.take(np.array([person])))[0]
        assert np.allclose(maps[person], expected)
        assert not np.allclose(maps[person], maps[person - 1])


def test_only_what_is_named_forgets(model):
    copy = sanity.randomised(model, ["stack0.heatmaps"], seed=1)
    changed = {name for name, value in copy.state_dict().items() if not torch.equal(value, model.state_dict()[name])}
    assert changed == {"stack0.heatmaps.weight", "stack0.heatmaps.bias"}
    again = sanity.randomised(model, ["stack0.heatmaps"], seed=1)
    assert torch.equal(copy.stack0.heatmaps.weight, again.stack0.heatmaps.weight)


@pytest.mark.parametrize(("aspect", "inside"), [(0.5, np.s_[:, :, 8:24]), (2.0, np.s_[:, 8:24, :])])
def test_likeness_is_of_what_the_network_sees(aspect, inside):
    random = np.random.default_rng(0)
    maps, others = np.zeros((2, 4, 32, 32))  # nothing beside an input that is no square
    maps[inside], others[inside] = random.random((2, *maps[inside].shape))
    within = sanity.likeness(maps[inside], others[inside])
    np.testing.assert_allclose(sanity.likeness(maps, others, aspect=aspect), within)
    assert (sanity.likeness(maps, others) > within + 0.2).all(), "the border would make them alike"
    around = np.full((4, 2), 15.0)
    moved = around - ([8, 0] if aspect < 1 else [0, 8])
    np.testing.assert_allclose(sanity.likeness(maps, others, around, aspect), sanity.likeness(maps[inside], others[inside], moved))


def test_likeness_is_spearmans_of_cells():
    maps = np.random.default_rng(0).random((3, 16, 16))
    assert np.allclose(sanity.likeness(maps, np.exp(3 * sanity.in_cells(maps).reshape(3, 4, 4).repeat(4, 1).repeat(4, 2))), 1)
    assert np.allclose(sanity.likeness(maps, -maps), 1)  # strengths
    assert np.allclose(sanity.likeness(maps, np.ones_like(maps)), 0)


def test_maps_that_share_only_their_place_are_not_alike_given_the_place():
    random, centre = np.random.default_rng(0), np.full((4, 2), 31.5)
    y, x = np.mgrid[:64, :64]
    blob = np.exp(-(np.hypot(x - 31.5, y - 31.5) ** 2) / 300)
    one, other = (blob * random.uniform(0.5, 1.5, (4, 16, 16)).repeat(4, 1).repeat(4, 2) for _ in range(2))  # of their own in each cell
    assert sanity.likeness(one, other).min() > 0.9
    assert np.abs(sanity.likeness(one, other, centre)).max() < 0.2
    assert np.allclose(sanity.likeness(one, one, centre), 1)


def test_curves_of_planted_relevance():
    """The score is the brightness of a quarter of the picture, and the map points there: both curves are known."""
    mask = torch.zeros(16, 16)
    mask[:8, :8] = 1
    pictures, nothing = torch.ones(2, 3, 16, 16), torch.zeros(2, 3, 16, 16)

    def score(x):
        return (x.mean(1) * mask).sum((1, 2)) / mask.sum()

    maps = mask.expand(2, 16, 16).numpy()
    removed = np.round(np.array(sanity.SHARES) * 16) / 16  # whole cells, of which there are 16
    deletion, insertion = sanity.removal(score, pictures, nothing, maps), sanity.removal(score, nothing, pictures, maps)
    assert np.allclose(deletion, np.maximum(0, 1 - removed / 0.25), atol=1e-6)
    assert np.allclose(insertion, np.minimum(1, removed / 0.25), atol=1e-6)
    wrong = sanity.removal(score, pictures, nothing, 1 - maps)
    assert (sanity.area(deletion) < sanity.area(wrong) - 0.5).all()
    assert np.allclose(wrong, np.minimum(1, (1 - removed) / 0.25), atol=1e-6)


@pytest.mark.parametrize("side", [16, 17, 18, 19])
def test_all_of_a_picture_is_removed_whatever_its_side(side):
    pictures, nothing = torch.ones(2, 3, side, side), torch.zeros(2, 3, side, side)
    found = sanity.removal(lambda x: x.mean((1, 2, 3)), pictures, nothing, np.random.default_rng(0).random((2, side, side)))
    assert np.allclose(found[:, [0, -1]], [1, 0]) and (np.diff(found, axis=1) <= 0).all()


@pytest.mark.parametrize("size", [(32, 16), (16, 32)])
def test_what_lies_beside_an_input_that_is_no_square_is_removed_last(size, tmp_path):
    """Whatever a map has there: a detector of edges would be at a disadvantage, and any method ahead of it."""
    torch.manual_seed(0)
    network = adapt(nn.Conv2d(3, 14, 4, stride=4), "lsp", size, report=None, backend=Backend.plain())
    left, top, width, height = network.card.window
    store = crops(people(range(6)), 40, tmp_path, aspect=network.card.aspect)
    cases = sanity.draw_cases(network.model, network.card, store)
    maps = np.random.default_rng(0).random((len(cases), 32, 32))
    beside = maps + 5
    beside[:, top : top + height, left : left + width] -= 5
    one, other = (sanity.curves(network.model, network.card, cases, given, Backend.plain()) for given in (maps, beside))
    np.testing.assert_allclose(one, other)


def test_a_straight_curve_has_half_the_area():
    assert sanity.area(1 - np.array([sanity.SHARES])) == pytest.approx([0.5])


def test_curves_begin_and_end_with_the_picture_and_without_it(model, asked):
    deletion, insertion = sanity.curves(model, TOY, asked, sanity.edges(model, asked), Backend.plain())
    assert deletion.shape == insertion.shape == (6, len(sanity.SHARES))
    score = Scored(model, TOY, target("probability", asked.names, TOY, asked.cells))
    with torch.no_grad():
        whole = score(asked.pictures).numpy()
    assert np.allclose(deletion[:, 0], whole, atol=1e-5) and np.allclose(insertion[:, -1], whole, atol=1e-5)
    assert np.allclose(deletion[:, -1], insertion[:, 0], atol=1e-5)


def test_the_pointing_game():
    maps = np.zeros((3, 20, 20))
    maps[0, 5, 9] = maps[1, 5, 9] = 1
    truth = np.array([[9.0, 5.0], [9.0, 8.1], [9.0, 5.0]])
    assert sanity.pointing(maps, truth, np.array([15.0, 15.0, 15.0])).tolist() == [1.0, 0.0, 0.0]  # within 3; beyond; flat


def test_the_answer_points_as_well_as_the_network_finds(model, asked):
    maps = sanity.answer_maps(TOY)(model, asked)
    assert maps.shape == (6, 32, 32)
    own = sanity.answer_maps(CARD)(Tiny(), asked)
    assert own.shape == (6, SIZE, SIZE)


def test_shares_within_masks():
    maps = np.zeros((2, 4, 4))
    maps[0, 0, :2] = [3.0, 1.0]
    maps[0, 3, 3] = -5.0
    mask = np.zeros((2, 4, 4), bool)
    mask[:, 0, 0] = True
    shares = sanity.share_within(maps, mask)
    assert shares[0] == 0.75 and np.isnan(shares[1])


def test_silhouettes_lie_under_the_joints(tmp_path):
    from posekit import load_people

    rendered = load_people("mannequins:20,size=80", cache=tmp_path, workers=0)
    stored = crops(rendered, 80, tmp_path)
    rows = np.arange(len(stored))
    parts = sanity.part_masks(stored, rows, 64)
    points = np.round(stored.keypoints[..., :2] * 1.0 - 8).astype(float)  # the view is the middle 64 of the crop's 80 pixels
    checked, hit = 0, 0
    for row in rows:
        for k in range(5, 17):
            x, y = points[row, k]
            if stored.keypoints[row, k, 2] == 2 and 1 <= x < 63 and 1 <= y < 63:
                mask = sanity.limb_masks(parts[row : row + 1], np.array([k]))[0]
                checked, hit = checked + 1, hit + mask[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].any()
    assert checked > 60 and hit / checked > 0.9


def test_photographs_have_no_silhouettes(stored):
    with pytest.raises(PosekitError, match="only mannequins have true silhouettes"):
        sanity.part_masks(stored, np.arange(2), 32)


def test_intervals_over_people():
    block = sanity.mean_interval(np.array([1.0, 3.0, np.nan]))
    assert block["mean"] == 2 and block["people"] == 2 and block["low"] <= 2 <= block["high"]
    assert sanity.mean_interval(np.array([1.0, 1.0]), np.array([1.0, 3.0]))["mean"] == 0.5


def test_the_interval_over_few_people_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(0)
    blocks = [sanity.student_interval(random.normal(0.3, 0.2, 9)) for _ in range(2000)]
    assert 0.93 < np.mean([block["low"] <= 0.3 <= block["high"] for block in blocks]) < 0.97
    values = random.normal(size=7)
    known = stats.ttest_1samp(values, 0).confidence_interval()
    block = sanity.student_interval(values)
    assert (block["low"], block["high"], block["people"]) == (pytest.approx(known.low), pytest.approx(known.high), 7)
    assert sanity.student_interval(np.ones(3)) == {"mean": 1, "low": 1, "high": 1, "people": 3}
    assert np.isnan(sanity.student_interval(np.ones(1))["low"])


def test_the_counterpart_is_asked_about_where_the_network_puts_it(model, asked):
    other = sanity.counterparts(model, TOY, asked)
    sides = {"left": "right", "right": "left"}
    assert other.names == [" ".join(sides.get(word, word) for word in name.split()) for name in asked.names]
    back = sanity.counterparts(model, TOY, other)
    assert back.names == asked.names and torch.equal(back.cells, asked.cells)


def test_grad_cam_by_layer_says_where_it_cannot_be_had(stored):
    torch.manual_seed(0)
    config = HourglassConfig.narrow(8, joints=14, depth=3)
    deep, card = Hourglass(config).eval(), Card("deep", config.to_dict(), "lsp", 32, "cross-entropy")
    cases = sanity.draw_cases(deep, card, stored, people=3)
    found, refused = sanity.grad_cams(deep, card, cases, ["stack0.sum1", "stack0.encoder3"])
    assert list(found) == ["stack0.sum1"] and found["stack0.sum1"].shape == (3, 32, 32) and list(refused) == ["stack0.encoder3"]
    assert np.allclose(found["stack0.sum1"], sanity.by(card, "grad-cam", "stack0.sum1")(deep, cases))
