"""SimpleBaseline from a checkpoint of mmpose, or of Microsoft's own code.

    import posekit

    network = posekit.adapters.simple_baseline("td-hm_res50_8xb64-210e_coco-256x192.pth")
    posekit.evaluate(network, "coco:photographs@val", flip=True)
    posekit.explain(network, "photograph.jpg", "left wrist", "grad-cam")

The file holds weights alone; the architecture is `posekit.models.simple_baseline`, and it is read off the weights' names and shapes.
"""

from pathlib import Path
from typing import Any

import torch

from posekit.engine import foreign
from posekit.engine.adapting import adapt
from posekit.engine.prediction import Predictor
from posekit.errors import PosekitError
from posekit.models.simple_baseline import SimpleBaseline
from posekit.skeleton import Skeleton

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
PARTS = ("backbone.", "head.", "keypoint_head.")  # what mmpose puts before the names
FOUND = {17: "coco", 16: "mpii"}  # skeletons by the number of maps


@torch.inference_mode(False)
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
    path = Path(checkpoint).expanduser()
    try:
        state = foreign.choose(foreign.read(path), ("backbone.layer1.0.conv1.weight", "layer1.0.conv1.weight"))
    except ValueError as error:
        raise PosekitError(f"{path}: {error}") from None
    names = {name: value for name, value in ((_plain(name), value) for name, value in state.items()) if not name.startswith("teacher")}
    try:
        network = SimpleBaseline.of(names)
        network.load_state_dict({name: value for name, value in names.items() if name in network.state_dict()})
    except (KeyError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise PosekitError(
            f"{path}: no SimpleBaseline ({why}); build the network by its own library and give it to posekit.adapt"
        ) from None
    joints = network.final_layer.out_channels
    if skeleton is None and joints not in FOUND:
        raise PosekitError(f"{path}: {joints} maps, of neither COCO's nor MPII's joints; give skeleton=posekit.Skeleton(...)")
    given = {"mean": MEAN, "std": STD, "alignment": "msra", "name": path.stem, "code": "layer4"}
    return adapt(network, skeleton or FOUND[joints], size, **given | options)


def _plain(name: str) -> str:
    return next((name.removeprefix(part) for part in PARTS if name.startswith(part)), name)
