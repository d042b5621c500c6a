"""Counterfactual pairs: two pictures of one person that differ in one factor, everything else equal.

    pairs = counterfactuals("left arm", 32)
    pairs.a[0], pairs.b[0]  # the left arm lies elsewhere, and nothing else has changed

What follows from a factor follows: a raised arm hides what is behind it. The shadow on the ground does not, but with the light: it stays
as A's, since a network can look at it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np

from posekit.data.mannequins.bodies import LIMB_ANGLES, MIRROR, mirror_angles, rotation
from posekit.data.mannequins.flesh import BOTTOM, MATERIALS, SHOE, TOP
from posekit.data.mannequins.postures import POSTURES, draw_pose
from posekit.data.mannequins.rendering import Mannequin, render_scene
from posekit.data.mannequins.scenes import Scene, Staging, draw_staging
from posekit.data.mannequins.solids import box
from posekit.data.mannequins.textures import person_materials, thing_materials
from posekit.errors import PosekitError, whole

FIRST = 10**7  # number of the first person drawn: no store of mannequins goes so far, so that nobody was trained on
ON_FEET = ("standing", "walking", "running", "reaching", "arms raised", "jumping", "kicking", "lunging", "throwing", "bending")
FARTHEST = 400  # people drawn for one pair before it is given up
MOVED = 0.1  # share of the picture's side that a changed arm's wrist moves at least
ALIKE = 0.04  # share of the picture's side by which a joint may miss its counterpart's place when sides are exchanged, mean over joints
SEEN = 12  # joints of a person that are visible before the change, at least
_ARM = LIMB_ANGLES[:5]
_CLOTH = [TOP, BOTTOM, SHOE]
_SWAP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]  # keypoints, left and right exchanged


def _arm(side: str) -> Callable[[Staging, np.random.Generator], Staging]:
    def change(staging: Staging, rng: np.random.Generator) -> Staging:
        drawn = draw_pose(rng, POSTURES.index("wild") if rng.random() < 0.5 else POSTURES.index("reaching")).angles
        return _posed(staging, {side + name: drawn[side + name] for name in _ARM})

    return change


def _heading(staging: Staging, rng: np.random.Generator) -> Staging:
    turn = rng.uniform(40, 180) * (1 if rng.random() < 0.5 else -1)
    return _with_body(staging, root=rotation(1, turn) @ staging.body.root)


def _trunk_lean(staging: Staging, rng: np.random.Generator) -> Staging:
    lean = staging.body.pose.angles["lean"]
    drawn = rng.uniform(-35, 60, 32)
    return _posed(staging, {"lean": float(drawn[(np.abs(drawn - lean) > 25).argmax()])})


def exchange(staging: Staging) -> Staging:
    """The person mirrored in depth: nearly the same outline, seen from the other side, each left joint where its right one was."""
    away = staging.camera.axes[2] * (1, 0, 1)
    away = away / np.linalg.norm(away)
    root = (np.eye(3) - 2 * np.outer(away, away)) @ staging.body.root @ np.diag([-1.0, 1, 1])
    pose = staging.body.pose
    return _with_body(staging, root=root, pose=replace(pose, angles=mirror_angles(pose.angles), root=pose.root * MIRROR))


def _sides(staging: Staging, rng: np.random.Generator) -> Staging:
    return exchange(staging)


def _size(staging: Staging, rng: np.random.Generator) -> Staging:
    body, ratio = staging.body, math.exp(rng.uniform(0.2, 0.35))
    ratio = 1 / ratio if body.build.height * ratio > 2.1 or rng.random() < 0.5 else ratio
    at = body.at * (1, ratio, 1)  # the feet stay on the ground
    return _with_body(staging, build=replace(body.build, height=body.build.height * ratio), at=at)


def _light(staging: Staging, rng: np.random.Generator) -> Staging:
    for _ in range(100):
        sun = rng.normal(size=3) * (1, 0.6, 1) + (0, 0.9, 0.35)
        light = staging.camera.axes @ (sun / np.linalg.norm(sun))
        if light @ staging.light < 0.5:  # 60 degrees apart
            break
    return replace(staging, light=light, ambient=0.25 + 0.6 * rng.random())


def _clothing(staging: Staging, rng: np.random.Generator) -> Staging:
    colours, patterns = staging.colours.copy(), staging.patterns.copy()
    drawn = person_materials(rng)
    colours[_CLOTH], patterns[_CLOTH] = drawn[0][_CLOTH], drawn[1][_CLOTH]
    return replace(staging, colours=colours, patterns=patterns)


def _occluder(staging: Staging, rng: np.random.Generator) -> Staging:
    camera, place = staging.camera, staging.scene().places[int(rng.integers(5, 17))]
    near = rng.uniform(0.6, 0.75)
    half = np.linalg.norm(place - camera.eye) * near / camera.focal * rng.uniform(0.05, 0.1, 3)
    material = len(staging.colours)
    thing = box(camera.eye + near * (place - camera.eye), half, rotation(1, rng.uniform(-60, 60)), material)
    colours, patterns = thing_materials(rng)
    return replace(
        staging, occluder=thing, colours=np.concatenate([staging.colours, colours]),
        patterns=np.concatenate([staging.patterns, patterns]),
    )  # fmt: skip


_CHANGES: dict[str, Callable[[Staging, np.random.Generator], Staging]] = {
    "left arm": _arm("left "),
    "right arm": _arm("right "),
    "trunk lean": _trunk_lean,
    "heading": _heading,
    "sides": _sides,
    "size": _size,
    "light": _light,
    "clothing": _clothing,
    "occluder": _occluder,
}
COUNTERFACTUALS: tuple[str, ...] = tuple(_CHANGES)


@dataclass(frozen=True)
class Pairs:
    """N pairs of pictures, of which B differs from A in one factor.

    Attributes:
        factor: one of COUNTERFACTUALS.
        a: pictures (N, S, S, 3) uint8.
        b: their partners, alike.
        keypoints_a: (N, 17, 3) float32, x, y in pixels and the COCO flag.
        keypoints_b: those of the partners.
        boxes: (N, 4) float: x, y, w, h round the keypoints of both, so that both are cut out alike.
        stagings: what each pair was drawn from, A and B.
    """

    factor: str
    a: np.ndarray
    b: np.ndarray
    keypoints_a: np.ndarray
    keypoints_b: np.ndarray
    boxes: np.ndarray
    stagings: tuple[tuple[Staging, Staging], ...]

    def __len__(self) -> int:
        return len(self.a)

    def __repr__(self) -> str:
        return f"<{len(self)} pairs of {self.a.shape[1]} x {self.a.shape[2]} pixels that differ in the {self.factor}>"


def counterfactuals(factor: str, n: int, seed: int = 0, *, size: int = 160) -> Pairs:
    """`n` pairs of rendered people that differ in one factor, at `size` pixels a side.

    Args:
        factor: one of COUNTERFACTUALS. `left arm` and `right arm`: its angles; `trunk lean`: how far the spine bends forward;
            `heading`: the whole body turns about the vertical; `sides`: the body is mirrored in depth, which exchanges left and
            right and leaves the outline as it was but for perspective; `size`: the body's height; `light`: its direction and strength;
            `clothing`: colours and patterns of clothes and shoes; `occluder`: a box in front of a joint.
        seed: people of one seed are the same for all factors, as far as a factor can be changed in them.

    Raises:
        PosekitError: no such factor, or no pair asked for.

    >>> counterfactuals("light", 2, size=32)
    <2 pairs of 32 x 32 pixels that differ in the light>
    """
    if factor not in COUNTERFACTUALS:
        raise PosekitError(f"no factor {factor!r}; pairs can differ in {', '.join(COUNTERFACTUALS)}")
    n, seed = whole("n", n, 1), whole("seed", seed)
    return rendered(factor, list(_drawn(factor, n, seed)), size)


def unpaired(n: int, seed: int = 0, *, size: int = 160) -> list[Mannequin]:
    """`n` people of the kind that pairs are made of, none of whom is in one: to fit a probe to, say."""
    found, size = islice(_suitable(whole("seed", seed), count(2 * FIRST)), whole("n", n)), whole("size", size, 1)
    return [render_scene(scene, size) for _, _, scene in found]


def rendered(factor: str, stagings: Sequence[tuple[Staging, Staging]], size: int = 160) -> Pairs:
    """Pairs of stagings of your own, at `size` pixels a side.

    Raises:
        PosekitError: a pair differs in anything but the factor, or not at all.
    """
    if not stagings:
        raise PosekitError(f"{factor}: there is no pair to render")
    size = whole("size", size, 1)
    for number, (a, b) in enumerate(stagings):
        found = differences(a, b)
        if found != [factor]:
            what = f"differs in {' and '.join(found)}" if found else "does not differ"
            raise PosekitError(f"pair {number}: {what}; a pair of this set differs in {factor} and in nothing else")
    scenes = [(a.scene(), b.scene()) for a, b in stagings]
    first = [render_scene(a, size) for a, _ in scenes]
    second = [render_scene(b, size, None if factor == "light" else a) for a, b in scenes]
    places = np.stack([np.concatenate([_pixels(scene, size) for scene in pair]) for pair in scenes])
    low, high = places.min(1), places.max(1)
    return Pairs(
        factor, np.stack([one.picture for one in first]), np.stack([one.picture for one in second]),
        np.stack([one.keypoints for one in first]), np.stack([one.keypoints for one in second]),
        np.concatenate([low, high - low], 1), tuple(stagings),
    )  # fmt: skip


def differences(a: Staging, b: Staging) -> list[str]:
    """The factors in which two stagings differ, by name: of COUNTERFACTUALS, and else what cannot be changed on its own."""
    plain = _differences(a, b)
    exchanged = ["sides", *_differences(exchange(a), b)]
    return exchanged if len(exchanged) < len(plain) else plain


def _differences(a: Staging, b: Staging) -> list[str]:
    found = []
    first, second = a.body, b.body
    angles = [name for name in first.pose.angles if abs(first.pose.angles[name] - second.pose.angles[name]) > 1e-9]
    for name in angles:
        side, _, kind = name.partition(" ")
        limb = f"{side} {'arm' if kind in _ARM else 'leg'}" if kind else "trunk lean" if name == "lean" else f"the spine's {name}"
        found.append(limb)
    if not _same(first.root, second.root):
        turn = second.root @ first.root.T
        found.append("heading" if abs(turn[1, 1] - 1) < 1e-9 else "the body's attitude")
    grown = second.build.height / first.build.height
    if grown != 1:
        found.append("size")
    if replace(first.build, height=1) != replace(second.build, height=1):
        found.append("build")
    if not _same(first.at * (1, grown, 1), second.at):
        found.append("place")
    if first.pose.posture != second.pose.posture or first.pose.prop != second.pose.prop:
        found.append("posture")
    cloth, skin = _CLOTH, [i for i in range(MATERIALS) if i not in _CLOTH]
    same = [{name: _same(getattr(a, name)[rows], getattr(b, name)[rows]) for name in ("colours", "patterns")} for rows in (cloth, skin)]
    if first.clothes != second.clothes or not all(same[0].values()):
        found.append("clothing")
    if not all(same[1].values()):
        found.append("skin and hair")
    common = slice(MATERIALS, min(len(a.colours), len(b.colours)))
    if not (_same(a.things, b.things) and _same(a.colours[common], b.colours[common]) and _same(a.patterns[common], b.patterns[common])):
        found.append("surroundings")
    if not _same(a.light, b.light) or a.ambient != b.ambient:
        found.append("light")
    cameras = [np.concatenate([np.ravel(value) for value in vars(one.camera).values()]) for one in (a, b)]
    if not _same(*cameras):
        found.append("camera")
    if not _same(a.occluder, b.occluder):
        found.append("occluder")
    if (a.backdrop, a.indoors) != (b.backdrop, b.indoors):
        found.append("backdrop")
    return list(dict.fromkeys(found))


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    return bool((one == other).all()) if one.dtype.names else bool(np.allclose(one, other, rtol=0, atol=1e-9))


def _drawn(factor: str, n: int, seed: int) -> Iterator[tuple[Staging, Staging]]:
    """Suitable people who are whole in the picture after the change too, with the change clearly there."""
    change, found = _CHANGES[factor], 0
    for index, a, scene in _suitable(seed, range(FIRST, FIRST + FARTHEST * n)):
        b = change(a, np.random.default_rng((seed, index, COUNTERFACTUALS.index(factor))))
        after = b.scene()
        if after.flags.min() == 0 or not _clear(factor, scene, after):
            continue
        yield a, b
        found += 1
        if found == n:
            return
    raise PosekitError(f"{factor}: only {found} of {n} pairs found among {FARTHEST * n} people; give another seed")


def _suitable(seed: int, indices: Iterable[int]) -> Iterator[tuple[int, Staging, Scene]]:
    """People on their feet who rest on nothing, in full view and whole in the picture."""
    for index in indices:
        staging, scene = draw_staging(index, seed)
        pose, flags = staging.body.pose, scene.flags
        if POSTURES[pose.posture] in ON_FEET and not pose.prop and flags.min() > 0 and (flags == 2).sum() >= SEEN:
            yield index, staging, scene


def _clear(factor: str, before: Scene, after: Scene) -> bool:
    """Whether a change is what it is meant to be: a moved arm is seen in both pictures and its wrist is elsewhere; exchanged sides, from a
    camera that is not too high or near, leave the outline about as it was."""
    if factor == "sides":
        first, second = (scene.camera.project(scene.places) for scene in (before, after))
        return bool(np.linalg.norm(second[_SWAP] - first, axis=-1).mean() < ALIKE)
    if not factor.endswith("arm"):
        return True
    wrist = 9 if factor.startswith("left") else 10
    way = np.linalg.norm(before.camera.project(before.places[wrist]) - before.camera.project(after.places[wrist]))
    return bool(way > MOVED) and before.flags[wrist] == after.flags[wrist] == 2


def _pixels(scene: Scene, size: int) -> np.ndarray:
    return scene.camera.project(scene.places) * size - 0.5


def _posed(staging: Staging, angles: dict[str, float]) -> Staging:
    pose = staging.body.pose
    return _with_body(staging, pose=replace(pose, angles=pose.angles | angles))


def _with_body(staging: Staging, **changes) -> Staging:
    return replace(staging, body=replace(staging.body, **changes))
