"""Joint names, limbs, left-right pairs and OKS sigmas of the skeletons that data sets use.

>>> sorted(SKELETONS), len(SKELETONS["lsp"])
(['coco', 'lsp', 'mpii'], 14)
"""

import re
from dataclasses import dataclass
from functools import cached_property

_SPELT = re.compile("left|right", re.IGNORECASE)
_SIDE = re.compile("(?i:left|right)|(?<![A-Za-z])[LRlr](?![a-z])|(?<=[a-z])[LR](?![A-Za-z])")  # leftWrist, L_Wrist, lWrist, wrist.l


def _other_side(found: re.Match) -> str:
    word = found[0]
    other = {"left": "right", "right": "left", "l": "r", "r": "l"}[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word.istitle() else other


@dataclass(frozen=True)
class Skeleton:
    """Which joints a data set annotates, in which order. Left and right are the person's own.

    >>> hand = Skeleton("hand", ("wrist", "thumb", "little finger"), limbs=(("wrist", "thumb"), ("wrist", "little finger")))
    >>> len(hand), hand.mirrored  # no joint is called left or right
    (3, (0, 1, 2))
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...] = ()
    sigmas: tuple[float, ...] = ()  # COCO's per-joint standard deviation over the square root of the area; see `borrowed`
    pairs: tuple[tuple[str, str], ...] | None = None  # joints that a mirror exchanges; by default those called left and right alike

    def __post_init__(self) -> None:
        """Lists do as well as tuples. ValueError where joints are no names, one is there twice, or sigmas are not one a joint."""
        if isinstance(self.joints, str) or not all(isinstance(joint, str) for joint in self.joints):
            raise ValueError(f"the {self.name} skeleton: joints are {self.joints!r}; give their names, ('nose', 'left wrist', ...)")
        joints, limbs = tuple(map(str, self.joints)), tuple(tuple(limb) for limb in self.limbs)
        for name, value in (("joints", joints), ("limbs", limbs), ("sigmas", tuple(self.sigmas))):
            object.__setattr__(self, name, value)
        if twice := [joint for i, joint in enumerate(joints) if joint in joints[:i]]:
            raise ValueError(f"the {self.name} skeleton has two joints called {twice[0]!r}; a joint goes by its name")
        if len(self.sigmas) not in (0, len(joints)):
            raise ValueError(f"the {self.name} skeleton has {len(self.sigmas)} sigmas for {len(joints)} joints; give one a joint, or none")

    def __len__(self) -> int:
        return len(self.joints)

    def __str__(self) -> str:
        return self.name

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """Index of each joint's counterpart in the mirror image; an involution. Pairs that make none raise ValueError."""
        if self.pairs is not None:
            pairs = [self.index(*pair) for pair in self.pairs]
            other = {a: b for a, b in pairs} | {b: a for a, b in pairs}
            mirrored = tuple(other.get(k, k) for k in range(len(self)))
            if any(mirrored[a] != b or mirrored[b] != a for a, b in pairs):
                raise ValueError(f"the {self.name} skeleton has a joint in two of its pairs; a mirror exchanges it with one")
            return mirrored
        return tuple(self._counterpart(joint) for joint in self.joints)

    def _counterpart(self, joint: str) -> int:
        """The joint that is called alike with the other side's word, its own where it has none; raises ValueError where that is missing."""
        name = _SIDE.sub(_other_side, joint)
        if name not in self.joints and _SPELT.search(joint):
            raise ValueError(f"the {self.name} skeleton has {joint!r}: a left joint has no right one, or the reverse; give it pairs")
        return self.joints.index(name if name in self.joints else joint)

    @cached_property
    def borrowed(self) -> tuple[str, ...]:
        """The joints that COCO has no sigma for, and whose sigma here is that of their nearest kin: good for a score, no finding.

        >>> SKELETONS["lsp"].borrowed
        ('neck', 'head top')
        """
        return tuple(joint for joint in self.joints if joint in _LENDER)

    def index(self, *joints: str) -> list[int]:
        """Indices of the named joints; `left_wrist` and `Left Wrist` are the left wrist.

        An unknown name raises ValueError that lists the known ones.

        >>> SKELETONS["lsp"].index("left wrist", "left_wrist", "head-top")
        [11, 11, 13]
        """
        names = [joint if joint in self.joints else re.sub("[_-]", " ", str(joint)).lower() for joint in joints]
        for joint, name in zip(joints, names, strict=True):
            if name not in self.joints:
                raise ValueError(f"the {self.name} skeleton has no joint {joint!r}; it has {', '.join(self.joints)}")
        return [self.joints.index(name) for name in names]

    @cached_property
    def limb_indices(self) -> tuple[tuple[int, int], ...]:
        return tuple((a, b) for a, b in (self.index(*limb) for limb in self.limbs))


_LEGS_AND_ARMS = tuple(
    (f"{side} {a}", f"{side} {b}")
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
)
_TORSO = (
    ("left shoulder", "right shoulder"),
    ("left hip", "right hip"),
    ("left shoulder", "left hip"),
    ("right shoulder", "right hip"),
)
# cocodataset.org/#keypoints-eval
_SIGMA = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
_LENDER = {"neck": "shoulder", "head top": "ear", "pelvis": "hip", "thorax": "shoulder"}  # whose sigma a joint takes that COCO lacks


def _skeleton(name: str, joints: str, extra_limbs: tuple[tuple[str, str], ...]) -> Skeleton:
    names = tuple(joint.strip() for joint in joints.split(","))
    sigmas = tuple(_SIGMA[_LENDER.get(joint, joint.removeprefix("left ").removeprefix("right "))] for joint in names)
    return Skeleton(name, names, _LEGS_AND_ARMS + _TORSO + extra_limbs, sigmas)


COCO = _skeleton(
    "coco",
    "nose, left eye, right eye, left ear, right ear, left shoulder, right shoulder, left elbow, right elbow, "
    "left wrist, right wrist, left hip, right hip, left knee, right knee, left ankle, right ankle",
    (
        ("nose", "left eye"), ("nose", "right eye"), ("left eye", "left ear"), ("right eye", "right ear"),
    ),
)  # fmt: skip
LSP = _skeleton(
    "lsp",
    "right ankle, right knee, right hip, left hip, left knee, left ankle, right wrist, right elbow, "
    "right shoulder, left shoulder, left elbow, left wrist, neck, head top",
    (("neck", "head top"),),
)
MPII = _skeleton(
    "mpii",
    "right ankle, right knee, right hip, left hip, left knee, left ankle, pelvis, thorax, neck, head top, "
    "right wrist, right elbow, right shoulder, left shoulder, left elbow, left wrist",
    (("pelvis", "thorax"), ("thorax", "neck"), ("neck", "head top")),
)
SKELETONS = {skeleton.name: skeleton for skeleton in (COCO, LSP, MPII)}


def skeleton_of(given: Skeleton | str) -> Skeleton:
    """A skeleton, or that of a name; an unknown name raises ValueError.

    >>> str(skeleton_of("lsp")), skeleton_of(LSP) is LSP
    ('lsp', True)
    """
    if isinstance(given, Skeleton):
        return given
    if not isinstance(given, str) or given not in SKELETONS:
        raise ValueError(f"no skeleton {given!r}; there are {', '.join(SKELETONS)}, or give a Skeleton")
    return SKELETONS[given]
