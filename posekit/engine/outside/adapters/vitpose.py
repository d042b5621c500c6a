"""ViTPose, as the library `transformers` has it.

    from transformers import VitPoseForPoseEstimation
    import posekit

    network = posekit.adapters.vitpose(VitPoseForPoseEstimation.from_pretrained("FOLDER"))
    network.predict("photograph.jpg"), posekit.explain(network, "photograph.jpg", "left wrist", "attention")

Y. Xu, J. Zhang, Q. Zhang, D. Tao: ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation, NeurIPS 2022.
"""

from functools import partial
from typing import Any

from torch import Tensor, nn

from posekit.engine.inference.prediction import Predictor
from posekit.engine.outside.adapting import adapt
from posekit.errors import PosekitError
from posekit.skeleton import Skeleton

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


class Chosen(nn.Module):
    """A network of a mixture of experts, which is told for which data set it answers."""

    def __init__(self, model: nn.Module, dataset: int):
        super().__init__()
        self.model, self.dataset = model, dataset

    def forward(self, pictures: Tensor) -> Any:
        return self.model(pictures, dataset_index=pictures.new_full((len(pictures),), self.dataset).long())


def vitpose(model: Any, skeleton: Skeleton | str = "coco", *, dataset: int = 0, **options: Any) -> Predictor:
    """A predictor of a `VitPoseForPoseEstimation` of transformers.

    Its code is what the decoder gets, its attention the last layer's; all layers are hook points. Its maps are aligned as `udp` has it.

    Args:
        model: the network, its weights loaded.
        skeleton: whose joints its maps are of.
        dataset: of ViTPose+, the mixture of experts: for which of its data sets it answers, COCO's is 0.
        options: what else `posekit.adapt` takes, in place of what is said here.

    Raises:
        PosekitError: it is no such network, or what `posekit.adapt` refuses.
    """
    backbone = getattr(getattr(model, "config", None), "backbone_config", None)
    if backbone is None or not hasattr(model, "backbone") or not hasattr(model, "head"):
        raise PosekitError(f"a {type(model).__name__} is no VitPoseForPoseEstimation of transformers; posekit.adapt takes any network")
    model.set_attn_implementation("eager")  # other ways to compute attention keep its weights to themselves
    experts = getattr(backbone, "num_experts", 1) > 1
    module, before = (Chosen(model, dataset), "model.") if experts else (model, "")
    layers = backbone.num_hidden_layers
    decoder = "activation" if hasattr(model.head, "activation") else "deconv1"
    given = {
        "mean": MEAN, "std": STD, "output": "heatmaps", "alignment": "udp", "name": "vitpose", "code": f"{before}head.{decoder}",
        "attention": f"{before}backbone.encoder.layer.{layers - 1}.attention.attention",
    }  # fmt: skip
    return partial(adapt, module, skeleton, tuple(backbone.image_size))(**given | options)
