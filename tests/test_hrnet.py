"""HRNet from checkpoints: its layout is written down here anew, and what its weights compute is computed by torch's functions alone."""

import pytest
import torch
from checkpoints import LAYOUTS, MEAN, STD, Checkpoint
from torch.nn import functional as F

import posekit
from posekit import PosekitError
from posekit.engine.outside import adapters
from posekit.interpret.activations import ablation
from posekit.interpret.activations.codes import collect
from posekit.models.outside.hrnet import HRNet

PLAIN = posekit.Backend.plain()
QUIET = {"report": None, "backend": PLAIN}
WIDTH, MODULES, BLOCKS = 3, (1, 2, 2), 2


def random_state(joints: int = 17, head: int = 1) -> Checkpoint:
    """A tiny HRNet's weights by the names that mmpose has for them."""
    state = Checkpoint()

    def conv_norm(name, outputs, inputs, side):
        state.conv(f"{name}.0", outputs, inputs, side, side)
        state.norm(f"{name}.1", outputs)

    for k, inputs in ((1, 3), (2, 4)):
        state.conv(f"backbone.conv{k}", 4, inputs, 3, 3)
        state.norm(f"backbone.bn{k}", 4)
    state.residual("backbone.layer1.0", 4, 4, three=True)
    conv_norm("backbone.layer1.0.downsample", 16, 4, 1)
    state.residual("backbone.layer1.1", 16, 4, three=True)
    conv_norm("backbone.transition1.0", WIDTH, 16, 3)  # two branches of what is one
    conv_norm("backbone.transition1.1.0", 2 * WIDTH, 16, 3)
    for stage, count in zip((2, 3, 4), MODULES, strict=True):
        if stage > 2:  # a new branch of the last one
            conv_norm(f"backbone.transition{stage - 1}.{stage - 1}.0", 2 ** (stage - 1) * WIDTH, 2 ** (stage - 2) * WIDTH, 3)
        for module in range(count):
            name = f"backbone.stage{stage}.{module}"
            for branch in range(stage):
                for block in range(BLOCKS):
                    state.residual(f"{name}.branches.{branch}.{block}", 2**branch * WIDTH, 2**branch * WIDTH, three=False)
            for to in range(1 if (stage, module) == (4, count - 1) else stage):
                for source in range(stage):
                    if source > to:
                        conv_norm(f"{name}.fuse_layers.{to}.{source}", 2**to * WIDTH, 2**source * WIDTH, 1)
                    for step in range(to - source):
                        outputs = to if step == to - source - 1 else source
                        conv_norm(f"{name}.fuse_layers.{to}.{source}.{step}", 2**outputs * WIDTH, 2**source * WIDTH, 3)
    state.conv("head.final_layer", joints, WIDTH, head, head)
    state["head.final_layer.bias"] = torch.rand(joints)
    return state


def by_hand(state, x):
    def conv_norm(name, x, step=1):
        weight = state[f"{name}.0.weight"]
        return state.normed(f"{name}.1", F.conv2d(x, weight, None, step, weight.shape[-1] // 2))

    for k in (1, 2):
        x = F.relu(state.normed(f"backbone.bn{k}", F.conv2d(x, state[f"backbone.conv{k}.weight"], None, 2, 1)))
    for i in range(2):
        x = state.residually(f"backbone.layer1.{i}", x, three=True)
    maps = [F.relu(conv_norm("backbone.transition1.0", x)), F.relu(conv_norm("backbone.transition1.1.0", x, 2))]
    for stage, count in zip((2, 3, 4), MODULES, strict=True):
        if stage > 2:
            maps.append(F.relu(conv_norm(f"backbone.transition{stage - 1}.{stage - 1}.0", maps[-1], 2)))
        for module in range(count):
            name = f"backbone.stage{stage}.{module}"
            for branch in range(stage):
                for block in range(BLOCKS):
                    maps[branch] = state.residually(f"{name}.branches.{branch}.{block}", maps[branch])
            fused = []
            for to in range(1 if (stage, module) == (4, count - 1) else stage):
                total = 0
                for source, y in enumerate(maps):
                    if source > to:
                        y = conv_norm(f"{name}.fuse_layers.{to}.{source}", y)
                        y = y.repeat_interleave(2 ** (source - to), -2).repeat_interleave(2 ** (source - to), -1)
                    for step in range(to - source):
                        y = conv_norm(f"{name}.fuse_layers.{to}.{source}.{step}", y, 2)
                        y = y if step == to - source - 1 else F.relu(y)
                    total = total + y
                fused.append(F.relu(total))
            maps = fused
    weight = state["head.final_layer.weight"]
    return F.conv2d(maps[0], weight, state["head.final_layer.bias"], 1, weight.shape[-1] // 2)


def saved(state, folder, name="net"):
    torch.save(dict(state), folder / f"{name}.pth")
    return folder / f"{name}.pth"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("joints, head", [(17, 1), (16, 3)])
def test_hrnet_of_a_checkpoint_computes_what_its_weights_say(layout, joints, head, tmp_path):
    state = random_state(joints, head)
    network = adapters.hrnet(saved(LAYOUTS[layout](state), tmp_path), size=(64, 32), **QUIET)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = by_hand(state, (pictures[..., 16:48] - MEAN) / STD)
        found = network.model(pictures)[:, 0, :, :, 4:12]
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))
    assert str(network.card.skeleton) == {17: "coco", 16: "mpii"}[joints] and network.card.alignment == "msra" and network.card.stride == 4


def test_its_code_is_the_coarsest_branch_and_its_skips_are_the_others(tmp_path):
    network = adapters.hrnet(saved(random_state(), tmp_path), size=(64, 32), **QUIET)
    model = network.model
    assert model.code_hook_point() == "stage4.1.branches.3" and model.shapes["stage4.1.branches.3"] == (8 * WIDTH, 2, 1)
    assert [model.shapes[point] for points in model.skip_groups().values() for point in points] == [(3, 16, 8), (6, 8, 4), (12, 4, 2)]
    crops = posekit.crops(posekit.load_people("mannequins:4,size=64@all"), 80, tmp_path, aspect=network.card.aspect)
    assert collect(model, network.card, crops, model.code_hook_point(), backend=PLAIN).shape == (4, 8 * WIDTH * 2)
    lost = ablation.ablate(model, network.card, crops, ablation.skip_groups(model), {"zero": ablation.zero}, backend=PLAIN)
    assert set(lost) == {"1/4", "1/8", "1/16", "all"}
    # Without the code and all skip connections nothing of the picture is left.
    edits = dict.fromkeys((model.code_hook_point(), *ablation.skip_groups(model)["all"]), torch.zeros_like)
    with posekit.edit(model, edits), torch.no_grad():
        one, other = model(torch.rand(2, 3, 64, 64))
    assert torch.equal(one, other)


@pytest.mark.parametrize("width, parameters", [(32, 28_536_113), (48, 63_595_745)])
def test_it_has_the_parameters_that_the_paper_gives(width, parameters):
    with torch.device("meta"):
        network = HRNet(width)
    assert sum(p.numel() for p in network.parameters()) == parameters  # the paper's 28.5 and 63.6 M
    assert len(network.state_dict()) == 1754


CHANGES = {  # what is wrong with a checkpoint, and what the line says of it
    "a block is gone": (lambda s: [s.pop(n) for n in list(s) if ".stage3.1.branches.2.1." in n],
                        r"it has no stage3\.1\.branches\.2\.1\.conv1\.weight and 9 more"),
    "no head": (lambda s: [s.pop(n) for n in list(s) if n.startswith("head.")], r"it has no final_layer\.weight"),
    "no branches": (lambda s: [s.pop(n) for n in list(s) if ".stage3." in n], r"it has no stage3\.0"),
    "one bias is gone": (lambda s: s.pop("head.final_layer.bias"), r"it has no final_layer\.bias\)"),
    "one variance is gone": (lambda s: s.pop("backbone.bn2.running_var"), r"it has no bn2\.running_var\)"),
    "a classifier as well": (lambda s: s.update({"backbone.classifier.weight": torch.zeros(3, 3)}),
                             r"it has what is none of its weights: classifier\.weight\)"),
    "an exchange that no one reads": (lambda s: s.update({f"backbone.stage4.1.fuse_layers.1.0.0.0.{i}": torch.ones(1) for i in "ab"}),
                                      r"none of its weights: stage4\.1\.fuse_layers\.1\.0\.0\.0\.a and 1 more\)"),
    "a wider convolution": (lambda s: s.update({"backbone.transition3.3.0.0.weight": torch.zeros(24, 12, 5, 5)}),
                            r"of another shape is transition3\.3\.0\.0\.weight\)"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_does_not_fit_is_refused_in_a_line_that_names_what_does_not(change, tmp_path):
    state = random_state()
    damage, said = CHANGES[change]
    damage(state)
    with pytest.raises(PosekitError, match=rf"odd\.pth: no HRNet \(.*{said}") as caught:
        adapters.hrnet(saved(state, tmp_path, "odd"), size=64, **QUIET)
    assert "\n" not in str(caught.value) and "give it to posekit.adapt" in str(caught.value)


def test_a_checkpoint_of_old_counts_no_batches(tmp_path):
    state = {name: value for name, value in random_state().items() if not name.endswith("num_batches_tracked")}
    assert adapters.hrnet(saved(state, tmp_path), size=64, **QUIET).model.code_hook_point()


def test_an_input_that_its_branches_do_not_divide_is_refused(tmp_path):
    with pytest.raises(PosekitError, match=r"net: cannot take pictures \(2, 3, 48, 64\)"):
        adapters.hrnet(saved(random_state(), tmp_path), size=(48, 64), **QUIET)


def test_a_checkpoint_of_the_other_network_is_refused(tmp_path):
    from test_adapters import random_state as baseline

    with pytest.raises(PosekitError, match=r"no HRNet \(it has no transition1\.0\.0\.weight\)"):
        adapters.hrnet(saved(baseline(True, 17), tmp_path), **QUIET)
    with pytest.raises(PosekitError, match=r"no SimpleBaseline \(it has no layer2\.0\)"):
        adapters.simple_baseline(saved(random_state(), tmp_path), **QUIET)
