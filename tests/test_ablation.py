"""Replaced activations: what they change where that is known beforehand, and who stands in for whom."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from planted import people
from scipy.stats import spearmanr
from torch import nn

from posekit import HourglassConfig, PosekitError, adapt, crops, edit
from posekit.data.augment import Augmentation
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.learning import fitting
from posekit.engine.learning.training import Recipe
from posekit.engine.weights import Card
from posekit.interpret.activations import ablation
from posekit.interpret.activations.codes import collect
from posekit.interpret.activations.twins import load_twins
from posekit.models.hourglass import Hourglass
from posekit.skeleton import COCO, LSP, MPII

CONFIG = HourglassConfig.narrow(16, joints=14, depth=2, stacks=2, bottleneck_residuals=1)
PLAIN = Backend.plain()


def network(seed=0):
    torch.manual_seed(seed)
    model = Hourglass(CONFIG)
    model.train()
    with torch.no_grad():  # statistics of real activations, so that nothing is exactly alike by chance
        model(torch.rand(8, 3, 32, 32))
    return model.eval()


def card(model):
    return Card("tiny", model.config.to_dict(), "lsp", 32, "mse")


def constant_skips(model, value):
    """Every skip connection gives `value` whatever it gets."""
    for name in ablation.skip_hook_points(model):
        last = model.get_submodule(name)[-1]
        last.shortcut = Nothing()
        nn.init.zeros_(last.conv3.weight)
        nn.init.constant_(last.conv3.bias, value)
    return model


class Nothing(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return crops(people(range(9)), 40, tmp_path_factory.mktemp("crops"))


def run(model, store, ways, groups=None):
    groups = groups or ablation.skip_groups(model)
    return ablation.ablate(model, card(model), store, groups, ways, backend=PLAIN, batch=4)


def whole(model, store):
    return ablation.intact(model, card(model), store, backend=PLAIN, batch=4)


def test_the_groups_are_the_levels_and_all():
    groups = ablation.skip_groups(network())
    assert groups == {
        "skip1": ["stack0.skip1", "stack1.skip1"],
        "skip2": ["stack0.skip2", "stack1.skip2"],
        "all": ["stack0.skip1", "stack0.skip2", "stack1.skip1", "stack1.skip2"],
    }


def test_a_skip_that_is_zero_already_can_be_zeroed(store):
    model = constant_skips(network(), 0.0)
    for way in run(model, store, {"zero": ablation.zero}).values():
        assert np.array_equal(way["zero"], whole(model, store))


def test_constant_skips_are_their_own_mean_and_anybodys(store):
    model = constant_skips(network(), 0.75)
    mean = ablation.mean(model, card(model), store, ablation.skip_hook_points(model), backend=PLAIN, batch=4)
    before = whole(model, store)
    for way in run(model, store, {"mean": mean, "another's": ablation.resample}).values():
        assert np.array_equal(way["mean"], before) and np.array_equal(way["another's"], before)
    assert not np.allclose(run(model, store, {"zero": ablation.zero})["all"]["zero"], before)


def test_the_mean_is_that_of_each_channel_and_position(store):
    model, names = network(), ["stack0.skip2", "stem"]
    function = ablation.mean(model, card(model), store, names, backend=PLAIN, batch=4)
    for name in names:
        seen = collect(model, card(model), store, name, backend=PLAIN)
        shape = (3, 16, 4, 4) if name == "stack0.skip2" else (3, 16, 8, 8)
        replaced = function(torch.zeros(shape), name)
        assert replaced.shape == shape
        np.testing.assert_allclose(replaced[2].flatten(), seen.mean(0), atol=1e-5)


def test_identical_people_stand_in_for_each_other(store):
    model = network()
    same = store.select(np.zeros(6, int))
    before = whole(model, same)
    for way in run(model, same, {"another's": ablation.resample}).values():
        assert np.array_equal(way["another's"], before)
    after = run(model, store, {"another's": ablation.resample})["all"]["another's"]
    assert not np.allclose(after, whole(model, store))


def test_another_persons_activation_comes_half_a_batch_later():
    batch = torch.arange(5.0)[:, None, None, None]
    assert ablation.resample(batch, "x").flatten().tolist() == [3, 4, 0, 1, 2]
    with pytest.raises(PosekitError, match="x: a batch of one person"):
        ablation.resample(batch[:1], "x")


def test_nothing_is_left_in_the_model(store):
    model = network()
    before = whole(model, store)
    run(model, store, {"zero": ablation.zero})
    assert np.array_equal(whole(model, store), before)
    with pytest.raises(PosekitError, match=r"no activation named 'stack0\.skip9'"):
        run(model, store, {"zero": ablation.zero}, {"wrong": ["stack0.skip9"]})
    assert np.array_equal(whole(model, store), before)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.integers(4, 16), st.integers(0, 5))
@example([0, 1, 2, 3] * 3 + [4], 4, 0)
def test_nobody_gets_the_activation_of_somebody_in_the_same_picture(pictures, batch, seed):
    names = np.array([f"{p:02}" for p in pictures])
    try:
        order = ablation.mixed(names, seed, batch)
    except PosekitError:
        # only where a picture could have filled half a batch
        assert max(np.unique(names, return_counts=True)[1]) > min(len(names) % batch or batch, batch, len(names)) // 2
        assume(False)
    assert sorted(order) == list(range(len(names)))
    size = ablation.batch_size(len(names), batch)
    for start in range(0, len(order), size):
        rows = torch.as_tensor(order[start : start + size])
        partners = ablation.resample(rows[:, None, None, None], "x").flatten()
        assert (names[rows] != names[partners]).all()
        assert sorted(partners.tolist()) == sorted(rows.tolist())


@given(st.integers(2, 5000))
def test_no_batch_leaves_somebody_alone(count):
    size = ablation.batch_size(count)
    assert 2 <= size <= 64 and count % size != 1


def test_where_every_small_batch_leaves_somebody_alone_a_larger_one_is_taken():
    assert ablation.batch_size(13, 4) == 5


def test_one_person_does_without_but_for_another_persons_activation(store):
    model, one = network(), store.select(np.arange(1))
    alone = run(model, one, {"zero": ablation.zero})["all"]["zero"]
    np.testing.assert_allclose(alone, run(model, store, {"zero": ablation.zero})["all"]["zero"][:, :1], atol=0.01)
    np.testing.assert_allclose(whole(model, one), whole(model, store)[:, :1], atol=0.01)
    with pytest.raises(PosekitError, match="a batch of one person has nobody else's activation"):
        run(model, one, {"another's": ablation.resample})


def test_groups_of_nothing_and_means_that_nobody_took_are_refused(store):
    model = network()
    with pytest.raises(PosekitError, match="none: no hook point to replace"):
        run(model, store, {"zero": ablation.zero}, {"none": []})
    mean = ablation.mean(model, card(model), store, ["stem"], backend=PLAIN)
    with pytest.raises(PosekitError, match=r"stack0\.skip1: its mean is not known, but those of stem"):
        run(model, store, {"mean": mean}, {"x": ["stack0.skip1"]})
    assert not any(module._forward_hooks for module in model.modules())


def test_too_few_people():
    with pytest.raises(PosekitError, match="1 people: another person's activation needs at least two"):
        ablation.mixed(np.array(["a"]))
    with pytest.raises(PosekitError, match="half of 4 people are in the picture a"):
        ablation.mixed(np.array(["a"] * 3 + ["b"]))


def test_a_network_without_skips_is_refused():
    config = replace(CONFIG, skips=False)
    with pytest.raises(PosekitError, match="without skip connections"):
        ablation.skip_groups(Hourglass(config))


def test_a_group_of_ones_own_is_not_replaced_by_all():
    layers = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 14, 1))
    given = {"all": ["0"], "late": ["1"]}
    with pytest.raises(PosekitError, match="the group 'all' is 0, but 'all' is taken: it is every skip connection; give it another name"):
        ablation.skip_groups(adapt(layers, "lsp", 32, skips=given, report=None, backend=PLAIN).model)
    same = adapt(layers, "lsp", 32, skips={"all": ["1", "0"]}, report=None, backend=PLAIN).model
    assert ablation.skip_groups(same) == {"all": ["0", "1"]}


def test_the_summary_counts_labelled_joints():
    reference = np.tile([1.0, 1, 1, np.nan], (20, 1))
    hits = reference.copy()
    hits[:10, 0] = 0
    skeleton = replace(LSP, joints=LSP.joints[:4], sigmas=())
    block = ablation.summary(hits, reference, skeleton)
    assert block["mean"] == pytest.approx(50 / 60) and block["low"] < block["mean"] < block["high"]
    assert block["change"]["mean"] == pytest.approx(-10 / 60)
    assert list(block["joints"]) == ["right ankle", "right knee", "right hip"]
    assert block["joint changes"]["right ankle"]["mean"] == -0.5
    assert block["joint changes"]["right knee"] == {"mean": 0, "low": 0, "high": 0, "people": 20}
    np.testing.assert_allclose(ablation.by_person(hits), np.repeat([2 / 3, 1], 10))
    assert np.isnan(ablation.by_person(np.full((1, 4), np.nan))).all()


def test_small_joints_suffer_where_they_do():
    random = np.random.default_rng(0)
    reference = np.ones((400, 17))
    keep = np.array(COCO.sigmas) * 8  # the larger, the likelier to stay
    hits = (random.random(reference.shape) < keep).astype(float)
    block = ablation.small_joints(hits, reference, COCO, resamples=200)
    assert block["kinds"] == 9 and block["low"] <= block["mean"] <= block["high"] < -0.8 and block["p"] < 0.01
    assert block["loss"]["nose"] == pytest.approx(1 - hits[:, 0].mean())
    turned = ablation.small_joints(reference, hits, COCO, resamples=200)
    assert turned["mean"] == pytest.approx(-block["mean"])


@pytest.mark.parametrize("skeleton", [LSP, MPII])
def test_joints_whose_size_is_not_known_do_not_decide_whether_small_ones_lose_most(skeleton):
    random = np.random.default_rng(0)
    reference = np.ones((300, len(skeleton)))
    hits = (random.random(reference.shape) < np.array(skeleton.sigmas) * 8).astype(float)
    block = ablation.small_joints(hits, reference, skeleton, resamples=50)
    assert block["kinds"] == 6 and set(block["loss"]) == {"ankle", "knee", "hip", "wrist", "elbow", "shoulder"} == set(
        ablation.sizes(skeleton)
    )
    hits[:, skeleton.index(*skeleton.borrowed)] = 0  # whatever becomes of them
    assert ablation.small_joints(hits, reference, skeleton, resamples=50) == block


def test_relative_losses_are_of_what_was_found():
    reference = np.tile([1.0, 0.0], (10, 7))
    hits = reference / 2
    block = ablation.small_joints(hits, reference, LSP, relative=True, resamples=20)
    assert set(np.round(list(block["loss"].values()), 12)) <= {0.5}
    assert block["mean"] is None and block["p"] is None  # all lose alike


def test_unlabelled_joints_are_no_kind():
    reference = np.full((5, 17), np.nan)
    reference[:, :3] = 1
    block = ablation.small_joints(reference, reference, COCO, resamples=5)
    assert list(block["loss"]) == ["nose", "eye"] and block["mean"] is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_rank_correlation_is_scipys(pairs):
    x, y = np.array(pairs, float).T
    assume(np.ptp(x) and np.ptp(y))
    assert ablation.rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_a_recipe_comes_back_from_its_card():
    recipe = Recipe(epochs=3, seed=4, augmentation=Augmentation(flip=0.25))
    known = replace(card(network()), recipe=asdict(recipe) | {"start": "other"}, data_fingerprint="x")
    assert fitting.recipe_of(known) == recipe
    assert fitting.recipe_of(known, epochs=1).epochs == 1
    with pytest.raises(PosekitError, match="tiny: its card has no recipe"):
        fitting.recipe_of(card(network()))
    other = replace(known, recipe=known.recipe | {"epochs": 5})
    assert fitting.same_recipe(known, known) == [] and fitting.same_recipe(known, other) == ["epochs: 3, 5"]


def test_editing_needs_the_networks_own_modules(store):
    """Only through its modules does a network notice an edit, so `ablate` must not have it compiled."""
    model = network()
    with edit(model, {"stem": ablation.zero}):
        assert not np.allclose(whole(model, store), run(model, store, {"zero": ablation.zero})["all"]["zero"])


def test_who_is_tested_and_who_gives_the_means():
    everyone = people(range(20))
    for tested, others in (ablation.tested_and_others(everyone, 100), ablation.tested_and_others(everyone, 4)):
        assert not set(tested.ids.tolist()) & set(others.ids.tolist()), "means are of others"
    assert [len(part) for part in ablation.tested_and_others(everyone, 4)] == [4, 4]
    parts = replace(everyone, splits=np.array(["train"] * 10 + ["val"] * 4 + ["test"] * 6))
    tested, others = ablation.tested_and_others(parts, 5)
    assert set(tested.splits) == {"test"} and len(tested) == 5 and set(others.splits) == {"val"}


def test_changes_by_kind_take_both_sides_together():
    before, after = np.ones((30, 14)), np.ones((30, 14))
    after[:, LSP.joints.index("left wrist")] = 0
    before[:, LSP.joints.index("neck")] = np.nan
    found = ablation.kind_changes(after, before, LSP)
    assert found["wrist"]["mean"] == -0.5 and found["elbow"]["mean"] == 0 and "neck" not in found


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Weights of two networks alike but for their skip connections, of one of another size and of one of other joints."""
    folder = tmp_path_factory.mktemp("weights")

    def save(name, skips=True, size=32, skeleton="lsp", joints=14):
        config = replace(CONFIG, skips=skips, joints=joints)
        weights.save(folder / f"{name}.safetensors", Hourglass(config), Card(name, config.to_dict(), skeleton, size, "mse"))
        return str(folder / f"{name}.safetensors")

    return {"with": save("with"), "without": save("without", skips=False), "large": save("large", skips=False, size=64),
            "coco": save("coco", skips=False, skeleton="coco", joints=17)}  # fmt: skip


def test_twins_are_ablated_and_retrained_on_the_same_people(saved, store):
    twins = load_twins(saved["with"], saved["without"], "lsp")
    assert twins.names == ["with", "without"] and twins.parameters[0] > twins.parameters[1] and twins.numbers == 16 * 2 * 2
    found = twins.keypoints(store, store, PLAIN)
    assert list(found) == ["with", "zero", "the mean", "another person's", "without"]
    assert np.array_equal(found["with"], ablation.intact(twins.network, twins.card, store, backend=PLAIN))
    assert not np.array_equal(found["zero"], found["with"]) and all(k.shape == found["with"].shape for k in found.values())


@pytest.mark.parametrize(
    ("pair", "skeleton", "why"),
    [
        (("with", "with"), "lsp", "retrained .*: this network has skip connections; give one trained without"),
        (("without", "without"), "lsp", "built without skip connections"),
        (("with", "large"), "lsp", "32 px and .* 64 px; give two of one size"),
        (("with", "coco"), "lsp", "give networks with the joints of lsp"),
        (("with", "without"), "coco", "give networks with the joints of coco"),
    ],
)
def test_what_are_no_twins_is_refused(saved, pair, skeleton, why):
    with pytest.raises(PosekitError, match=why):
        load_twins(*(saved[name] for name in pair), skeleton)
