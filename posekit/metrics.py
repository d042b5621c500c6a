"""Scores of predicted keypoints. Each says what it is normalised by, and is NaN where no joint is labelled.

"PCK" is several different numbers: the normaliser and the threshold are part of each name here, and every
score carries its definition in words. Coordinates are (x, y) in image pixels unless said otherwise.
"""

import contextlib
import io
from collections.abc import Sequence
from types import ModuleType

import numpy as np

from posekit.errors import PosekitError
from posekit.skeleton import Skeleton
from posekit.stats import draws, over_people

TORSO = ("left shoulder", "right shoulder", "left hip", "right hip")
FAR = 9e4  # pixels; COCO takes no notice of what is predicted larger than 1e5 x 1e5
AP_THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of OKS, COCO's


def has_torso(skeleton: Skeleton) -> bool:
    """Whether a skeleton has the shoulders and hips that a torso is measured between."""
    return set(TORSO) <= set(skeleton.joints)


def torso(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Torso length (N,) of keypoints (N, K, 3): shoulder to opposite hip, mean of the labelled diagonals.

    Sapp & Taskar (CVPR 2013) take one diagonal, left shoulder to right hip. NaN where neither diagonal is
    labelled, and where the length is 0, which measures nothing. PosekitError where the skeleton lacks them.
    """
    if not has_torso(skeleton):
        raise PosekitError(f"the {skeleton.name} skeleton has no shoulders and hips, so there is no torso to measure by")
    (ls, rs, lh, rh), xy = skeleton.index(*TORSO), _labelled(keypoints)
    diagonals = np.stack([xy[:, ls] - xy[:, rh], xy[:, rs] - xy[:, lh]])
    lengths = np.linalg.norm(diagonals, axis=-1)
    counted = np.isfinite(lengths)
    mean = np.nansum(lengths, 0) / np.maximum(counted.sum(0), 1)
    return np.where(mean > 0, mean, np.nan)


def normalised(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Places (N, K, 2) of keypoints (N, K, 3) relative to the middle of the hips, in torso lengths.

    NaN where a hip, the torso or the joint is not labelled.
    """
    xy = _labelled(keypoints)
    hips = xy[:, skeleton.index("left hip", "right hip")].mean(1)
    return (xy - hips[:, None]) / torso(keypoints, skeleton)[:, None, None]


def head(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Head length (N,) of keypoints (N, K, 3): neck to head top. NaN where either is not labelled.

    This is not the head size of MPII's PCKh, which comes from a box around the head.
    """
    (neck, top), xy = skeleton.index("neck", "head top"), _labelled(keypoints)
    return np.linalg.norm(xy[:, neck] - xy[:, top], axis=-1)


def hits(predicted: np.ndarray, keypoints: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """1 where a predicted joint (N, K, >=2) lies within the threshold (N,) of keypoints (N, K, 3), else 0.

    NaN where the joint is not labelled or the person has no threshold. A prediction of NaN is a miss.
    """
    predicted, keypoints, threshold = _alike(predicted, keypoints, threshold, "threshold")
    distance = np.linalg.norm(predicted[..., :2] - keypoints[..., :2], axis=-1)
    valid = (keypoints[..., 2] > 0) & np.isfinite(threshold)[:, None]
    return np.where(valid, distance <= np.nan_to_num(threshold)[:, None], np.nan)


def person_error(predicted: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton, limit: float = 1.0) -> np.ndarray:
    """How far off each person's joints are (N,): the mean over labelled joints, in torso lengths, a joint counting `limit` at most.

    Of predicted (N, K, >=2) and annotated keypoints (N, K, 3); a prediction of NaN counts `limit`. NaN without a labelled joint or torso.
    """
    predicted, keypoints, lengths = _alike(predicted, keypoints, torso(keypoints, skeleton), "torsos")
    lengths = lengths[:, None]
    distance = np.linalg.norm(predicted[..., :2] - keypoints[..., :2], axis=-1) / lengths
    known = (keypoints[..., 2] > 0) & np.isfinite(lengths)
    total = np.where(known, np.minimum(np.nan_to_num(distance, nan=limit), limit), 0).sum(1)
    return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def similarity(predicted: np.ndarray, keypoints: np.ndarray, areas: np.ndarray, sigmas) -> np.ndarray:
    """COCO's similarity (N, K) of each joint: exp(-d^2 / (2 area (2 sigma)^2)), NaN where not labelled.

    `predicted` (N, K, >=2), `keypoints` (N, K, 3), `areas` (N,) in square pixels, `sigmas` (K,).
    cocodataset.org/#keypoints-eval
    """
    predicted, keypoints, areas = _alike(predicted, keypoints, areas, "areas")
    _check_areas(areas)
    squared = np.square(predicted[..., :2] - keypoints[..., :2]).sum(-1)
    variance = np.square(2 * np.asarray(sigmas))
    value = np.exp(-squared / (2 * variance * (areas[:, None] + np.spacing(1))))
    return np.where(keypoints[..., 2] > 0, np.nan_to_num(value), np.nan)


def oks(predicted: np.ndarray, keypoints: np.ndarray, areas: np.ndarray, sigmas) -> np.ndarray:
    """Object keypoint similarity (N,): the mean of `similarity` over the labelled joints, or NaN."""
    value = similarity(predicted, keypoints, areas, sigmas)
    return _ratio(np.nansum(value, -1), np.isfinite(value).sum(-1))


def score(
    predicted: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton, *, heads: np.ndarray | None = None,
    heatmap_cell: np.ndarray | None = None, heatmap_width: int | None = None, areas: np.ndarray | None = None,
    image_ids: np.ndarray | None = None, boxes: np.ndarray | None = None, ignored: np.ndarray | None = None, seed: int = 0,
    resamples: int = 1000,
) -> dict[str, dict]:  # fmt: skip
    """Every metric that the data allow, by name: predictions (N, K, 3), keypoints (N, K, 3), image pixels.

    | name | needs |
    | --- | --- |
    | `pck@0.2·torso` | a skeleton with shoulders and hips |
    | `pckh@0.5` | `heads` (N,), MPII's head sizes in image pixels; as MPII has it, without pelvis and thorax |
    | `pckh@0.5·16` | the same with both, of a skeleton (here of 16 joints) that has them |
    | `pck@0.5·head` | a skeleton with neck and head top |
    | `pck@0.5·hm/10` | `heatmap_cell` (N,), image pixels to a heatmap cell, and `heatmap_width` in cells |
    | `oks` | `areas` (N,) in square image pixels, and a skeleton with sigmas |
    | `oks-ap` | the same, and `image_ids` (N,) where people share a picture; see `oks_ap` |

    Each is `{"mean", "low", "high", "people", "labelled", "definition", "joints"}`: `low` and `high` are a 95
    % bootstrap interval over people, or over pictures where by `image_ids` some share one, `people` counts those with at least one
    joint that counts, `labelled` the joints that count. What nothing is known of is NaN.

    >>> from posekit.skeleton import LSP
    >>> people = np.random.default_rng(0).uniform(0, 100, (5, 14, 2))
    >>> people = np.concatenate([people, np.full((5, 14, 1), 2.0)], -1)
    >>> {name: block["mean"] for name, block in score(people, people, LSP).items()}
    {'pck@0.2·torso': 1.0, 'pck@0.5·head': 1.0}
    """
    predicted, keypoints = _people(
        skeleton, predicted, keypoints, areas=areas, image_ids=image_ids, boxes=boxes, heads=heads, heatmap_cell=heatmap_cell
    )
    outside = [joint for joint in ("pelvis", "thorax") if joint in skeleton.joints]  # of MPII's own mean
    torsos = "a shoulder to the opposite hip, mean of the labelled diagonals; people without one are left out"
    scores: dict[str, dict] = {}

    def pck(name: str, normaliser: np.ndarray, factor: float, words: str, without: Sequence[str] = ()) -> None:
        normaliser = np.asarray(normaliser, float)
        hit = hits(predicted, keypoints, factor * np.where(normaliser > 0, normaliser, np.nan))
        lacking = f", without {' and '.join(without)}" if without else ""
        if without:
            hit[:, skeleton.index(*without)] = np.nan
        which = f"{len(skeleton) - len(without)} of the {skeleton.name} skeleton{lacking}, each labelled joint counts once"
        definition = f"share of all labelled joints ({which}) predicted within {factor} {words}"
        scores[name] = _block(hit, skeleton, definition, seed, resamples, pictures=image_ids)

    if has_torso(skeleton):
        pck("pck@0.2·torso", torso(keypoints, skeleton), 0.2, f"torso lengths ({torsos})")
    if heads is not None:
        words = "head sizes (MPII's: 0.6 times the diagonal of the annotated head box)"
        pck("pckh@0.5", heads, 0.5, words, outside)
        if outside:
            pck(f"pckh@0.5·{len(skeleton)}", heads, 0.5, words)
    if {"neck", "head top"} <= set(skeleton.joints):
        pck("pck@0.5·head", head(keypoints, skeleton), 0.5, "head lengths (annotated neck to head top; not MPII's head box)")
    if heatmap_cell is not None and heatmap_width is not None:
        words = f"times a tenth of the heatmap's width ({heatmap_width} cells; the study's own)"
        pck("pck@0.5·hm/10", np.asarray(heatmap_cell) * heatmap_width / 10, 0.5, words)
    if areas is not None and len(skeleton.sigmas) == len(skeleton):
        value = similarity(predicted, keypoints, areas, skeleton.sigmas)
        definition = "mean over people of COCO's object keypoint similarity; a joint's where it is labelled"
        if skeleton.borrowed:
            definition += f"; COCO has no sigma for {' and '.join(skeleton.borrowed)}, which have that of their nearest kin"
        scores["oks"] = _block(value, skeleton, definition, seed, resamples, by_person=True, pictures=image_ids)
        scores["oks-ap"] = oks_ap(
            predicted, keypoints, skeleton, areas, image_ids=image_ids, boxes=boxes, ignored=ignored, seed=seed, resamples=resamples
        )
    return scores


def oks_ap(
    predicted: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton, areas: np.ndarray, *,
    image_ids: np.ndarray | None = None, boxes: np.ndarray | None = None, ignored: np.ndarray | None = None, seed: int = 0,
    resamples: int = 1000,
) -> dict:  # fmt: skip
    """COCO's average precision over OKS 0.50 to 0.95, by pycocotools, with an interval over pictures.

    Predictions (N, K, 3): person i's prediction competes within its picture with the score that is the mean
    of its third column, where NaN is 0. A joint whose prediction is NaN is missed. People without a labelled joint
    are ignored, as COCO does: what is predicted on their `boxes` (N, 4), of People, does not count. Without boxes they and their
    predictions are left out. `ignored` (M, 7) are others like them and crowds, as `People.ignored_in_pictures` has them.
    `stats` holds COCO's other figures; a size range that holds nobody is NaN.
    """
    predicted, keypoints = _people(skeleton, predicted, keypoints, areas=areas, image_ids=image_ids, boxes=boxes)
    if boxes is None:
        kept = (keypoints[..., 2] > 0).any(-1)
        predicted, keypoints, areas = predicted[kept], keypoints[kept], np.asarray(areas)[kept]
        image_ids = None if image_ids is None else np.asarray(image_ids)[kept]
    scores = np.nan_to_num(predicted[..., 2]).mean(-1)
    truth, found = coco_dataset(keypoints, skeleton, areas, image_ids, boxes, ignored), coco_results(predicted, scores, image_ids)
    names = ("ap", "ap@0.5", "ap@0.75", "ap·medium", "ap·large", "ar", "ar@0.5", "ar@0.75", "ar·medium", "ar·large")
    labelled = keypoints[..., 2] > 0
    stats, low, high = np.full(len(names), np.nan), np.nan, np.nan
    if labelled.any():
        evaluation = coco_evaluation(truth, found, skeleton.sigmas)
        stats = np.where(evaluation.stats < 0, np.nan, evaluation.stats)
        low, high = _ap_interval(evaluation, seed, resamples)
    definition = (
        "average precision over OKS 0.50 to 0.95 (pycocotools), each person predicted from the box of the "
        "annotation and scored by the mean peak height; interval over pictures"
    )
    return {
        "mean": float(stats[0]), "low": low, "high": high, "people": int(labelled.any(-1).sum()),
        "labelled": int(labelled.sum()), "definition": definition, "joints": {},
        "stats": dict(zip(names, stats.tolist(), strict=True)),
    }  # fmt: skip


def paired_difference(
    hits_a: np.ndarray, hits_b: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0, resamples: int = 1000
) -> dict:  # fmt: skip
    """How much larger the mean of `hits_a` (N, K) is than that of `hits_b` (N, K), on the same people.

    Over the joints that count in both; the 95 % interval resamples people, or `pictures` (N,) where some share one, and both methods
    meet the same people.

    >>> paired_difference(np.ones((9, 2)), np.zeros((9, 2)))
    {'mean': 1.0, 'low': 1.0, 'high': 1.0, 'people': 9}
    """
    if np.shape(hits_a) != np.shape(hits_b):
        raise PosekitError(f"hits are {np.shape(hits_a)} and {np.shape(hits_b)}; a paired difference is over the same people and joints")
    difference = np.asarray(hits_a, float) - np.asarray(hits_b, float)
    counted = np.isfinite(difference)
    mean, low, high = interval(np.nansum(difference, -1), counted.sum(-1), pictures=pictures, seed=seed, resamples=resamples)
    return {"mean": mean, "low": low, "high": high, "people": int(counted.any(-1).sum())}


def interval(
    sums: np.ndarray, counts: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0, resamples: int = 1000
) -> tuple[float, float, float]:  # fmt: skip
    """Mean, low and high of `stats.over_people`.

    >>> interval(np.array([2.0, 1.0]), np.array([2, 2]))[0]
    0.75
    """
    found = over_people(sums, counts, pictures=pictures, seed=seed, resamples=resamples)
    return found.mean, found.low, found.high


def coco_dataset(keypoints, skeleton: Skeleton, areas, image_ids=None, boxes=None, ignored=None) -> dict:
    """The people, and who is `ignored`, as a COCO keypoint data set in memory. Pictures are numbered anew, annotations from 1."""
    keypoints = np.where(keypoints[..., 2:] > 0, keypoints, 0)  # COCO writes absent joints as 0, 0, 0
    pictures = _pictures(len(keypoints), image_ids)
    edge = np.array([0.5, 0.5, 0, 0])  # COCO's boxes begin at 0 where People's begin at -1/2
    boxes = np.zeros((len(keypoints), 4)) if boxes is None else np.asarray(boxes, float) + edge
    people = [
        {
            "id": i + 1, "image_id": int(pictures[i]), "category_id": 1, "iscrowd": 0,
            "area": float(areas[i]), "bbox": boxes[i].tolist(), "keypoints": keypoints[i].ravel().tolist(),
            "num_keypoints": int((keypoints[i, :, 2] > 0).sum()),
        }
        for i in range(len(keypoints))
    ]  # fmt: skip
    number = {} if image_ids is None else dict(zip(np.asarray(image_ids).tolist(), pictures.tolist(), strict=True))
    for image, *box, area, crowd in np.zeros((0, 7)) if ignored is None else np.asarray(ignored, float):
        if image in number:
            people.append({
                "id": len(people) + 1, "image_id": number[image], "category_id": 1, "iscrowd": int(crowd), "area": float(area),
                "bbox": (box + edge).tolist(), "keypoints": [0] * 3 * len(skeleton), "num_keypoints": 0,
            })  # fmt: skip
    person = {"id": 1, "name": "person", "keypoints": list(skeleton.joints)}
    return {"images": [{"id": int(i)} for i in np.unique(pictures)], "annotations": people, "categories": [person]}


def coco_results(predicted, scores, image_ids=None) -> list[dict]:
    """Predictions (N, K, >=2), scores (N,), as COCO results that go with `coco_dataset`.

    What is not finite is put FAR from everybody: to pycocotools an OKS of NaN is a match.
    """
    pictures = _pictures(len(predicted), image_ids)
    flat = np.ones((*np.shape(predicted)[:2], 3))
    flat[..., :2] = predicted[..., :2]
    flat[~np.isfinite(flat).all(-1)] = (FAR, FAR, 1)
    return [
        {"image_id": int(i), "category_id": 1, "keypoints": points.ravel().tolist(), "score": float(s)}
        for i, points, s in zip(pictures, flat, scores, strict=True)
    ]


def coco_evaluation(truth: dict, results: list[dict], sigmas, package: ModuleType | None = None):
    """pycocotools' COCOeval, evaluated, accumulated and summarised; its printing is swallowed."""
    if package is None:
        import pycocotools.coco
        import pycocotools.cocoeval

        data, evaluator = pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval
    else:  # faster_coco_eval, which has the same interface
        data, evaluator = package.COCO, package.COCOeval_faster
    with contextlib.redirect_stdout(io.StringIO()):
        coco = data()
        coco.dataset = truth
        coco.createIndex()
        evaluation = evaluator(coco, coco.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, float)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _people(
    skeleton: Skeleton, predicted: np.ndarray, keypoints: np.ndarray, **columns: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Predictions and keypoints as float64. PosekitError where arrays are not of the same people, or a label or an area is none."""
    predicted, keypoints = np.asarray(predicted, float), np.asarray(keypoints, float)
    count = len(keypoints) if keypoints.ndim else 0
    for name, value in (("keypoints", keypoints), ("predicted", predicted)):
        if value.shape != (count, len(skeleton), 3):
            raise PosekitError(
                f"{name} has shape {value.shape}; of {count} people of the {skeleton.name} skeleton it is {(count, len(skeleton), 3)}"
            )
    for name, column in columns.items():
        wanted = (count, 4) if name == "boxes" else (count,)
        if column is not None and np.shape(column) != wanted:
            raise PosekitError(f"{name} has shape {np.shape(column)}; of {count} people it is {wanted}")
    if (nowhere := (keypoints[..., 2] > 0) & ~np.isfinite(keypoints[..., :2]).all(-1)).any():
        i, k = np.argwhere(nowhere)[0]
        raise PosekitError(f"keypoints: {skeleton.joints[k]} of person {i}, counted from 0, is labelled and not finite; make its flag 0")
    _check_areas(np.asarray([] if columns["areas"] is None else columns["areas"], float))
    return predicted, keypoints


def _check_areas(areas: np.ndarray) -> None:
    if (odd := ~(areas >= 0) | np.isinf(areas)).any():
        raise PosekitError(f"areas: that of person {int(odd.argmax())}, counted from 0, is {areas[odd][0]}; OKS needs square pixels")


def _alike(predicted, keypoints, values, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All as float64. PosekitError where they are not of the same people and joints: NumPy would take one for all in silence."""
    predicted, keypoints, values = (np.asarray(each, float) for each in (predicted, keypoints, values))
    if predicted.shape[:-1] != keypoints.shape[:-1] or values.shape != keypoints.shape[:1]:
        shown = f"{predicted.shape}, {keypoints.shape}, {values.shape}"
        raise PosekitError(f"predicted, keypoints and {name} are {shown}, and not (N, K, 2 or 3), (N, K, 3) and (N,) of the same people")
    return predicted, keypoints, values


def _labelled(keypoints: np.ndarray) -> np.ndarray:
    keypoints = np.asarray(keypoints, float)  # lengths in half precision or whole numbers overflow
    return np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)


def _ratio(sums, counts):
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _block(value, skeleton: Skeleton, definition: str, seed: int, resamples: int, *, by_person: bool = False, pictures=None) -> dict:
    """The scores of values (N, K), NaN where a joint does not count; `by_person` weighs people alike."""
    counted = np.isfinite(value)
    sums, counts = np.nansum(value, -1), counted.sum(-1)
    if by_person:
        sums, counts = np.nan_to_num(_ratio(sums, counts)), (counts > 0).astype(int)
    mean, low, high = interval(sums, counts, pictures=pictures, seed=seed, resamples=resamples)
    joints = _ratio(np.nansum(value, 0), counted.sum(0))
    return {
        "mean": mean, "low": low, "high": high, "people": int(counted.any(-1).sum()),
        "labelled": int(counted.sum()), "definition": definition,
        "joints": dict(zip(skeleton.joints, joints.tolist(), strict=True)),
    }  # fmt: skip


def _pictures(count: int, image_ids) -> np.ndarray:
    return np.arange(count) if image_ids is None else np.unique(np.asarray(image_ids), return_inverse=True)[1]


def average_precision(true: np.ndarray, false: np.ndarray, people: float, recalls: np.ndarray) -> float:
    """COCO's average precision of detections, best first: weights (T, D) of true and of false ones.

    `people` is the weight of those to be found. The precision envelope is read off at `recalls` (R,), 0 where
    not reached.
    """
    true, false = np.cumsum(true, -1), np.cumsum(false, -1)
    precision = true / (true + false + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], -1)[:, ::-1]
    padded = np.concatenate([envelope, np.zeros((len(envelope), 1))], -1)
    reached = [np.searchsorted(recall, recalls, side="left") for recall in true / people]
    return float(np.mean([row[index] for row, index in zip(padded, reached, strict=True)]))


def _ap_interval(evaluation, seed: int, resamples: int) -> tuple[float, float]:
    """95 % bootstrap interval of the average precision over pictures; their matches stay as they are. Of one picture there is none."""
    pictures = [picture for picture in evaluation.evalImgs[: len(evaluation.params.imgIds)] if picture is not None]
    scores = np.concatenate([picture["dtScores"] for picture in pictures])
    order = np.argsort(-scores, kind="mergesort")
    matched = np.concatenate([picture["dtMatches"] for picture in pictures], 1)[:, order] > 0
    counts = ~np.concatenate([picture["dtIgnore"] for picture in pictures], 1)[:, order].astype(bool)
    owner = np.repeat(np.arange(len(pictures)), [len(picture["dtScores"]) for picture in pictures])[order]
    people = np.array([np.count_nonzero(np.asarray(picture["gtIgnore"]) == 0) for picture in pictures])
    values = []
    for weight in draws(len(pictures), seed, resamples):
        if weight @ people:
            detections = weight[owner]
            true, false = detections * (matched & counts), detections * (~matched & counts)
            values.append(average_precision(true, false, weight @ people, evaluation.params.recThrs))
    low, high = np.quantile(values, [0.025, 0.975]) if values and len(pictures) > 1 else (np.nan, np.nan)
    return float(low), float(high)
