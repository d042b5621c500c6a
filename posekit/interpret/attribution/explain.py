"""Attribution: which pixels of a picture a target hangs on. The methods themselves are captum's.

posekit.explain("lspet-hg1", "photograph.jpg", joint="left wrist", method="grad-cam")  # a notebook shows it drawn

What a pixel's value is:

- `saliency`: the gradient's largest absolute value over the colours (Simonyan et al., 2014, section 3.1).
- `guided-backprop`: the same, where ReLUs let through only what is positive both forward and backward (Springenberg et al., 2015).
- `deconvnet`: the same, where they let through what is positive backward, whatever it was forward (Zeiler & Fergus, 2014, section 2.1).
- `grad-cam`: the channels at a hook point, each weighted with its mean gradient; of their sum what is positive (Selvaraju et al., 2017,
  equations 1 and 2). At the features before a 1 x 1 head this is the heatmap itself and explains nothing.
- `occlusion`: what the target loses when a square is hidden, the mean over all squares over the pixel (Zeiler & Fergus, section 4.2).
- `integrated-gradients`: the mean gradient on the way from the blurred picture to this one, times the way, summed over the colours
  (Sundararajan et al., 2017, equation 1). The pixels' sum is what the target gains on the way, but for what STEPS steps of Gauss and
  Legendre, captum's default, miss at the kinks of ReLUs: 2 % for lspet-hg1 (median of 12 photographs; 8 % at most) and for
  lspet-64px-hg1 (of 20; 12 % at most). In 16 steps it was 16 % (36 %) and 2 % (44 %).

Whatever is hidden or taken away is replaced by the picture blurred so far that no limb shows.
"""

import io
import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from scipy.ndimage import map_coordinates
from torch import Tensor, nn

from posekit import heatmaps as hm
from posekit.coordinates import MARGIN, cropping, person_square, transform
from posekit.data.crops import cut
from posekit.engine.inference.prediction import Predictor, as_picture, check_boxes, load, predict_heatmaps
from posekit.engine.weights import Card
from posekit.errors import PosekitError, extra
from posekit.hooks import hook_points, trace
from posekit.interpret.attribution import targets
from posekit.interpret.attribution.targets import Scored, Target, answered, cells_of, joint_index
from posekit.skeleton import skeleton_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVATIONS = ("Gelu", "Silu", "LeakyRelu", "Elu", "Hardtanh", "Hardswish", "Softplus", "Mish", "PreluKernel")  # none of them a ReLU
METHODS = ("saliency", "guided-backprop", "deconvnet", "grad-cam", "occlusion", "integrated-gradients")
BLUR = 1 / 10  # sigma of what replaces a hidden part, as a share of the picture's width
SQUARE = 1 / 6  # side of the square that occlusion hides, as a share of the picture's width; it moves by half its side
STEPS = 50  # of integrated gradients
AT_ONCE = 32  # pictures that occlusion and integrated gradients put through the network together


@dataclass(frozen=True)
class Explanation:
    """Where a network looked for one joint of one person. As the last value of a notebook's cell it draws itself.

    Attributes:
        map: (H, W) float: the attribution of each pixel of the picture, 0 outside of what the network saw.
        heatmap: (H, W) float: the joint's heatmap, in the picture's pixels; None of a network that answers with coordinates.
        picture: (H, W, 3) uint8.
        seen: (4,) left, top, right and lower edge of what the network saw of it, picture pixels.
        point: (2,) x, y where the network puts the joint, picture pixels.
        joint: by the skeleton's name.
        method: with its layer, where it has one.
        target: what of the heatmap is explained: the joint's peak, say.
        network: its name.
    """

    map: np.ndarray
    heatmap: np.ndarray | None
    picture: np.ndarray
    seen: np.ndarray
    point: np.ndarray
    joint: str
    method: str
    target: str
    network: str

    def __repr__(self) -> str:
        height, width = self.map.shape
        return f"<Explanation of {self.target} by {self.method}, {self.network}, {width} x {height} px>"

    def figure(self) -> "Figure":
        """Picture, heatmap and map side by side, as far as the network saw the picture."""
        from posekit.display.overlay import beside

        heatmap = {} if self.heatmap is None else {f"heatmap of the {self.joint}": self.heatmap}
        return beside(self.picture, self.seen, self.point, heatmap | {self.method: self.map})

    def draw(self) -> Image.Image:
        """The same as a picture."""
        return Image.open(io.BytesIO(self._repr_png_()))

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.figure().savefig(file, format="png", dpi=110)
        return file.getvalue()


@torch.inference_mode(False)
def explain(
    model: Predictor | str | Path, image: str | Path | Image.Image | np.ndarray, joint: str = "left wrist", method: str = "grad-cam",
    target: str = "window", *, layer: str | None = None, box: ArrayLike | None = None, keypoints: np.ndarray | None = None,
) -> Explanation:  # fmt: skip
    """Which pixels of a picture the network's answer for a joint hangs on.

    Args:
        model: what `posekit.load` gives, or the name or file of weights.
        image: a file, a Pillow image or an array (H, W, 3) uint8 RGB.
        joint: by the skeleton's name.
        method: one of METHODS, see the module; or, of a transformer, `attention`: what the joint's cell reads from in the last layer.
        target: one of `targets.TARGETS`; of a network that answers with coordinates it is always how far the joint moves, in its pixels.
        layer: the hook point whose channels Grad-CAM weighs, `stack0.skip2` say; by default `default_layer`.
        box: (4,) x, y, w, h of the person in picture pixels; by default the whole picture.
        keypoints: (K, 3) annotated joints in picture pixels: explain the annotated position of the joint, not the predicted one.

    Raises:
        PosekitError: no such joint, method, target or hook point; one without spatial extent; a joint without annotation; a network
            without heatmaps, or without the attention that the method needs.

    >>> from posekit.data.mannequins import render
    >>> found = explain("mannequins-hg1", render(3, size=64).picture, "left wrist", method="saliency")
    >>> found
    <Explanation of window of left wrist by saliency, mannequins-hg1, 64 x 64 px>
    >>> found.map.shape
    (64, 64)
    """
    predictor = model if isinstance(model, Predictor) else load(model)
    predictor.model.eval()
    card, size = predictor.card, predictor.card.resolution
    if card.loss == "coordinates" and method != "occlusion":
        raise PosekitError(f"{card.name} answers with coordinates and has no heatmap to explain by {method}; occlusion explains it")
    k = joint_index(predictor.skeleton, joint)[0]
    joint = predictor.skeleton.joints[k]
    picture, name = as_picture(image)
    height, width = picture.shape[:2]
    whole = box is None
    label = name or "the picture"
    boxes = np.array([[-0.5, -0.5, width, height]]) if whole else check_boxes(box, width, height, label)
    if len(boxes) != 1:
        raise PosekitError(f"{label}: box is one person's x, y, width, height, and there are {len(boxes)}")
    centres, sides = person_square(boxes, 1.0 if whole else MARGIN, card.aspect)
    matrix = cropping(centres[0], sides[0], size)
    view = torch.from_numpy(cut(picture, centres[0], sides[0], size))[None].permute(0, 3, 1, 2).float() / 255
    view = view.to(predictor.backend.device)
    if card.loss == "coordinates":
        if keypoints is not None:
            raise PosekitError(f"{card.name} answers with coordinates, and what moves them is explained, not an annotated joint; leave "
                               "keypoints out")  # fmt: skip
        maps, cells = None, torch.zeros(0)
        found = predict_heatmaps(predictor.model, card, view)[:, -1].double().cpu().numpy()
        wanted = targets.displacement(k, joint, torch.from_numpy(found[:, k]))
    else:
        maps, cells, found = answered(predictor.model, card, view)
        cell = cells[0, k] if keypoints is None else _labelled_cell(np.asarray(keypoints, float), joint, matrix, card, maps.shape[-1])
        wanted = targets.target(target, joint, card, cell)
    reach = sides[0] / 2 * np.array([min(card.aspect, 1), min(1 / card.aspect, 1)])  # of what the network sees
    if method == "attention":
        values = _attention(predictor.model, card, view, cells)[0, k]
    else:
        layer = layer or (default_layer(predictor.model) if method == "grad-cam" else None)
        values = attribute(predictor.model, card, view, wanted, method, layer)[0]
    return Explanation(
        map=back(values, matrix, width, height),
        heatmap=None if maps is None else back(maps[0, k].cpu().numpy(), np.linalg.inv(card.cells) @ matrix, width, height),
        picture=picture,
        seen=np.clip([*(centres[0] - reach), *(centres[0] + reach)], -0.5, [width - 0.5, height - 0.5] * 2),
        point=transform(np.linalg.inv(matrix), found[0, k : k + 1, :2])[0],
        joint=joint,
        method=f"{method} at {layer}" if layer else method,
        target=wanted.name,
        network=card.name,
    )


@torch.inference_mode(False)
@torch.enable_grad()
def attribute(
    model: nn.Module, card: Card, pictures: Tensor, target: Target, method: str, layer: str | None = None, *, steps: int = STEPS
) -> np.ndarray:  # fmt: skip
    """The attribution (B, R, R), float32, of each pixel of pictures (B, 3, R, R) in [0, 1] by one of METHODS.

    `layer` is Grad-CAM's hook point; no other method takes one. `steps` are those of integrated gradients.
    Nothing remains in the model, after an error either.

    Raises:
        PosekitError: no such method or hook point, or a hook point without spatial extent.
    """
    if method not in METHODS:
        raise PosekitError(f"no method {method!r}; there are {', '.join(METHODS)}")
    if method == "grad-cam" and layer is None:
        raise PosekitError(f"grad-cam needs a layer: {', '.join(hook_points(model))}")
    if method != "grad-cam" and layer is not None:
        raise PosekitError(f"{method} attributes to pixels and takes no layer; grad-cam does")
    _check_gradients(model)
    if card.architecture == "parts" and method != "occlusion":
        raise PosekitError(f"{card.name} is made of templates and has no gradients for {method}; occlusion explains it")
    scored = Scored(model, card, target).eval()
    if method in ("saliency", "guided-backprop", "deconvnet"):
        return gradients(scored, pictures, method).abs().amax(1).cpu().numpy()
    pictures = pictures.detach().clone()
    with _quietly(), differentiated(card):
        if method == "grad-cam":
            assert layer is not None
            found = _channels(scored, model, pictures, layer)
        else:
            found = _hidden(scored, pictures) if method == "occlusion" else _integrated(scored, pictures, steps)
    return found.detach().float().cpu().numpy()


def _attention(model: nn.Module, card: Card, pictures: Tensor, cells: Tensor) -> np.ndarray:
    """The attention (B, K, R, R) at each joint's cell (B, K, 2), enlarged."""
    if not callable(dependencies := getattr(model, "dependencies", None)):
        raise PosekitError(f"{card.name} is no transformer and has no attention to show; it can be explained by {', '.join(METHODS)}")
    read = dependencies(pictures, cells.to(pictures.device))
    return nn.functional.interpolate(read, size=pictures.shape[-2:], mode="bilinear", align_corners=False).cpu().numpy()


@torch.inference_mode(False)
@torch.enable_grad()
def gradients(scored: Scored, pictures: Tensor, method: str) -> Tensor:
    """The gradient (B, 3, R, R) of a target by the pixels, with the ReLUs' backward pass as `saliency`, `guided-backprop` or `deconvnet`
    has it. Nothing remains in the model.
    """
    _check_gradients(scored)
    scored.eval()
    if method != "saliency":
        _check_relus(scored.model, pictures, method)
    attr = _captum()
    ways = {"saliency": attr.Saliency, "guided-backprop": attr.GuidedBackprop, "deconvnet": attr.Deconvolution}
    options = {"abs": False} if method == "saliency" else {}
    with _quietly(), differentiated(scored.card):
        return ways[method](scored).attribute(pictures.detach().clone(), **options).detach()


def _check_relus(model: nn.Module, pictures: Tensor, method: str) -> None:
    """Raises PosekitError where a network's activations are not all ReLU modules, whose backward pass a method changes."""
    modules = [module for module in model.modules() if isinstance(module, nn.ReLU)]
    if not modules:
        raise PosekitError(f"{method} changes what ReLU modules hand back, and this network has none, but other or functional activations: "
                           "it would be saliency under another name")  # fmt: skip
    called: list[nn.Module] = []
    handles = [module.register_forward_hook(lambda module, *_: called.append(module)) for module in modules]
    try:
        answer = model(pictures[:1].detach().clone().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    todo, seen, kinds = [answer.grad_fn], set(), Counter[str]()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        kinds[node.name().removesuffix("0").removesuffix("Backward")] += 1
        todo += [behind for behind, _ in node.next_functions]
    others = {name: count for name, count in kinds.items() if name in ACTIVATIONS}
    if kinds["Relu"] > len(called):
        others["functional Relu"] = kinds["Relu"] - len(called)
    if others:
        said = ", ".join(f"{count} {name}" for name, count in others.items())
        raise PosekitError(f"{method} changes what ReLU modules hand back, and this network has other activations beside its "
                           f"{len(called)}, {said}: they would be passed as saliency passes them")  # fmt: skip


def _channels(scored: Scored, model: nn.Module, pictures: Tensor, layer: str) -> Tensor:
    """Grad-CAM at a layer, enlarged to what the network sees of the pictures (B, R, R), and 0 beside it."""
    if math.prod(shape_at(model, pictures, layer)[1:]) == 1:
        raise PosekitError(_flat(model, pictures, layer))
    found = _captum().LayerGradCam(scored, model.get_submodule(layer)).attribute(pictures, relu_attributions=True)
    (left, top, width, height), side = scored.card.window, pictures.shape[-1]
    found = nn.functional.interpolate(found, size=(height, width), mode="bilinear", align_corners=False)
    return nn.functional.pad(found, (left, side - width - left, top, side - height - top))[:, 0]


def _hidden(scored: Scored, pictures: Tensor) -> Tensor:
    side = max(round(SQUARE * pictures.shape[-1]), 1)
    step = max(side // 2, 1)
    together = max(AT_ONCE // len(pictures), 1)
    method = _captum().Occlusion(scored)
    window, strides = (3, side, side), (3, step, step)
    return method.attribute(pictures, window, strides, baselines=blurred(pictures), perturbations_per_eval=together).mean(1)


def _integrated(scored: Scored, pictures: Tensor, steps: int) -> Tensor:
    way = _captum().IntegratedGradients(scored)
    return way.attribute(pictures, blurred(pictures), n_steps=steps, internal_batch_size=max(AT_ONCE, len(pictures))).sum(1)


def _check_gradients(model: nn.Module) -> None:
    if any(tensor.is_inference() for tensor in model.parameters()):
        raise PosekitError("the network was made inside torch.inference_mode() and has no gradients; make it outside")


def _captum() -> ModuleType:
    with extra("interpret", "an explanation"):
        from captum import attr
    return attr


@contextmanager
def differentiated(card: Card) -> Iterator[None]:
    """Meanwhile a gradient that does not reach the pixels raises PosekitError: the network computes outside of torch, or detaches."""
    try:
        yield
    except RuntimeError as error:
        if "does not require grad" not in str(error) and "not have been used in the graph" not in str(error):
            raise
        raise PosekitError(
            f"{card.name} has no gradient by its pixels: it computes outside of torch, or detaches on the way; occlusion and dependency "
            "explain it"
        ) from None


@contextmanager
def _quietly() -> Iterator[None]:
    """Without captum's warnings that it sets hooks, and takes them away again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def default_layer(model: nn.Module) -> str:
    """Grad-CAM's hook point where none is named: what the network says, the finest sum of an hourglass's last stack, or its first."""
    own = getattr(model, "default_layer", None)
    return own() if own else hook_points(model)[0]


def shape_at(model: nn.Module, pictures: Tensor, hook_point: str) -> tuple[int, int, int]:
    """Channels, height and width of the activation at a hook point, for pictures as large as these.

    Raises:
        PosekitError: no such hook point; or its activation is no map, tokens say, so that no channel can be told from a position.
    """
    with trace(model, [hook_point]) as activations, torch.no_grad():
        model(pictures[:1])
    shape = tuple(activations[hook_point].shape[1:])
    if len(shape) != 3:
        maps = [name for name, other in getattr(model, "shapes", {}).items() if len(other) == 3]
        known = f"; maps are {', '.join(maps)}" if maps else ""
        raise PosekitError(f"{hook_point}: its activation is {shape} for a picture, and no map of channels, height and width{known}")
    return shape


def blurred(pictures: Tensor) -> Tensor:
    """Pictures (B, C, R, R) without detail: a Gaussian blur of `BLUR` of the width."""
    return softened(pictures, BLUR * pictures.shape[-1])


def softened(pictures: Tensor, sigma: float) -> Tensor:
    """Pictures (B, C, R, R) after a Gaussian blur; at the border, of what lies inside."""
    return hm.smooth(pictures, sigma) / hm.smooth(torch.ones_like(pictures[:1, :1]), sigma)


def back(values: np.ndarray, matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """Values (h, w) of a grid at the pixels (height, width) of the picture that `matrix` (3, 3) leads from, bilinear; 0 outside."""
    y, x = np.mgrid[:height, :width]
    points = transform(matrix, np.stack([x, y], -1).reshape(-1, 2).astype(float))
    inside = ((points >= -0.5) & (points <= np.array(values.shape[::-1]) - 0.5)).all(-1)
    found = map_coordinates(np.asarray(values, float), points.T[::-1], order=1, mode="nearest")
    return np.where(inside, found, 0.0).reshape(height, width)


def _labelled_cell(keypoints: np.ndarray, joint: str, matrix: np.ndarray, card: Card, width: int) -> Tensor:
    skeleton = skeleton_of(card.skeleton)
    if keypoints.shape != (len(skeleton), 3):
        raise PosekitError(f"keypoints are ({len(skeleton)}, 3), x, y and flag of the {skeleton.name} skeleton, not {keypoints.shape}")
    known = (keypoints[:, 2] > 0) & np.isfinite(keypoints[:, :2]).all(1)
    k = skeleton.joints.index(joint)
    if not known[k]:
        labelled = ", ".join(name for name, there in zip(skeleton.joints, known, strict=True) if there) or "none"
        raise PosekitError(f"{joint} is not labelled for this person; labelled: {labelled}; without keypoints the predicted one is taken")
    point, (left, top, *size) = transform(matrix, keypoints[k : k + 1, :2]), card.window
    if ((point < np.array([left, top]) - 0.5) | (point > np.array([left, top]) + size - 0.5)).any():
        raise PosekitError(f"{joint} is annotated at {keypoints[k, 0]:g}, {keypoints[k, 1]:g}, outside of what {card.name} sees; give a "
                           "box that holds it")  # fmt: skip
    return cells_of(point, card, width)[0]


def _flat(model: nn.Module, pictures: Tensor, layer: str) -> str:
    with trace(model, hook_points(model)) as activations, torch.no_grad():
        model(pictures[:1])
    wide = [name for name, value in activations.items() if value.ndim == 4 and math.prod(value.shape[2:]) > 1]
    return f"{layer} has no spatial extent at {pictures.shape[-1]} px, so Grad-CAM cannot say where; {', '.join(wide)} have"
