"""The data of the page *Try it*: a network, mannequins to try it on, and what the page's switches and sliders need to know of people.

The page's own scripts lie in book/_extra/try_it; this module writes the one beside them that holds the data, `data.js`.
"""

import base64
import hashlib
import io
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import posekit
from posekit.coordinates import CONTEXT, MARGIN, person_square
from posekit.data.crops import Crops, cut
from posekit.data.mannequins import POSTURES
from posekit.data.people import People
from posekit.display.drawing import draw, joint_colours, limb_colours
from posekit.display.html import webp
from posekit.engine import browser
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Predictor, decode, predict_heatmaps
from posekit.engine.trust.calibrate import Measured, measure
from posekit.engine.trust.calibration import conformal
from posekit.engine.weights import SHIPPED, Card
from posekit.files import atomic_write, json_text, write_text
from posekit.interpret.activations import ablation
from posekit.interpret.activations.codes import activation_shape, code_hook_point, collect
from posekit.interpret.analysis import components, probes
from posekit.interpret.analysis.attributes import attributes
from posekit.workflow.parameters import root

WEIGHTS = "lspet-64px-hg1"
PEOPLE = "mannequins:300"
GALLERY = 12  # people to choose from
UPRIGHT = 0.7  # cosine of the trunk's angle from the vertical
LONGEST = 400  # pixels of a picture's side
SHOWN = 5  # of them, on paper
COMPONENTS = 8  # to walk along
ATTRIBUTES = ("sitting", "lean", "arm elevation", "facing", "spread")  # whose probe's direction there is to walk along
COVERED = 0.8  # share of people whose joint lies within its circle
LEAST = 50  # people whose joint is labelled: fewer, and a joint's circle is that of all joints


def lay(source: Path) -> None:
    """Write the page's data and its still for paper into a book's source, copied from build/ where weights and library are the same."""
    files = [SHIPPED / f"{WEIGHTS}.safetensors", *sorted(Path(__file__).parents[2].rglob("*.py"))]
    digest = hashlib.sha256("".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in files).encode()).hexdigest()
    kept = root() / "build" / f"try_it-{digest[:16]}"
    script, picture = kept.with_suffix(".js"), kept.with_suffix(".png")
    if not script.is_file():
        for old in kept.parent.glob("try_it-*"):
            old.unlink(missing_ok=True)
        found = data(WEIGHTS, PEOPLE)
        with atomic_write(picture) as file:
            still(WEIGHTS, found["people"][:SHOWN]).save(file, "PNG")
        write_text(script, as_script(found))
    for path, place in ((script, "_extra/try_it/data.js"), (picture, "figures/try_it/still.png")):
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, source / place)


def as_script(found: dict[str, Any]) -> str:
    """JavaScript that puts all that the page needs, as `data` gives it, into `tryIt`."""
    return f"tryIt = {json_text(found, indent=None)}\n"


def data(weights: str, people: str, gallery: int = GALLERY) -> dict[str, Any]:
    """The network of shipped weights as `browser.export` gives it, and:

    - `people`: of the split test those `gallery` whom the network predicts best, upright ones first: `name`, `picture` (a data address),
      and the square that the network sees as `view`: x and y of its centre and its side, in picture pixels from the picture's outer edge.
    - `means`: by place the mean activation over all others, ordered (rows, columns, channels).
    - `walks`: directions of the last stack's code: `name`, `says` what it is, and `step`, one standard deviation along it.
    - `radii`: for each joint by how much a heatmap's spread is multiplied to give the radius of a circle that holds the joint of
      `covered` of the others: split conformal prediction with normalised residuals (Lei et al., JASA 2018, section 5.2).
    - `count`: how many others there are, and of which `kind`.
    - `colours`, `limb_colours`: those of the book's drawings.

    Arrays are float16, little-endian in base64.
    """
    network, backend = posekit.load(weights, "cpu"), Backend.plain()
    model, card = network.model, network.card
    everybody = posekit.load_people(people)
    crops = posekit.crops(everybody, int(card.resolution * CONTEXT))
    test = crops.people.splits == "test"
    known, tried = crops.select(~test), crops.select(test)
    description = browser.export(model, card)
    means = ablation.means(model, card, known, description["places"], backend=backend)
    errors = _measured(network, tried, lambda seen: seen.distances / seen.torsos[:, None])
    best = np.argsort(np.nanmean(errors, 1), kind="stable")[:gallery]
    upright = attributes(tried.people.keypoints[best], tried.people.skeleton)["upright"] > UPRIGHT
    best = best[np.argsort(~upright, kind="stable")]
    return {
        "network": description,
        "people": [_person(tried.people, i, number) for number, i in enumerate(best, 1)],
        "means": {place: _text(mean.numpy().transpose(1, 2, 0)) for place, mean in means.items()},
        "walks": _walks(model, card, known),
        "radii": [round(radius, 4) for radius in _radii(_measured(network, known, lambda seen: seen.distances / seen.spreads))],
        "covered": COVERED,
        "count": len(known),
        "kind": "mannequins" if known.people.factors else "people",
        "colours": joint_colours(network.skeleton),
        "limb_colours": limb_colours(network.skeleton),
    }


def still(weights: str, people: list[dict[str, Any]]) -> Image.Image:
    """What the network sees of people of the page and predicts, and below, its heatmaps laid over each other."""
    network = posekit.load(weights, "cpu")
    card, views = network.card, []
    for person in people:
        file = io.BytesIO(base64.b64decode(person["picture"].partition(",")[2]))
        x, y, side = person["view"]
        views.append(cut(np.asarray(Image.open(file).convert("RGB")), np.array([x - 0.5, y - 0.5]), side, card.resolution))
    maps = predict_heatmaps(network.model, card, torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 255)[:, -1]
    keypoints = decode(maps, card, np.eye(3)[None].repeat(len(views), 0))
    above = [draw(view, points, network.skeleton) for view, points in zip(views, keypoints, strict=True)]
    from posekit.plots.codes.meaning import glow  # matplotlib is an extra

    below = [Image.fromarray(light) for light in glow(maps.numpy(), network.skeleton, enlarge=1)]
    rows = [np.concatenate([np.asarray(cell.resize((256, 256))) for cell in cells], 1) for cells in (above, below)]
    return Image.fromarray(np.concatenate(rows))


def _person(people: People, index: int, number: int) -> dict[str, Any]:
    centre, side = person_square(people.boxes[index], MARGIN)
    picture = Image.fromarray(people.read(people.names[index]))
    factor = min(1, LONGEST / max(picture.size))
    if factor < 1:
        picture = picture.resize((round(factor * picture.width), round(factor * picture.height)), Image.Resampling.LANCZOS)
    name = f"mannequin {number}, {list(POSTURES)[int(people.factors['posture'][index])]}" if people.factors else f"person {number}"
    return {"name": name, "picture": webp(picture, 80), "view": [factor * float(v) for v in (*(centre + 0.5), side)]}


def _walks(model: Any, card: Card, crops: Crops) -> list[dict[str, str]]:
    place = code_hook_point(model)
    codes = collect(model, card, crops, place, backend=Backend.plain())
    found = components.pca_of(codes)
    scores = found.transform(codes)
    values = attributes(crops.people.keypoints, crops.people.skeleton)
    shape = activation_shape(model, card, place)

    def walk(name: str, says: str, step: np.ndarray) -> dict[str, str]:
        return {"name": name, "says": says, "step": _text(step.reshape(shape).transpose(1, 2, 0))}

    walks = [
        walk(
            f"component {i + 1}",
            f"{100 * found.shares[i]:.0f} % of the variance of codes",
            math.sqrt(found.variances[i]) * found.directions[i],
        )
        for i in range(min(COMPONENTS, len(found)))
    ]
    for name in ATTRIBUTES:
        direction = probes.reading_direction(name, scores, values[name], found.directions)
        walks.append(walk(f"probe: {name}", f"the direction in which a linear probe reads “{name}”", direction.sd * direction.vector))
    return walks


def _measured(network: Predictor, crops: Crops, value: Callable[[Measured], np.ndarray]) -> np.ndarray:
    """A value (N, J) of stored people by joint of the network, (N, K): NaN for joints that the people do not have."""
    seen = measure(network, crops)
    found = np.full((len(crops), len(network.skeleton)), np.nan)
    found[:, network.skeleton.index(*seen.joints.joints)] = value(seen)
    return found


def _radii(ratios: np.ndarray) -> list[float]:
    """For each joint the quantile of errors over spreads, (N, K), that the next person's stays below with probability COVERED."""
    labelled = np.isfinite(ratios).sum(0) >= LEAST
    return [conformal(ratios[:, k] if labelled[k] else ratios, COVERED) for k in range(ratios.shape[1])]


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f2").tobytes()).decode()
