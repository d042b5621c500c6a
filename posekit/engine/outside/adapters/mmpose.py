"""SimpleBaseline and HRNet from checkpoints of mmpose, or of the authors' own code.

    import posekit

    network = posekit.adapters.simple_baseline("td-hm_res50_8xb64-210e_coco-256x192.pth")
    network = posekit.adapters.hrnet("pose_hrnet_w32_256x192.pth")
    posekit.evaluate(network, "coco:photographs@val", flip=True)
    posekit.explain(network, "photograph.jpg", "left wrist", "grad-cam")

The file holds weights alone; the architecture is one of `posekit.models`, and it is read off the weights' names and shapes.
"""

from pathlib import Path
from typing import Any

import torch

from posekit.engine.inference.prediction import Predictor
from posekit.engine.outside import foreign
from posekit.engine.outside.adapting import adapt
from posekit.errors import PosekitError
from posekit.files import expand_user
from posekit.models.outside.hrnet import HRNet
from posekit.models.outside.simple_baseline import SimpleBaseline
from posekit.skeleton import Skeleton

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
PARTS = ("backbone.", "head.", "keypoint_head.")  # what mmpose puts before the names
FOUND = {17: "coco", 16: "mpii"}  # skeletons by the number of maps


def simple_baseline(
    checkpoint: str | Path, skeleton: Skeleton | str | None = None, size: int | tuple[int, int] = (256, 192), **options: Any
) -> Predictor:
    """A predictor of a SimpleBaseline: ResNet-18 to -152, transposed convolutions, a head.

    Its code is what the ResNet ends with. Its maps are aligned as `msra` has it; of a checkpoint with UDP give `alignment="udp"`.

    Args:
        checkpoint: a file of torch or safetensors; nothing in it is executed.
        skeleton: whose joints its maps are of; by default COCO's of 17 maps and MPII's of 16.
        size: (H, W) of its input in pixels, or the side of a square. The weights do not tell it.
        options: what else `posekit.adapt` takes, in place of what is said here.

    Raises:
        PosekitError: the file cannot be read or is of another network, or what `posekit.adapt` refuses.
    """
    return _adapted(SimpleBaseline, expand_user(checkpoint), skeleton, size, options)


def hrnet(
    checkpoint: str | Path, skeleton: Skeleton | str | None = None, size: int | tuple[int, int] = (256, 192), **options: Any
) -> Predictor:
    """A predictor of an HRNet, W32 or W48.

    Its code is what the branch of the lowest resolution, 1/32, ends with. Its skip connections are what the other three end with, `1/4`,
    `1/8` and `1/16`; the head sees the sum of the four. Its maps are aligned as `msra` has it; of a checkpoint with UDP give
    `alignment="udp"`.

    Args:
        checkpoint, skeleton, size, options: see `simple_baseline`.

    Raises:
        PosekitError: the file cannot be read or is of another network, or what `posekit.adapt` refuses.
    """
    return _adapted(HRNet, expand_user(checkpoint), skeleton, size, options)


@torch.inference_mode(False)
def _adapted(
    kind: type[SimpleBaseline] | type[HRNet], path: Path, skeleton: Skeleton | str | None, size: int | tuple[int, int],
    options: dict[str, Any],
) -> Predictor:  # fmt: skip
    other = "build the network by its own library and give it to posekit.adapt"
    try:
        state = foreign.choose(foreign.read(path), ("backbone.layer1.0.conv1.weight", "layer1.0.conv1.weight"))
        weights = {_plain(name): value for name, value in state.items() if not name.startswith("teacher")}
        network = kind.of(weights)
    except KeyError as error:
        raise PosekitError(f"{path}: no {kind.__name__} (it has no {error.args[0]}); {other}") from None
    except ValueError as error:
        raise PosekitError(f"{path}: {error}") from None
    if misfits := _misfits(network, weights):
        raise PosekitError(f"{path}: no {kind.__name__} ({misfits}); {other}")
    network.load_state_dict(weights)
    joints = network.final_layer.out_channels
    if skeleton is None and joints not in FOUND:
        raise PosekitError(f"{path}: {joints} maps, of neither COCO's nor MPII's joints; give skeleton=posekit.Skeleton(...)")
    given = {"mean": MEAN, "std": STD, "alignment": "msra", "name": path.stem, "code": network.code, "skips": network.skips}
    return adapt(network, skeleton or FOUND[joints], size, **given | options)


def _misfits(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> str:
    """What of the weights does not fit the network, in a clause; "" where all of it does."""
    own = network.state_dict()
    faults = {  # torch before 0.4.1 counted no batches
        "it has no": [name for name in own if name not in weights and not name.endswith(".num_batches_tracked")],
        "it has what is none of its weights:": [name for name in weights if name not in own],
        "of another shape is": [name for name, value in weights.items() if name in own and value.shape != own[name].shape],
    }
    return "; ".join(
        f"{fault} {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "") for fault, names in faults.items() if names
    )


def _plain(name: str) -> str:
    return next((name.removeprefix(part) for part in PARTS if name.startswith(part)), name)
