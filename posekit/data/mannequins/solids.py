"""Solids that a scene is made of, and the camera that sees them.

Lengths are metres; the camera looks along its z, x to the right, y down. A place in the picture is a share of its side.
"""

from dataclasses import dataclass

import numpy as np

from posekit.data.mannequins.bodies import cross

# Solids of a scene, in whichever frame they have been brought to. `inverse` takes that frame to the solid's own, where a cone's
# axis is y from 0 to `length` and a box reaches from -1 to 1.
SOLID = np.dtype([
    ("kind", "i4"), ("start", "f8", 3), ("inverse", "f8", (3, 3)), ("length", "f8"), ("radii", "f8", 2),
    ("owner", "i4"), ("part", "i4"), ("materials", "i4", 2), ("plane", "f8", 4),
])  # fmt: skip
CONE, BOX = 0, 1


@dataclass(frozen=True)
class Camera:
    """A pinhole: `axes` are its x, y, z in the world, and a ray through share (u, v) runs along ((u, v) −
    centre) / focal."""

    eye: np.ndarray  # (3,)
    axes: np.ndarray  # (3, 3)
    focal: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)

    def see(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in the camera's frame."""
        return (points - self.eye) @ self.axes.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) to shares of the picture (..., 2)."""
        seen = self.see(points)
        return seen[..., :2] / seen[..., 2:] * self.focal + np.asarray(self.centre)


def seen_solids(solids: np.ndarray, camera: Camera) -> np.ndarray:
    """Bring solids from the world to the camera's frame."""
    moved = solids.copy()
    moved["start"] = camera.see(solids["start"])
    moved["inverse"] = solids["inverse"] @ camera.axes.T
    return moved


def local_origin(solids: np.ndarray) -> np.ndarray:
    """The camera's place (n, 3) in each solid's own frame."""
    return -np.einsum("nij,nj->ni", solids["inverse"], solids["start"])


def cone(start, end, radii, material: int, owner: int = 0) -> np.ndarray:
    """A sphere-swept cone as one row of `SOLID`, in the world."""
    row = np.zeros(1, SOLID)
    start, end = np.asarray(start, float), np.asarray(end, float)
    y = (end - start) / np.linalg.norm(end - start)
    x = cross(y, np.eye(3)[2 if abs(y[2]) < 0.8 else 1])
    x /= np.linalg.norm(x)
    row["kind"], row["start"], row["inverse"] = CONE, start, np.stack([x, y, cross(x, y)])
    row["length"], row["radii"] = np.linalg.norm(end - start), radii
    row["owner"], row["materials"], row["plane"] = owner, material, (0, 1, 0, 1e9)
    return row


def box(centre, half, axes, material: int, owner: int = 0) -> np.ndarray:
    """A box with half sides (3,) along the rows of `axes` (3, 3) as one row of `SOLID`, in the world."""
    row = np.zeros(1, SOLID)
    row["kind"], row["start"], row["inverse"] = (
        BOX,
        centre,
        np.asarray(axes) / np.asarray(half, float)[:, None],
    )
    row["length"], row["radii"] = 1.0, 1.0
    row["owner"], row["materials"], row["plane"] = owner, material, (0, 1, 0, 1e9)
    return row


def solid_ends(solids: np.ndarray) -> np.ndarray:
    """The lowest height of each cone (n,)."""
    ends = np.stack([solids["start"], solids["start"] + solids["inverse"][:, 1] * solids["length"][:, None]], 1)
    return (ends[..., 1] - solids["radii"]).min(1)
