"""Adapted networks of several stages: planted ones, of which each stage's answer and each activation's reach are known."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

import posekit
from posekit import PosekitError, adapt
from posekit.data.people import People
from posekit.interpret.activations import ablation, patching, stacks, walks
from posekit.interpret.activations import codes as coding
from posekit.interpret.analysis import cka
from posekit.skeleton import COCO

PLAIN = posekit.Backend.plain()
QUIET = {"report": None, "backend": PLAIN}
SIDE, SPREAD = 160, 7.0


class Spots(nn.Module):
    """Stage i finds the spot of colour i, red, green or blue, and takes a thousandth of what each stage before it answers.

    All necks are computed before the first head, so that the order of computation does not tell which stage an activation is of.
    """

    def __init__(self, count: int, form: str):
        super().__init__()
        self.form = form
        self.neck = nn.ModuleList(nn.Conv2d(3, 1, 8, 8, bias=False) for _ in range(count))
        self.head = nn.ModuleList(nn.Conv2d(1, 17, 1, bias=False) for _ in range(count))
        self.handed = nn.ModuleList(nn.Identity() for _ in range(count - 1))
        with torch.no_grad():
            for i, (neck, head) in enumerate(zip(self.neck, self.head, strict=True)):
                neck.weight.zero_()[0, i] = 1 / 64
                head.weight.fill_(1.0)

    def forward(self, pictures):
        necks = [neck(pictures) for neck in self.neck]
        maps = []
        for i, head in enumerate(self.head):
            found = head(necks[i])
            maps.append(found + 0.001 * self.handed[i - 1](maps[-1]) if i else found)
        return {"list": maps, "tensor": torch.stack(maps, 1), "last": maps[-1], "heads": maps[-1]}[self.form]


FORMS = {"list": {}, "tensor": {}, "heads": True}  # how the maps are given: all in the answer, or by the hook points of the heads


def network(count=2, form="list", **options):
    given = {"code": [f"neck.{i}" for i in range(count)], "skips": ["neck.0"], "name": "spots"} | options
    if form == "heads":
        given = {"stages": [f"head.{i}" for i in range(count)]} | given
    return adapt(Spots(count, form), "coco", 128, **given, **QUIET)


def picture(name: str) -> np.ndarray:
    grid = np.mgrid[:SIDE, :SIDE]
    spots = np.array(name.split(), float).reshape(-1, 2)
    colours = [np.exp(-((grid[1] - x) ** 2 + (grid[0] - y) ** 2) / (2 * SPREAD**2)) for x, y in spots]
    return np.stack([255 * colour for colour in colours], -1).round().astype(np.uint8)


def people(count: int, stage: int) -> People:
    """Whose arms and legs lie where the spot of `stage` is; the head, shoulders and hips give a torso, and no stage finds them."""
    draw = np.random.default_rng(0)
    spots = np.stack([draw.uniform(40, 60, (count, 2)), draw.uniform(70, 90, (count, 2)), draw.uniform(100, 120, (count, 2))], 1).round(1)
    keypoints = np.concatenate([np.repeat(spots[:, stage, None], 17, 1), np.full((count, 17, 1), 2.0)], -1)
    trunk = COCO.index("left shoulder", "right shoulder", "left hip", "right hip")
    keypoints[:, trunk, :2] = spots[:, stage, None] + [[15, -55], [-15, -55], [15, -15], [-15, -15]]
    return People(
        COCO, np.array([" ".join(map(str, s.flatten())) for s in spots]), np.tile([15.5, 15.5, 128.0, 128.0], (count, 1)), keypoints,
        np.arange(count), np.full(count, "test"), picture, f"spots{stage}",
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [2, 3])
def test_each_stage_is_scored_by_its_own_answer(count, form, tmp_path):
    predictor = network(count, form)
    assert predictor.model.stage_count() == count
    for stage in range(count):
        given = people(6, stage)
        crops = posekit.crops(given, 160, tmp_path / str(stage))
        scores = posekit.evaluate(predictor, crops)
        wrists = [block["metrics"]["pck@0.2·torso"]["joints"]["left wrist"] for block in scores["stacks"]]
        assert wrists == [float(i == stage) for i in range(count)], "one stage finds them, and it alone"
        errors = posekit.errors_of(predictor, crops)["stacks"]
        assert [block["kinds"]["found"]["mean"] > 0.5 for block in errors] == [i == stage for i in range(count)]
    x, y = np.array(given.names[0].split(), float)[2 * (count - 1) :][:2]
    assert np.allclose(predictor.predict(picture(given.names[0]), [[15.5, 15.5, 128, 128]]).keypoints[0, 0, :2], (x, y), atol=0.6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [2, 3])
def test_an_activation_is_of_the_first_stage_whose_answer_it_reaches(count, form):
    model = network(count, form).model
    for i in range(count):
        assert model.stage_of(f"neck.{i}") == model.stage_of(f"head.{i}") == i
        assert model.code_hook_point(i) == model.code_hook_point(i - count) == f"neck.{i}"
    handed = [model.stage_of(f"handed.{i}") for i in range(count - 1)]
    assert handed == ([-1] * (count - 1) if form == "heads" else [*range(1, count)]), "behind the heads, where nobody reads it"
    with pytest.raises(PosekitError, match=r"no stack 7: an adapted network has the codes neck\.0, neck\.1.*numbered from 0"):
        model.code_hook_point(7)


@pytest.mark.parametrize("form", FORMS)
def test_codes_walks_patches_and_ablation_are_of_their_stage(form, tmp_path):
    predictor = network(2, form)
    model, card, given = predictor.model, predictor.card, people(8, 1)
    crops = posekit.crops(given, 160, tmp_path)
    for stage in range(2):
        spots = np.array([np.array(name.split(), float)[2 * stage :][:2] for name in given.names])
        codes, found = coding.codes_and_predictions(model, card, crops, model.code_hook_point(stage), backend=PLAIN)
        assert codes.shape == (8, 256) and np.allclose(found[:, 0, :2], spots, atol=0.6)
        one = torch.rand(1, 3, 160, 160)[..., 16:144, 16:144]
        maps, _ = walks.answers(model, card, one, model.code_hook_point(stage), np.eye(256)[None, 77], backend=PLAIN)
        assert maps[0].flatten(1).argmax(1).unique().tolist() == [77], "the stage whose code is replaced answers"
    lost = ablation.ablate(model, card, crops, ablation.skip_groups(model), {"another's": ablation.resample}, backend=PLAIN)["neck.0"][
        "another's"
    ]
    assert lost.shape == (2, 8, 17, 3)
    red = np.array([np.array(name.split(), float)[:2] for name in given.names])
    assert np.allclose(lost[0, :, 0, :2], np.roll(red, 4, 0), atol=0.6) and np.allclose(lost[1, :, 0, :2], spots, atol=0.6)
    views = patching.photographs(crops, card)
    patched = posekit.patch(predictor, views, views.roll(4, 0), patching.parts(model))
    assert patched.toward("code").mean == pytest.approx(1, abs=1e-4) and patched.toward("neck.1").mean == pytest.approx(1, abs=0.02)
    assert abs(patched.toward("neck.0").mean) < 0.02 and posekit.patch(predictor, views, views.roll(4, 0), ["neck.0"], stage=0).toward(
        "neck.0"
    ).mean == pytest.approx(1, abs=1e-4)


def test_layers_with_a_counterpart_in_each_stage_are_compared(tmp_path):
    predictor = network(2, "heads")
    model, crops = predictor.model, posekit.crops(people(12, 1), 160, tmp_path)
    assert [model.layers(i) for i in range(2)] == [{"code": f"neck.{i}", "heatmaps": f"head.{i}"} for i in range(2)]
    grams = [
        [cka.gram(coding.collect(model, predictor.card, crops, point, backend=PLAIN)) for point in model.layers(i).values()]
        for i in range(2)
    ]
    assert cka.table_of_grams(dict(enumerate(grams[0])), dict(enumerate(grams[0])))[0][1] == pytest.approx(1, abs=1e-5)
    assert network(2, "list").model.layers(0) == {"code": "neck.0"} and network(2, "list", code="neck.0").model.layers(0) == {}
    stacks.need_stacks(model, "spots")
    assert stacks.hand_overs(model) == {}


def test_an_answer_of_the_last_stage_alone_is_one_stage():
    predictor = network(2, "last", code="neck.1")
    assert predictor.model.stage_count() == 1 and predictor.model.stage_of("neck.1") == -1
    with pytest.raises(PosekitError, match="one stack"):
        stacks.need_stacks(predictor.model, "spots")


REFUSED = {
    "no such module": ({"stages": ["head.0", "tail"]}, r"tail is none of its modules; there are neck, neck\.0"),
    "maps of another shape": ({"stages": ["neck.0", "head.1"]}, "is a list of a tensor"),
    "a module that is a list": ({"stages": ["head"]}, "head"),
    "an output as well": ({"stages": ["head.0"], "output": 0}, "stages says where the maps are computed, and output where"),
    "a code too many": ({"code": ["neck.0", "neck.1"], "stages": ["head.0"]}, "2 codes, 1 stages; give a code for each stage, or one"),
    "a code that is none": ({"code": ["neck.0", "neck.5"]}, r"neck\.5 is none of its modules"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_stages_that_are_none_are_refused_in_a_line(case):
    options, said = REFUSED[case]
    with pytest.raises(PosekitError, match=said) as caught:
        network(2, "list", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_edits_reach_the_stages_and_nothing_is_left_behind(form):
    predictor = network(2, form)
    model, shown = predictor.model, torch.rand(1, 3, 128, 128)
    whole = model(shown)
    with posekit.edit(model, {"head.0": torch.zeros_like}), posekit.trace(model, ["head.1"]) as seen:
        found = model(shown)
    assert not found[:, 0].any() and seen["head.1"].shape == (1, 17, 16, 16) and torch.equal(model(shown), whole)
    assert not any(m._forward_hooks for m in model.modules())
    assert torch.equal(pickle.loads(pickle.dumps(predictor)).model(shown), whole)


def test_an_outside_network_may_have_hook_points_of_its_own():
    """Such as posekit's own, of which each stage's activations are told from the other's."""
    module = posekit.Hourglass(posekit.HourglassConfig.narrow(16, joints=14, stacks=2)).eval()
    codes, skips = module.code_hook_points(), module.skip_groups()
    model = adapt(module, "lsp", 64, code=codes, skips=skips, **QUIET).model
    shown = torch.rand(2, 3, 64, 64)
    assert torch.equal(model(shown), module(shown)) and model.code_hook_points() == codes
    points = [point for point in module.hook_points() if point in model.shapes]
    assert {"stem", "stack0.merge", "stack1.heatmaps"} <= {*points}
    assert [model.stage_of(point) for point in points] == [module.stage_of(point) for point in points]


def test_a_misspelt_hook_point_of_a_large_network_is_a_short_line():
    module = posekit.Hourglass(posekit.HourglassConfig.narrow(16, joints=14)).eval()
    for code, said in (("stack0.botleneck1", "near it: stack0.bottleneck1"), ("neck", r"there are stem\.conv, .* and \d+ more$")):
        with pytest.raises(PosekitError, match=said) as caught:
            adapt(module, "lsp", 64, code=code, **QUIET)
        assert len(str(caught.value)) < 600
