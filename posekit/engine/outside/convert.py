"""Public stacked hourglasses, trained with other programs, into posekit's weights files.

- princeton-vl/pytorch_stacked_hourglass, `models/posenet.py`: pictures (B, H, W, 3), RGB in [0, 1]. Each
  residual module carries a 1 x 1 convolution for its shortcut; where it has no use, it is dropped.
- bearpaw/pytorch-pose, `pose/models/hourglass.py`: pictures (B, 3, H, W), RGB in [0, 1] less the mean colour
  of the data set; as many residual modules a place as its option `--blocks` says.
- anibali/pytorch-stacked-hourglass: bearpaw's network under the same names, and the same mean colour.

A converted network takes pictures (B, 3, H, W) less `Card.input_mean`, and gives all stacks' heatmaps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from posekit.engine import weights
from posekit.engine.outside import foreign
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.files import expand_user, file_hash
from posekit.models.hourglass import Hourglass, HourglassConfig

PRINCETON = "princeton-vl/pytorch_stacked_hourglass"
BEARPAW = "bearpaw/pytorch-pose or anibali/pytorch-stacked-hourglass"

ANCHORS = ("pre.0.conv.weight", "layer1.0.conv1.weight")  # an entry by which a network of each is known

# Joints to skeleton and, for bearpaw's, the mean colour of its training pictures (data/*/mean.pth.tar there).
_SKELETON = {16: "mpii", 17: "coco"}
_BEARPAW_MEAN = {16: (0.4404, 0.4440, 0.4327), 17: (0.4566, 0.4369, 0.4061)}


def convert(checkpoint: str | Path, out: str | Path) -> Card:
    """Convert a checkpoint of one of the three programs, told from its keys, to the weights file `out`.

    Raises:
        PosekitError: the checkpoint cannot be read without executing code, is of another network or damaged,
            or `out` cannot be written.
    """
    checkpoint, out = expand_user(checkpoint), expand_user(out)
    entries = foreign.read(checkpoint)
    try:
        model, source = hourglass(foreign.choose(entries, ANCHORS))
    except ValueError as error:
        raise PosekitError(f"{checkpoint}: {error}") from None
    joints = model.config.joints
    if joints not in _SKELETON:
        raise PosekitError(f"{checkpoint}: {joints} joints in an unknown order; only MPII's 16 and COCO's 17 are known")
    card = Card(
        name=out.stem, config=model.config.to_dict(), skeleton=_SKELETON[joints], resolution=256, loss="mse",
        input_mean=_BEARPAW_MEAN[joints] if source == BEARPAW else (0.0, 0.0, 0.0), data=_SKELETON[joints],
        recipe={"converted from": source, "file": checkpoint.name, "sha256": file_hash(checkpoint)},
        note=f"converted from a checkpoint of {source}, whose terms of use hold",
    )  # fmt: skip
    weights.save(out, model, card)
    return card


def hourglass(state: Mapping[str, Tensor]) -> tuple[Hourglass, str]:
    """The network, in eval mode, of a foreign state dict, and the program that it is of.

    Raises:
        ValueError: of none of the known programs, or of a variant that posekit has no network for.
    """
    layout = _recognise(state)
    model = Hourglass(layout.config)
    rest, found = dict(state), {}
    for key, wanted in model.state_dict().items():
        theirs = layout.translate(key)
        if key.endswith("num_batches_tracked"):  # absent before torch 0.4.1, and without use in eval mode
            found[key] = rest.pop(theirs, wanted)
            continue
        if theirs not in rest:
            hint = "; networks with group normalisation are not known" if theirs.endswith("running_mean") else ""
            raise ValueError(f"of {layout.source}, but lacks {theirs}{hint}")
        found[key] = rest.pop(theirs).float()
        if found[key].shape != wanted.shape:
            raise ValueError(f"{theirs} is {tuple(found[key].shape)} where {tuple(wanted.shape)} belongs")
        if not found[key].isfinite().all():
            raise ValueError(f"{theirs} has values that are not finite")
    for key in rest:
        if not (layout.source == PRINCETON and ".skip_layer." in key):  # without a use, see above
            raise ValueError(f"of {layout.source}, but posekit's hourglass has no place for {key}")
    model.load_state_dict(found)
    return model.eval(), layout.source


@dataclass(frozen=True)
class _Layout:
    source: str
    config: HourglassConfig
    places: dict[str, str]  # our module to theirs: layers and whole residual modules
    inside: dict[str, str]  # our layer of a residual module to theirs

    def translate(self, key: str) -> str:
        module, _, leaf = key.rpartition(".")
        if module in self.places:
            return f"{self.places[module]}.{leaf}"
        residual, _, layer = module.rpartition(".")
        return f"{self.places[residual]}.{self.inside.get(layer, layer)}.{leaf}"


def _recognise(state: Mapping[str, Tensor]) -> _Layout:
    if "pre.0.conv.weight" in state and "outs.0.conv.weight" in state:
        return _princeton(state)
    if "layer1.0.conv1.weight" in state and "score.0.weight" in state:
        return _bearpaw(state)
    raise ValueError(f"not a hourglass of {PRINCETON}, {BEARPAW}; its first entry is {next(iter(state), 'missing')}")


def _princeton(state: Mapping[str, Tensor]) -> _Layout:
    joints, features = _shape(state, "outs.0.conv.weight")[:2]
    stacks, depth = _count(state, "outs.{}.conv.weight"), 1
    while f"hgs.0.0.{'low2.' * depth}up1.bn1.weight" in state:
        depth += 1
    if _shape(state, "hgs.0.0.low1.conv3.conv.weight")[0] != features:
        raise ValueError("made with `increase`, more channels at each level; posekit's hourglass has as many at each")
    a, b, c = (_shape(state, f"pre.{layer}.weight")[0] for layer in ("0.conv", "1.conv3.conv", "3.conv3.conv"))
    places = {"stem.conv": "pre.0.conv", "stem.bn": "pre.0.bn",
              "stem.residual1": "pre.1", "stem.residual2": "pre.3", "stem.residual3": "pre.4"}  # fmt: skip
    for i in range(stacks):
        for level in range(1, depth + 1):
            inner = f"hgs.{i}.0." + "low2." * (level - 1)
            for ours, theirs in (("skip", "up1"), ("encoder", "low1"), ("decoder", "low3")):
                places[f"stack{i}.{ours}{level}.0"] = inner + theirs
        places |= {
            f"stack{i}.bottleneck1": f"hgs.{i}.0." + "low2." * (depth - 1) + "low2",
            f"stack{i}.features.0.0": f"features.{i}.0",
            f"stack{i}.features.1": f"features.{i}.1.conv",
            f"stack{i}.features.2": f"features.{i}.1.bn",
            f"stack{i}.heatmaps": f"outs.{i}.conv",
            f"stack{i}.merge_features": f"merge_features.{i}.conv.conv",
            f"stack{i}.merge_heatmaps": f"merge_preds.{i}.conv.conv",
        }
    config = HourglassConfig(joints=joints, stacks=stacks, features=features, depth=depth, stem=(a, b, c))
    inside = {
        "conv1": "conv1.conv",
        "conv2": "conv2.conv",
        "conv3": "conv3.conv",
        "shortcut": "skip_layer.conv",
    }
    return _Layout(PRINCETON, config, places, inside)


def _bearpaw(state: Mapping[str, Tensor]) -> _Layout:
    joints, features = _shape(state, "score.0.weight")[:2]
    stacks, depth = _count(state, "score.{}.weight"), _count(state, "hg.0.hg.{}.0.0.conv1.weight")
    blocks = _count(state, "hg.0.hg.0.0.{}.conv1.weight")
    a, b, c = (_shape(state, f"{layer}.weight")[0] for layer in ("conv1", "layer1.0.conv3", "layer2.0.conv3"))
    places = {"stem.conv": "conv1", "stem.bn": "bn1"}
    places |= {f"stem.residual{n}": f"layer{n}.0" for n in (1, 2, 3)}
    for i in range(stacks):
        for block in range(blocks):
            for level in range(1, depth + 1):
                for part, ours in enumerate(("skip", "encoder", "decoder")):
                    places[f"stack{i}.{ours}{level}.{block}"] = f"hg.{i}.hg.{depth - level}.{part}.{block}"
            places[f"stack{i}.bottleneck{block + 1}"] = f"hg.{i}.hg.0.3.{block}"
            places[f"stack{i}.features.0.{block}"] = f"res.{i}.{block}"
        places |= {
            f"stack{i}.features.1": f"fc.{i}.0",
            f"stack{i}.features.2": f"fc.{i}.1",
            f"stack{i}.heatmaps": f"score.{i}",
            f"stack{i}.merge_features": f"fc_.{i}",
            f"stack{i}.merge_heatmaps": f"score_.{i}",
        }
    config = HourglassConfig(joints=joints, stacks=stacks, features=features, depth=depth, residuals=blocks,
                             bottleneck_residuals=blocks, stem=(a, b, c))  # fmt: skip
    return _Layout(BEARPAW, config, places, {"shortcut": "downsample.0"})


def _shape(state: Mapping[str, Tensor], key: str) -> tuple[int, ...]:
    if key not in state or state[key].ndim != 4:
        raise ValueError(f"lacks {key}, or it is not a convolution's kernel")
    return tuple(state[key].shape)


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    count = 0
    while pattern.format(count) in state:
        count += 1
    return count
