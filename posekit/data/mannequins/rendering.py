"""From a scene to its picture: what the rays met, painted, with keypoints, box and the true factors."""

import math
from dataclasses import dataclass

import numpy as np

from posekit.data.mannequins.painting import backdrop, finish, shade
from posekit.data.mannequins.raycasting import Raster, rasterise
from posekit.data.mannequins.scenes import Scene

FACTORS: tuple[str, ...] = (
    "posture",  # index into POSTURES
    "heading",  # radians; 0 faces the camera, positive turns towards the right edge of the picture
    "heading sin",
    "heading cos",
    "elevation",  # radians of the camera above the person's horizon
    "roll",  # radians of the trunk in the picture: 0 upright, positive to the right edge, ±π upside down
    "trunk slant",  # radians between the trunk and the picture plane; positive leans towards the camera
    "left elbow",  # joint angles in radians, 0 stretched
    "right elbow",
    "left shoulder",  # between trunk and upper arm: 0 hanging, π overhead
    "right shoulder",
    "left hip",  # flexion
    "right hip",
    "left knee",
    "right knee",
    "trunk lean",  # bending of the spine forward
    "body height",  # metres, standing
    "girth",  # 1 for an average adult
    "distance",  # metres between camera and person
    "size",  # longer side of the keypoints' box as a share of the picture's
    "offset x",  # centre of that box from the picture's centre, as a share of its side
    "offset y",
    "occluded",  # share of the silhouette in the picture that something else hides
    "visible joints",  # keypoints of flag 2
    "people",  # other people in the scene
    "brightness",  # mean of the picture, 0 to 1
    "contrast",  # mean of the person's visible pixels minus that of the rest
)


@dataclass(frozen=True)
class Mannequin:
    """One rendered person."""

    picture: np.ndarray  # (S, S, 3) uint8
    keypoints: np.ndarray  # (17, 3) float32: x, y in pixels and the COCO flag; NaN coordinates where it is 0
    box: np.ndarray  # (4,) float32 x, y, w, h of the silhouette within the picture, from pixel edge to pixel edge
    factors: dict[str, float]


def measure(scene: Scene, raster: Raster, picture: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """The true factors; `seen` (S, S) is the share of each pixel that shows the person."""
    origins, frames = scene.bones
    axes, angles = scene.camera.axes, scene.pose.angles
    forward = axes @ frames[2] @ (0, 0, 1.0)
    heading = math.atan2(forward[0], -forward[2])
    trunk = axes @ (origins[3] - origins[0])
    trunk = trunk / np.linalg.norm(trunk)
    flat = scene.camera.project(scene.places)
    low, high = flat.min(0), flat.max(0)
    offset = (low + high) / 2 - 0.5
    middle = (scene.places.max(0) + scene.places.min(0)) / 2
    toward = scene.camera.eye - middle
    distance = float(np.linalg.norm(toward))
    whole = raster.person.sum()
    visible = 2 * float(seen.sum())
    light, seen = (picture.reshape(-1, 3) @ np.full(3, 1 / 765, np.float32)), seen.ravel()

    def opening(arm):
        upper = frames[arm] @ (0, -1.0, 0)
        return math.acos(np.clip(upper @ (frames[2] @ (0, -1.0, 0)), -1, 1))

    inside = float(seen.sum())
    bright, total = float(light @ seen), float(light.sum())
    contrast = bright / max(inside, 1e-9) - (total - bright) / max(seen.size - inside, 1e-9)
    values = (
        scene.pose.posture, heading, math.sin(heading), math.cos(heading), math.asin(toward[1] / distance),
        math.atan2(trunk[0], -trunk[1]), math.asin(np.clip(-trunk[2], -1, 1)),
        *(math.radians(angles[side + "elbow"]) for side in ("left ", "right ")), opening(5), opening(8),
        *(math.radians(angles[side + "hip"]) for side in ("left ", "right ")),
        *(math.radians(angles[side + "knee"]) for side in ("left ", "right ")), math.radians(angles["lean"]),
        scene.build.height, scene.build.girth, distance, (high - low).max(), offset[0], offset[1],
        1 - min(visible / whole, 1) if whole else 1.0, (scene.flags == 2).sum(), scene.people, total / light.size, contrast,
    )  # fmt: skip
    return {name: float(value) for name, value in zip(FACTORS, values, strict=True)}


def render_scene(scene: Scene, size: int, ground: Scene | None = None) -> Mannequin:
    """Render a scene at `size` pixels a side; where `ground` is given, upon its backdrop, with the shadows of its solids."""
    rng = np.random.default_rng(scene.backdrop)
    raster = rasterise(scene.solids, scene.pieces, scene.camera, size)
    behind = backdrop(ground or scene, rng, size)

    def spread(values):
        """Samples back to pixels, nothing where the rays met nothing: (h,) to (S, S)."""
        whole = np.zeros(2 * size * size, np.float32)
        whole[raster.sample] = values
        return pool(whole.reshape(-1, size))

    picture = behind * (1 - spread(1.0))
    for plane, channel in zip(picture, shade(scene, raster), strict=True):
        plane += spread(channel)
    picture = finish(picture, rng)
    seen = spread((scene.solids["owner"] == 1).astype(np.float32)[raster.solid])

    keypoints = np.empty((17, 3), np.float32)
    keypoints[:, :2] = scene.camera.project(scene.places) * size - 0.5
    keypoints[:, 2] = scene.flags
    keypoints[scene.flags == 0, :2] = np.nan
    return Mannequin(picture, keypoints, silhouette_box(raster.person), measure(scene, raster, picture, seen))


def pool(samples: np.ndarray) -> np.ndarray:
    """Average the two samples of each pixel: (2 S, S, …) to (S, S, …)."""
    return (samples[::2] + samples[1::2]) * np.float32(0.5)


def silhouette_box(person: np.ndarray) -> np.ndarray:
    """Tight x, y, w, h (4,) of a silhouette (2 S, S) in pixels. A sample stands for its quarter of the
    pixel: the upper left, or the lower right one."""
    halves = np.stack([person[::2].any(0), person[1::2].any(0)], 1).ravel()
    columns, rows = np.flatnonzero(halves), np.flatnonzero(person.any(1))
    if len(rows) == 0:
        return np.zeros(4, np.float32)
    x, y, right, bottom = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 2
    return np.array([x - 0.5, y - 0.5, right - x, bottom - y], np.float32)


def scene_silhouettes(scene: Scene, size: int) -> np.ndarray:
    """Which part of the person each pixel's centre shows: (S, S) uint8 indices into `PARTS`, 0 where something else is."""
    raster = rasterise(scene.solids, scene.pieces, scene.camera, size, 1)
    parts = np.zeros(size * size, np.uint8)
    parts[raster.sample] = np.where(scene.solids["owner"] == 1, scene.solids["part"], 0)[raster.solid]
    return parts.reshape(size, size)
