"""Drawing a scene: the person, what they sit on or hang from, other people, things, light and camera."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from posekit.data.mannequins.bodies import (  # fmt: skip
    ADULT,
    KEYPOINT_DEPTHS,
    PART_SHOWS,
    Build,
    cross,
    draw_build,
    keypoint_positions,
    pose_bones,
    rotation,
)
from posekit.data.mannequins.flesh import Clothes, body_solids, draw_clothes
from posekit.data.mannequins.postures import Pose, draw_pose
from posekit.data.mannequins.raycasting import Quadrics, bounds, first_met, quadrics
from posekit.data.mannequins.solids import SOLID, Camera, box, cone, seen_solids, solid_ends
from posekit.data.mannequins.textures import person_materials, pick, thing_materials


@dataclass(frozen=True)
class Scene:
    """Everything that a picture is made from, independent of its size. Solids are in the camera's frame,
    owner 0 is nobody, 1 the person, 2 and above are others."""

    solids: np.ndarray  # (n,) SOLID
    pieces: Quadrics  # of the solids
    colours: np.ndarray  # (m, 2, 3) two colours a material, 0 to 1
    patterns: np.ndarray  # (m, 5): kind, frequency, phase, roughness, shine
    camera: Camera
    places: np.ndarray  # (17, 3) keypoints in the world
    bones: tuple[np.ndarray, np.ndarray]  # beginnings (17, 3) and frames (17, 3, 3) in the world
    pose: Pose
    build: Build
    people: int
    light: np.ndarray  # (3,) towards the light, in the camera's frame
    ambient: float
    flags: np.ndarray  # (17,) of the keypoints: 0, 1, 2
    backdrop: int  # seed of the backdrop and of the finishing
    indoors: bool


@dataclass(frozen=True)
class Body:
    """A person: all that their solids follow from."""

    pose: Pose
    build: Build
    clothes: Clothes
    root: np.ndarray  # (3, 3) frame of the pelvis in the world
    at: np.ndarray  # (3,) where the pelvis is in the world

    def bones(self) -> tuple[np.ndarray, np.ndarray]:
        """Beginnings (17, 3) and frames (17, 3, 3) of the bones in the world."""
        origins, frames = pose_bones(self.pose.angles, self.build, self.root)
        return origins + self.at, frames

    def solids(self, owner: int) -> np.ndarray:
        """Their `SOLID` in the world; materials count from 0."""
        return body_solids(*self.bones(), self.build, self.clothes, owner)


@dataclass(frozen=True)
class Staging:
    """What a scene is drawn from. With one field replaced, one thing differs; `scene` works out the rest."""

    body: Body
    things: np.ndarray  # (n,) SOLID in the world: what the person rests on, other people, clutter
    colours: np.ndarray  # (m, 2, 3) two colours a material, the person's first
    patterns: np.ndarray  # (m, 5)
    camera: Camera
    light: np.ndarray  # (3,) towards the light, in the camera's frame
    ambient: float
    people: int
    backdrop: int
    indoors: bool
    occluder: np.ndarray = field(default_factory=lambda: np.zeros(0, SOLID))  # SOLID in the world, before the person

    def scene(self) -> Scene:
        """The scene: solids as the camera sees them, keypoints and their visibility."""
        bones, build = self.body.bones(), self.body.build
        solids = seen_solids(np.concatenate([self.body.solids(1), self.things, self.occluder]), self.camera)
        places, pieces = keypoint_positions(*bones, build), quadrics(solids)
        flags = visibility(solids, pieces, self.camera, places, build)
        return Scene(
            solids, pieces, self.colours, self.patterns, self.camera, places, bones, self.body.pose, build, self.people, self.light,
            self.ambient, flags, self.backdrop, self.indoors,
        )  # fmt: skip


def draw_body(rng: np.random.Generator, heading: float, posture: int | None = None) -> Body:
    """Draw a posed, clothed body on the ground at x = z = 0."""
    pose, build, clothes = draw_pose(rng, posture), draw_build(rng), draw_clothes(rng)
    body = Body(pose, build, clothes, rotation(1, heading) @ pose.root, np.zeros(3))
    origins, _ = body.bones()
    lift = pose.lift - solid_ends(body.solids(1)).min()
    middle = (origins.max(0) + origins.min(0)) / 2
    return replace(body, at=np.array([-middle[0], lift, -middle[2]]))


def props(rng: np.random.Generator, solids: np.ndarray, bones, pose: Pose, material: int) -> tuple[np.ndarray, float]:
    """What the person sits on, hangs from, stands on or climbs: solids and how far everything has to rise
    for it."""
    origins, frames = bones
    forward = frames[0] @ (0, 0, 1.0)
    forward = np.array([forward[0], 0, forward[2]])
    forward = forward / max(np.linalg.norm(forward), 1e-6)
    if np.linalg.norm(forward) < 0.5:
        forward = np.array([0, 0, 1.0])
    axes = np.stack([cross(np.eye(3)[1], forward), np.eye(3)[1], forward])
    low = solid_ends(solids)
    if pose.prop == "seat":
        top = low[np.isin(solids["part"], (2, 9, 12))].min() + 0.02
        half = np.array([0.22 + 0.4 * rng.random() ** 2, 0.5, 0.2 + 0.06 * rng.random()])
        if top < 0.12:
            return np.zeros(0, SOLID), 0.0
        half[1] = top / 2
        parts = [box(origins[0] * (1, 0, 1) + (0, top / 2, 0) + 0.04 * forward, half, axes, material)]
        if rng.random() < 0.4:  # a chair's back
            parts.append(
                box(
                    origins[0] * (1, 0, 1) + (0, top + 0.25, 0) - 0.24 * forward,
                    (half[0], 0.28, 0.025),
                    axes,
                    material,
                )
            )
        return np.concatenate(parts), 0.0
    if pose.prop == "bar":
        left, right = (origins[b] + frames[b] @ (0, -0.08, 0.02) for b in (7, 10))
        across = left - right
        across = across / max(np.linalg.norm(across), 1e-6) * (0.2 + 1.8 * rng.random())
        return cone(left + across, right - across, 0.015 + 0.025 * rng.random(), material), 0.0
    if pose.prop == "wall" and forward[2] < 0.3:  # else it would stand between the person and the camera
        near = (origins @ forward).max() + 0.08
        tilt = rotation(0, rng.normal(0, 6))
        half = np.array([0.5 + 4 * rng.random(), 0.8 + 3 * rng.random(), 0.4])
        turned = tilt @ axes
        middle = origins.mean(0)
        centre = middle + forward * (near - middle @ forward + half[2])
        return box(centre, half, turned, material), 0.0
    if pose.prop == "block":
        rise = 0.15 + 0.9 * rng.random()
        half = np.array([0.3 + 1.2 * rng.random(), rise / 2, 0.25 + 0.8 * rng.random()])
        lowest = solids["start"][low.argmin()]
        return box((lowest[0], low.min() - rise / 2, lowest[2]), half, axes, material), rise
    return np.zeros(0, SOLID), 0.0


def draw_scene(index: int, seed: int = 0) -> Scene:
    """Draw everything that picture `index` of the set `seed` shows."""
    return draw_staging(index, seed)[1]


def draw_staging(index: int, seed: int = 0) -> tuple[Staging, Scene]:
    """Draw what picture `index` of the set `seed` is made from, and the scene that follows."""
    rng = np.random.default_rng((seed, index))
    heading = rng.normal(0, 50) if rng.random() < 0.45 else rng.uniform(-180, 180)
    body = draw_body(rng, heading)
    build = body.build
    colours, patterns = person_materials(rng)
    palette, looks, groups = [colours], [patterns], []

    def new_material(colours, patterns):
        palette.append(colours)
        looks.append(patterns)
        return sum(len(c) for c in palette[:-1])

    extra, rise = props(rng, body.solids(1), body.bones(), body.pose, new_material(*thing_materials(rng)))
    extra["start"][:, 1] += rise
    body = replace(body, at=body.at + np.array([0, rise, 0]))
    groups.append(extra)
    places = keypoint_positions(*body.bones(), build)

    # The camera looks at the middle of the keypoints; focal length and centre then frame them.
    indoors = rng.random() < 0.35
    distance = float(np.clip(math.exp(rng.normal(1.55, 0.45)), 2.6, 14)) * max(0.8, build.height / ADULT)
    elevation = float(np.clip(rng.normal(7, 13), -30, 65))
    middle = (places.max(0) + places.min(0)) / 2
    lowest = math.degrees(math.asin(np.clip((0.25 - middle[1]) / distance, -1, 1)))
    elevation = max(elevation, lowest)
    tilt = rng.normal(0, 5) if rng.random() < 0.85 else rng.normal(0, 25)
    toward = rotation(0, -elevation) @ (0, 0, 1.0)  # from the person to the camera
    right = np.array([1.0, 0, 0])
    down = cross(-toward, right)
    turned = rotation(2, tilt) @ np.stack([right, down, -toward])
    camera = Camera(middle + distance * toward, turned)
    flat = camera.project(places)
    low, high = flat.min(0), flat.max(0)
    share = 0.64 * math.exp(0.14 * math.sin(math.pi * (rng.random() - 0.5)))
    offset = rng.normal(0, 0.035, 2)
    if rng.random() < 0.07:
        share, offset = share * rng.uniform(1.0, 1.45), rng.normal(0, 0.13, 2)
    focal = share / (high - low).max()
    camera = Camera(camera.eye, turned, focal, tuple(0.5 + offset - focal * ((low + high) / 2 - 0.5)))

    # Other people: behind or beside, seldom in front.
    people = int(rng.random() < 0.33) * (1 + int(3 * rng.random() ** 2))
    for owner in range(2, 2 + people):
        other = draw_body(rng, rng.uniform(-180, 180), None if rng.random() < 0.4 else pick(rng, 0, 1, 3)).solids(owner)
        colours, patterns = person_materials(rng)
        other["materials"] += new_material(colours, patterns)
        if rng.random() < 0.12:  # in front, to the side
            ahead, beside = (
                -rng.uniform(0.35, 0.5) * min(distance, 3),
                pick(rng, -1, 1) * rng.uniform(0.3, 0.7),
            )
        else:
            ahead, beside = rng.uniform(0.5, 8), pick(rng, -1, 1) * rng.uniform(0.35, 1.2)
        spread = beside * (distance + ahead) / distance * max(0.6, 0.5 / focal * distance)
        other["start"] += middle * (1, 0, 1) + np.array([spread, rise * (rng.random() < 0.5), -ahead])
        groups.append(other)

    groups += clutter(rng, camera, middle, distance, new_material)
    sun = rng.normal(size=3) * (1, 0.6, 1) + (0, 0.9, 0.35)
    light = turned @ (sun / np.linalg.norm(sun))
    ambient = 0.25 + 0.6 * rng.random()
    if rng.random() < 0.06:  # against the light
        light, ambient = np.array([0.1, -0.4, 0.9]), 0.08 + 0.15 * rng.random()
    staging = Staging(
        body, np.concatenate(groups), np.concatenate(palette), np.concatenate(looks), camera, light / np.linalg.norm(light),
        float(ambient), people, int(rng.integers(2**62)), bool(indoors),
    )  # fmt: skip
    scene = staging.scene()
    if (scene.flags == 2).sum() < 7:  # clear the view
        things = scene.solids[scene.solids["owner"] != 1]
        behind = things["start"][:, 2] > (camera.see(places)[:, 2]).max()
        staging = replace(staging, things=staging.things[behind & (bounds(things, camera)[:, 2, 2] < 9)])
        scene = staging.scene()
    return staging, scene


def clutter(rng: np.random.Generator, camera: Camera, middle: np.ndarray, distance: float, new_material) -> list[np.ndarray]:
    """Boxes, posts and rails beside and behind the person, and sometimes in front."""
    groups = []
    width = distance / camera.focal  # of the picture, at the person
    for _ in range(int(5 * rng.random() ** 2.5)):
        ahead = rng.uniform(0.6, 6)
        x = rng.uniform(-0.7, 0.7) * width * (distance + ahead) / distance + middle[0]
        material = new_material(*thing_materials(rng))
        if rng.random() < 0.55:
            half = 0.1 + rng.random(3) ** 2 * (0.9, 0.8, 0.5)
            axes = rotation(1, rng.uniform(-90, 90))
            groups.append(box((x, half[1], middle[2] - ahead - half[2]), half, axes.T, material))
        elif rng.random() < 0.6:
            lean = rng.normal(0, 0.15, 2) if rng.random() < 0.6 else rng.normal(0, 1.5, 2)
            foot = np.array([x, 0, middle[2] - ahead])
            groups.append(
                cone(
                    foot,
                    foot + np.array([lean[0], 1 + 3 * rng.random(), lean[1]]),
                    0.02 + 0.08 * rng.random() ** 2,
                    material,
                )
            )
        else:
            y, slant = 0.3 + 1.5 * rng.random(), rng.normal(0, 0.1)
            for k in range(1 + int(3 * rng.random())):
                at = np.array([middle[0], y + 0.35 * k, middle[2] - ahead])
                groups.append(
                    cone(
                        at - np.array([3, 3 * slant, 0]),
                        at + np.array([3, 3 * slant, 0]),
                        0.02 + 0.02 * rng.random(),
                        material,
                    )
                )
    if rng.random() < 0.2:  # in front
        material = new_material(*thing_materials(rng))
        near = rng.uniform(0.45, 0.75) * distance
        u, v = rng.uniform(0.1, 0.9, 2)
        ray = np.array([(u - camera.centre[0]) / camera.focal, (v - camera.centre[1]) / camera.focal, 1.0])
        at = camera.eye + near * ray @ camera.axes
        reach = width * near / distance
        if rng.random() < 0.5:
            half = reach * np.array([0.05 + 0.15 * rng.random(), 0.05 + 0.2 * rng.random(), 0.05])
            groups.append(box(at, half, (rotation(1, rng.uniform(-60, 60)) @ rotation(2, rng.normal(0, 12))).T, material))
        else:
            along = camera.axes[0] * rng.normal() + camera.axes[1] * rng.normal()
            along *= reach * rng.uniform(0.4, 1.5) / np.linalg.norm(along)
            groups.append(cone(at - along, at + along, reach * (0.012 + 0.04 * rng.random()), material))
    return groups


def visibility(solids: np.ndarray, pieces: Quadrics, camera: Camera, places: np.ndarray, build: Build) -> np.ndarray:
    """COCO flags (17,) of keypoints at world `places` (17, 3), by casting a ray through each.

    A joint lies inside its limb. It counts as visible when the first thing on its ray is a limb that ends
    in it, or else its own body no farther in front of it than `KEYPOINT_DEPTHS`; outside the picture it is
    not labelled.
    """
    shares, joints = camera.project(places), camera.see(places)
    frontmost, depth = first_met(solids, pieces, joints / joints[:, 2:])
    scale = build.height / ADULT * max(1.0, build.girth)
    covered = joints[:, 2] - depth
    owner, part = (np.where(frontmost >= 0, solids[name][frontmost], -1) for name in ("owner", "part"))
    shown = PART_SHOWS[np.arange(17), part] | (covered <= KEYPOINT_DEPTHS * scale)
    flags = np.where(np.where(owner == 1, shown, covered <= 0), 2, 1)
    flags[((shares < 0) | (shares >= 1)).any(1)] = 0
    return flags
