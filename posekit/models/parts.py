"""Parts held by springs: templates of oriented gradients, and the best pose of a tree of them, exactly.

P. Felzenszwalb, R. Girshick, D. McAllester, D. Ramanan: Object Detection with Discriminatively Trained Part-Based Models, PAMI
2010: templates on histograms of oriented gradients (section 6.2: 13 numbers a cell), parts with quadratic springs, the best
placement by distance transforms (section 3.2). Y. Yang, D. Ramanan: Articulated Human Detection with Flexible Mixtures of Parts,
PAMI 2013: a part a joint, in mixtures distinguished by where its parent lies, and a score for which mixtures go together.

Otherwise than there: templates are fitted one by one to labelled joints, not all together with latent positions; their scores are
calibrated to log-odds, so that they add to springs that are log-densities of the offsets seen; and the person's size is known
from the crop, so that one scale is searched.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from torch import Tensor, nn

from posekit.coordinates import STRIDE
from posekit.errors import PosekitError, extra
from posekit.models.distance import distance_transform

CHANNELS = 13  # numbers a cell: 9 directions, 4 normalisations


@dataclass(frozen=True)
class PartsConfig:
    joints: int
    parents: tuple[int, ...]  # of each joint, -1 for the root
    mixtures: int = 4  # templates of a joint
    template: int = 5  # side of a template in cells; odd

    to_dict = asdict

    @classmethod
    def from_dict(cls, fields: dict) -> "PartsConfig":
        return cls(**{**fields, "parents": tuple(fields["parents"])})


class Parts(nn.Module):
    """Pictures (B, 3, S, S), values in [0, 1], to log-scores (B, 1, K, S/4, S/4): of the best pose with the joint there.

    Every joint's map is highest where the best pose of all has that joint. All that is fitted are buffers.
    """

    templates: Tensor  # (K * T, 13, P, P)
    bias: Tensor  # (K * T,)
    rest: Tensor  # (K, T, 2): offset from the parent in cells, x and y; of the root, from the view's middle
    stiffness: Tensor  # (K, T, 2): 1 / (2 variance)
    together: Tensor  # (K, T, T): log-probability of a joint's mixture given its parent's; of the root, the same for all

    def __init__(self, config: PartsConfig):
        super().__init__()
        self.config = config
        k, t, p = config.joints, config.mixtures, config.template
        self.register_buffer("templates", torch.zeros(k * t, CHANNELS, p, p))
        self.register_buffer("bias", torch.zeros(k * t))
        self.register_buffer("rest", torch.zeros(k, t, 2))
        self.register_buffer("stiffness", torch.ones(k, t, 2))
        self.register_buffer("together", torch.zeros(k, t, t))

    def forward(self, pictures: Tensor) -> Tensor:
        with torch.autocast(pictures.device.type, enabled=False):
            cells = torch.from_numpy(oriented_gradients(pictures.float())).to(pictures.device)
            found = nn.functional.conv2d(cells, self.templates, self.bias, padding=self.config.template // 2)
        scores = found.unflatten(1, (self.config.joints, -1)).double().cpu().numpy()
        rest, stiffness, together = (b.double().cpu().numpy() for b in (self.rest, self.stiffness, self.together))
        best = max_marginals(scores, self.config.parents, rest, stiffness, together)
        return torch.from_numpy(best).float().to(pictures.device)[:, None]


def oriented_gradients(pictures: Tensor) -> np.ndarray:
    """Histograms of oriented gradients (B, 13, S/4, S/4) float32 of pictures (B, 3, S, S): a cell is a heatmap's cell."""
    with extra("parts", "a network of templates"):
        from skimage.feature import hog

    found = []
    for picture in pictures.detach().cpu().permute(0, 2, 3, 1).numpy():
        # A cell more on every side: then each is part of four blocks, and has four normalisations.
        padded = np.pad(picture, [(STRIDE, STRIDE), (STRIDE, STRIDE), (0, 0)], mode="edge")
        blocks = hog(padded, pixels_per_cell=(STRIDE, STRIDE), cells_per_block=(2, 2), feature_vector=False, channel_axis=-1)
        four = np.stack([blocks[:-1, :-1, 1, 1], blocks[:-1, 1:, 1, 0], blocks[1:, :-1, 0, 1], blocks[1:, 1:, 0, 0]], -2)
        found.append(np.concatenate([four.mean(-2), four.mean(-1)], -1).transpose(2, 0, 1))
    return np.asarray(found, np.float32)


def max_marginals(
    scores: np.ndarray, parents: Sequence[int], rest: np.ndarray, stiffness: np.ndarray, together: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The score of the best pose with joint k in cell p, for all k and p: (B, K, T, H, W) to (B, K, H, W), exactly.

    Messages run up the tree and down again (max-sum); see `Parts` for the other arguments. A pose's score is the sum of its joints'
    `scores`, less their springs, plus `together`.
    """
    b, k, t, h, w = scores.shape
    order = _outwards(parents)
    root = order[0]
    middle = np.array([(w - 1) / 2, (h - 1) / 2])
    x, y = np.arange(w), np.arange(h)[:, None]
    at = middle + rest[root]
    away = stiffness[root, :, :1, None] * (x - at[:, :1, None]) ** 2 + stiffness[root, :, 1:, None] * (y - at[:, 1:, None]) ** 2
    up = [scores[:, i] + together[i, :, 0, None, None] - away if i == root else scores[:, i] for i in range(k)]
    messages = {}

    def spread(values: np.ndarray, joint: int, sign: int) -> np.ndarray:  # (B, T, H, W), over positions, a spring a mixture
        flat = values.reshape(b * t, h, w)
        moved = distance_transform(flat, np.tile(stiffness[joint], (b, 1)), sign * np.tile(rest[joint], (b, 1)))
        return moved.reshape(b, t, h, w)

    for i in order[:0:-1]:
        moved = spread(up[i], i, 1)  # where the parent is
        messages[i] = (moved[:, :, None] + together[i, :, :, None, None]).max(1)  # (B, T of the parent, H, W)
        up[parents[i]] = up[parents[i]] + messages[i]
    total = {root: up[root]}
    for i in order[1:]:
        others = total[parents[i]] - messages[i]
        total[i] = up[i] + spread((others[:, None] + together[i, :, :, None, None]).max(2), i, -1)
    return np.stack([total[i].max(1) for i in range(k)], 1)


def _outwards(parents: Sequence[int]) -> list[int]:
    """The joints in an order in which each comes after its parent."""
    order = [i for i, parent in enumerate(parents) if parent < 0]
    for i in order:
        order += [j for j, parent in enumerate(parents) if parent == i]
    return order


def tree(keypoints: np.ndarray, limbs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Parents (K,) of the joints of keypoints (N, K, >=2): the tree of limbs, and of other pairs where limbs do not join up.

    Of all trees with as many limbs as possible, that whose offsets vary least (Felzenszwalb & Huttenlocher, Pictorial Structures
    for Object Recognition, IJCV 2005, section 4.3); the root is the joint whose position varies least.
    """
    xy = keypoints[..., :2]
    varies = np.nanvar(xy[:, :, None] - xy[:, None], axis=0).sum(-1)
    weight = 1 + varies / varies.max()
    for a, b in limbs:
        weight[a, b] = weight[b, a] = weight[a, b] - 1 + 1e-9  # any limb before any other pair
    np.fill_diagonal(weight, 0)
    root = int(np.nanvar(xy, axis=0).sum(-1).argmin())
    parents = breadth_first_order(minimum_spanning_tree(weight), root, directed=False)[1]
    return tuple(-1 if i == root else int(parents[i]) for i in range(len(parents)))


def fit(
    pictures: Tensor, keypoints: np.ndarray, limbs: Sequence[tuple[int, int]], *, mixtures: int = 4, template: int = 5, seed: int = 0,
) -> Parts:  # fmt: skip
    """Parts for people: pictures (N, 3, S, S) uint8, keypoints (N, K, 3) in their pixels, limbs as pairs of joints.

    Raises:
        PosekitError: a joint is labelled in fewer than ten people a mixture.
    """
    from sklearn.cluster import KMeans

    n, k = keypoints.shape[:2]
    cells = np.concatenate([oriented_gradients(chunk.float() / 255) for chunk in pictures.split(64)])
    size = cells.shape[-1]
    xy = np.where(keypoints[..., 2:] > 0, (keypoints[..., :2] + 0.5) / STRIDE - 0.5, np.nan)  # in cells
    parents = tree(xy, limbs)
    model = Parts(PartsConfig(k, parents, mixtures, template))
    # The root's offset is from the view's middle; its mixtures are distinguished by where its children lie.
    offsets = np.stack([xy[:, i] - (xy[:, p] if p >= 0 else (size - 1) / 2) for i, p in enumerate(parents)], 1)
    kinds = np.full((n, k), -1)
    for i, parent in enumerate(parents):
        described = offsets[:, i] if parent >= 0 else offsets[:, [j for j, p in enumerate(parents) if p == i]].reshape(n, -1)
        known = np.flatnonzero(np.isfinite(described).all(1) & np.isfinite(offsets[:, i]).all(1))
        if len(known) < 10 * mixtures:
            raise PosekitError(f"joint {i + 1}: labelled with its parent in {len(known)} people, too few for {mixtures} mixtures")
        kinds[known, i] = KMeans(mixtures, n_init=3, random_state=seed).fit_predict(described[known])
    for i, parent in enumerate(parents):
        for kind in range(mixtures):
            seen = offsets[kinds[:, i] == kind, i]
            variance = seen.var(0) + 0.25  # no joint is known to better than half a cell
            model.rest[i, kind] = torch.from_numpy(seen.mean(0))
            model.stiffness[i, kind] = torch.from_numpy(0.5 / variance)
            # The density's height belongs to the spring: a loose one may reach far, but gives less everywhere.
            level = -0.5 * np.log(variance).sum()
            above = kinds[:, parent] if parent >= 0 else np.zeros(n, int)
            for other in range(mixtures):
                among = (above == other if parent >= 0 else kinds[:, i] >= 0) & (kinds[:, i] >= 0)
                share = (np.sum(among & (kinds[:, i] == kind)) + 1) / (among.sum() + mixtures)
                model.together[i, kind, other] = float(np.log(share) + level)
    _fit_templates(model, cells, xy, kinds, seed)
    return model.eval()


def _fit_templates(model: Parts, cells: np.ndarray, xy: np.ndarray, kinds: np.ndarray, seed: int, most: int = 1500) -> None:
    """A linear support vector machine a template, joints against positions away from them, and its log-odds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    config, random = model.config, np.random.default_rng(seed)
    p, size = config.template, cells.shape[-1]
    reach = p // 2
    padded = np.pad(cells, [(0, 0), (0, 0), (reach, reach), (reach, reach)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (p, p), axis=(2, 3))  # (N, 13, H, W, P, P)

    def cut(people: np.ndarray, positions: np.ndarray) -> np.ndarray:
        return windows[people, :, positions[:, 1], positions[:, 0]].reshape(len(people), -1)

    for i in range(config.joints):
        place = np.round(xy[:, i])
        inside = np.isfinite(place).all(1) & (place >= 0).all(1) & (place < size).all(1)
        labelled = np.flatnonzero(np.isfinite(xy[:, i]).all(1))
        people = random.choice(labelled, 2 * most)
        positions = random.integers(0, size, (len(people), 2))
        away = np.abs(positions - xy[people, i]).max(1) > 2
        negative = cut(people[away], positions[away])
        for kind in range(config.mixtures):
            of_kind = np.flatnonzero((kinds[:, i] == kind) & inside)
            of_kind = random.permutation(of_kind)[:most]
            positive = cut(of_kind, place[of_kind].astype(int))
            x = np.concatenate([positive, negative])
            y = np.arange(len(x)) < len(positive)
            backend = LinearSVC(C=0.01, class_weight="balanced", random_state=seed).fit(x, y)
            odds = LogisticRegression(class_weight="balanced").fit(backend.decision_function(x)[:, None], y)
            slope, row = float(odds.coef_[0, 0]), i * config.mixtures + kind
            model.templates[row] = torch.from_numpy(slope * backend.coef_[0].reshape(-1, p, p))
            model.bias[row] = float(slope * backend.intercept_[0] + odds.intercept_[0])
