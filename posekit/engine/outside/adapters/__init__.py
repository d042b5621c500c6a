"""Ready adapters: pose networks of other libraries and files as `posekit.adapt` gives them, a file each.

posekit.adapters.vitpose(model)                  # VitPoseForPoseEstimation of transformers
posekit.adapters.simple_baseline("res50.pth")    # a checkpoint of mmpose, or of Microsoft's code
posekit.adapters.hrnet("hrnet_w32.pth")          # another
posekit.adapters.onnx("network.onnx", "coco")    # any network as an ONNX file, for questions that need no gradients
"""

from posekit.engine.outside.adapters.mmpose import hrnet, simple_baseline
from posekit.engine.outside.adapters.onnx_file import onnx
from posekit.engine.outside.adapters.vitpose import vitpose

__all__ = ["hrnet", "onnx", "simple_baseline", "vitpose"]
