"""Attribution in numbers and Shapley values of joints: closed forms, planted networks, and what has no structure."""

import numpy as np
import pytest
import torch

import posekit
from posekit import PosekitError
from posekit.data.people import joints_box
from posekit.interpret.analysis import visibility as vis
from posekit.interpret.attribution import indices as idx
from posekit.interpret.attribution import shapley as sh
from posekit.skeleton import LSP

PLAIN = posekit.Backend.plain()


def test_ginis_coefficient_of_one_pixel_of_all_and_of_a_ramp():
    one, even, ramp = np.zeros((3, 10, 10))
    one[3, 4], even[:], ramp[:] = -2.0, 0.5, np.arange(1, 101).reshape(10, 10)
    assert idx.gini(np.stack([one, even, ramp])) == pytest.approx([0.99, 0, (100**2 - 1) / (3 * 100 * 101)], abs=1e-9)
    assert np.isnan(idx.gini(np.zeros((1, 10, 10)))).all()


@pytest.mark.parametrize("size", [5, 12])
def test_a_map_that_says_nothing_has_the_share_of_the_area(size):
    masks = np.random.default_rng(size).random((6, size, size)) < 0.3
    assert idx.strength_share(np.ones_like(masks, float), masks) == pytest.approx(masks.mean((1, 2)))
    assert idx.strength_share(np.where(masks, -1.0, 0), masks) == pytest.approx(1), "strength counts, not sign"
    assert np.isnan(idx.strength_share(np.zeros_like(masks, float), masks)).all(), "an empty map"
    assert np.isnan(idx.strength_share(masks, masks & False)).all(), "an empty mask"
    found = idx.indices(masks.astype(float), masks, ~masks)
    assert found["locality"] == pytest.approx(1) and found["relation"] == pytest.approx(0) and np.isnan(found["foreground"]).all()


def game(worth, players=4, orders=4, seed=0):
    rows, ways = sh._coalitions(np.arange(players), players, orders, np.random.default_rng(seed))
    return sh.contributions(np.array([[worth(frozenset(np.flatnonzero(row)))] for row in rows]), ways, players, np.arange(players))[:, 0]


def test_the_values_of_games_with_known_ones():
    weights = np.array([1.0, -2, 0, 5])
    assert game(lambda who: weights[list(who)].sum()) == pytest.approx(weights)
    assert game(lambda who: float({0, 1} <= who)) == pytest.approx([0.5, 0.5, 0, 0]), "two who need each other; an order and its reverse"
    assert game(lambda who: float(len(who) > 0), orders=2000) == pytest.approx([0.25] * 4, abs=0.04), "who can stand in for each other"


@pytest.mark.parametrize("seed", range(3))
def test_the_values_add_up_to_what_all_are_worth(seed):
    table = {}
    random = np.random.default_rng(seed)
    found = game(lambda who: table.setdefault(who, random.normal()), seed=seed)
    assert found.sum() == pytest.approx(table[frozenset(range(4))] - table[frozenset()])


def test_who_is_not_in_the_picture_does_not_play():
    rows, ways = sh._coalitions(np.array([0, 2]), 3, 2, np.random.default_rng(0))
    assert rows[:, 1].all() and len(rows) == 4
    gains = sh.contributions(rows[:, :1].astype(float), ways, 3, np.array([0, 2]))
    assert gains[0, 0] == 1 and gains[2, 0] == 0 and np.isnan(gains[1, 0])


class Red(torch.nn.Module):
    """Finds the reddest cell of the picture, for every joint."""

    def __init__(self):
        super().__init__()
        self.pool, self.once = torch.nn.AvgPool2d(4), torch.nn.Parameter(torch.ones(1))

    def forward(self, pictures):
        return self.once * self.pool(pictures)[:, :1].repeat(1, 14, 1, 1)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """People with a red dot at the left wrist, and a faint one in a corner, where no joint is."""
    wrist = LSP.index("left wrist")[0]
    ids = list(range(6))
    places = {
        "right ankle": (10, 90), "right knee": (30, 92), "right hip": (35, 68), "left hip": (60, 68), "left knee": (70, 90),
        "left ankle": (90, 90), "right wrist": (10, 50), "right elbow": (12, 30), "right shoulder": (35, 30), "left shoulder": (60, 30),
        "left elbow": (88, 28), "left wrist": (85, 55), "neck": (48, 30), "head top": (48, 10),
    }  # fmt: skip
    points = np.array([[places[joint] for joint in LSP.joints]] * 6) + np.random.default_rng(0).uniform(-2, 2, (6, 14, 2))
    keypoints = np.concatenate([points, np.full((6, 14, 1), 2.0)], -1)

    def read(name):
        y, x = np.mgrid[:100, :100]
        u, v = points[int(name), wrist]
        picture = np.zeros((100, 100, 3), np.uint8)
        picture[(x - u) ** 2 + (y - v) ** 2 < 20, 0] = 250
        picture[(x < 12) & (y < 12), 0] = 120
        return picture

    people = posekit.People(
        skeleton=LSP, names=np.array([str(n) for n in ids]), boxes=joints_box(keypoints), keypoints=keypoints, ids=np.array(ids),
        splits=np.full(6, "test"), read=read, source="dots", version="1",
    )  # fmt: skip
    return posekit.crops(people, 80, tmp_path_factory.mktemp("crops"))


def test_a_planted_network_hangs_on_the_joint_that_it_looks_at_and_on_no_other(crops):
    network = posekit.adapt(Red(), "lsp", 64, name="red", report=None, backend=PLAIN)
    found = sh.shapley(network.model, network.card, crops, orders=2, backend=PLAIN)
    wrist = found.players.index("left wrist")
    assert found.values.shape == (6, 14, 14) and np.allclose(found.values.sum(1), found.total, atol=1e-6)
    assert found.total.min() > 0.3
    others = np.delete(found.values, wrist, 1)
    assert np.allclose(found.values[:, wrist], found.total, atol=0.1) and np.abs(others).max() < 0.1
    parts = {"arm": ["left shoulder", "left elbow", "left wrist"], "leg": ["left hip", "left knee", "left ankle"]}
    grouped = sh.shapley(network.model, network.card, crops, groups=parts, orders=2, backend=PLAIN)
    assert grouped.players == ("arm", "leg") and np.allclose(grouped.values[:, 0], grouped.total, atol=0.1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"orders": 3}, "orders is 3; each order comes with its reverse"),
        ({"orders": 0}, "orders is 0"),
        ({"groups": {"a": ["tail"]}}, "has no joint 'tail'"),
        ({"groups": {"a": ["neck"], "b": ["neck", "left hip"]}}, "neck is in two groups"),
    ],
)
def test_a_game_without_rules_is_refused(crops, options, said):
    network = posekit.adapt(Red(), "lsp", 64, name="red", report=None, backend=PLAIN)
    with pytest.raises(PosekitError, match=said):
        sh.shapley(network.model, network.card, crops, backend=PLAIN, **options)


def test_a_network_of_other_joints_is_refused(crops):
    network = posekit.adapt(torch.nn.Conv2d(3, 17, 4, stride=4), "coco", 64, name="foreign", report=None, backend=PLAIN)
    with pytest.raises(PosekitError, match="foreign knows the joints of coco, these people have those of lsp"):
        sh.shapley(network.model, network.card, crops)


def flags_and_scores(read, people=400, seed=0):
    random = np.random.default_rng(seed)
    flags = np.where(random.random((people, 2)) < 0.4, 1, 2)
    scores = random.normal(size=(people, 5))
    if read:
        scores[:, 0] += 3 * (flags[:, 0] == 1)
    return scores, flags, {"peak": -2.0 * (flags == 1) * read + random.normal(size=flags.shape)}


def test_hidden_joints_are_read_where_they_can_be():
    found = vis.visibility(*flags_and_scores(True), ("a", "b"))["joints"]
    assert found["a"]["code"]["low"] > 0.9 and found["a"]["peak"]["low"] > 0.8 and found["b"]["code"]["low"] < 0.55
    found = vis.visibility(*flags_and_scores(False), ("a", "b"))["joints"]
    for joint in "ab":
        assert found[joint]["peak"]["low"] < 0.5 < found[joint]["peak"]["high"] and found[joint]["code"]["low"] < 0.5


def test_one_class_of_visibility_only_is_refused_by_name():
    scores, flags, signals = flags_and_scores(True)
    flags[:, 1] = 2
    found = vis.visibility(scores, flags, signals, ("a", "left wrist"))
    assert list(found["joints"]) == ["a"] and "left wrist: hidden in 0 of 400 people" in found["left out"]["left wrist"]
    for flag, said in ((2, "a: hidden in 0"), (1, "a: visible in 0"), (0, "a: hidden in 0 and visible in 0")):
        with pytest.raises(PosekitError, match=f"no joint is marked as hidden in some people and as visible in others: {said}"):
            vis.visibility(scores, np.full_like(flags, flag), signals, ("a", "left wrist"))


def test_indices_of_people_are_measured_round_their_joints(crops):
    from posekit.interpret.attribution.sanity import draw_cases

    network = posekit.adapt(Red(), "lsp", 64, name="red", report=None, backend=PLAIN)
    cases = draw_cases(network.model, network.card, crops, ["left wrist"])
    own, others = idx.neighbourhoods(crops, cases, 64)
    assert own.shape == others.shape == (len(cases), 64, 64) and not (own & others).any() and own.any((1, 2)).all()
    red = cases.pictures[:, 0].numpy()
    found = idx.indices(red * (red > 0.5), own, others)
    assert found["locality"].min() > 0.9 and found["diffusion"].max() < 0.1
