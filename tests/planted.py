"""People whose joints are coloured dots, a colour a joint: a task that a tiny network learns in seconds."""

import colorsys
from pathlib import Path

import numpy as np

from posekit.data.augment import Augmentation
from posekit.data.crops import Crops, crops
from posekit.data.people import People, joints_box
from posekit.engine.learning.training import Recipe
from posekit.skeleton import LSP

SIDE = 100  # of a picture
_COLOURS = np.array([colorsys.hsv_to_rgb(i / 14, 1 - 0.5 * (i % 2), 1) for i in range(14)]) * 255

# Colours tell the joints apart here, so neither colours nor sides are changed.
GENTLE = Augmentation(rotation=10, scale=0.1, shift=0.03, flip=0, colour=0, occlusion=0, upside_down=0.08)
RECIPE = Recipe(resolution=32, epochs=3, batch=8, lr=1e-2, average=0.9, augmentation=GENTLE)


def _joints(number: int) -> np.ndarray:
    """(14, 2), kept apart by drawing places on a grid."""
    random = np.random.default_rng(number)
    cells = random.permutation(36)[:14]
    return np.stack([cells % 6, cells // 6], -1) * 13 + 15 + random.uniform(-2, 2, (14, 2))


def read(name: str) -> np.ndarray:
    """Picture (SIDE, SIDE, 3)."""
    number = int(name)
    picture = np.random.default_rng(number).integers(0, 60, (SIDE, SIDE, 3)).astype(np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE]
    for (u, v), colour in zip(_joints(number), _COLOURS, strict=True):
        picture[(x - u) ** 2 + (y - v) ** 2 < 30] = colour
    return picture


def people(numbers: range, hidden: float = 0.0) -> People:
    """One a number; `hidden` is the share of joints without a label, the more the higher a person's place."""
    keypoints = np.stack([np.concatenate([_joints(n), np.full((14, 1), 2.0)], -1) for n in numbers])
    boxes = joints_box(keypoints)
    chance = np.linspace(0, 2 * hidden, len(numbers))[:, None]
    keypoints[np.random.default_rng(0).random(keypoints.shape[:2]) < chance] = [np.nan, np.nan, 0]
    return People(
        skeleton=LSP, names=np.array([str(n) for n in numbers]), boxes=boxes, keypoints=keypoints,
        ids=np.array(numbers), splits=np.full(len(numbers), "train"), read=read, source="planted",
    )  # fmt: skip


def planted(folder: Path, hidden: float = 0.0, size: int = 40) -> tuple[Crops, Crops]:
    """Crops of 32 people to train on and 12 to validate."""
    return crops(people(range(32), hidden), size, folder), crops(people(range(100, 112)), size, folder)
