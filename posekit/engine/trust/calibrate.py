"""`posekit.calibrate`: what a network's confidence is worth, and a calibration that makes it worth what it says."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posekit import metrics
from posekit.coordinates import CONTEXT
from posekit.data import load_people
from posekit.data.crops import Crops, crops
from posekit.data.people import People, parse_spec
from posekit.display import html as display
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.evaluation import common
from posekit.engine.inference.prediction import Predictor, load
from posekit.engine.overlap import overlap
from posekit.engine.trust import reliability
from posekit.engine.trust.calibration import LEVEL, Calibration, conformal_factors, isotonic, least_people, temperature, tempered
from posekit.engine.trust.observe import Observed, observe
from posekit.engine.trust.signals import REACH, SIGNALS, need_heatmaps
from posekit.errors import PosekitError, whole
from posekit.skeleton import Skeleton, skeleton_of

LEAST = 50  # joints, found and not, without which no curve is fitted
WAYS = {  # what is called a probability, and how it comes about
    "peak": "the peak of the heatmap, over the target's",
    "peak, temperature": "its logit divided by a temperature",
    "peak, isotonic": "the peak through an isotonic curve",
    "mass": "the share of the heatmap within 0.2 torso lengths",
    "mass, isotonic": "this through an isotonic curve: what `predict` gives",
}


@dataclass(frozen=True)
class Measured:
    """N people of whom a network's joints and the true ones are known, of the J joints that both have; distances in picture pixels."""

    observed: Observed
    joints: Skeleton
    signals: dict[str, np.ndarray]  # (N, J)
    spreads: np.ndarray  # (N, J)
    distances: np.ndarray  # (N, J), NaN where not labelled
    torsos: np.ndarray  # (N,) annotated
    hits: np.ndarray  # (N, J)
    pictures: np.ndarray | None  # (N,) id of the picture, where people may share one


@dataclass(frozen=True)
class Calibrated:
    """What `calibrate` returns. As the last value of a notebook's cell it shows itself as tables.

    Attributes:
        calibration: to hand to `Predictor.predict`, or to keep.
        scores: what it is worth on people that it was not fitted to; what `posekit calibrate --json` writes.
    """

    calibration: Calibration
    scores: dict[str, Any]

    def _repr_html_(self) -> str:
        lines = [f"<p>{escape(words(self.scores))}</p>"]
        for head, rows in tables(self.scores):
            lines.append(display.table(rows, head))
        return "\n".join(lines)


def calibrate(
    model: Predictor | str | Path, data: str | People, *, test: str | People | None = None, level: float = LEVEL, flip: bool = False,
    most: int | None = None, on_error: str = "raise", cache: str | Path = "data", seed: int = 0, backend: Backend | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Calibrated:  # fmt: skip
    """Fit probabilities and radii to a network on the validation people of a data set, and measure them on its test people.

    A joint is *found* within 0.2 torso lengths of its annotation. The probability of that is read from the share of the heatmap within 0.2
    torso lengths of the prediction, the torso as predicted, by one isotonic curve for all joints; the radius is the spread of the heatmap
    times a factor for each joint, such that it holds the annotation in `level` of people like these (normalised split-conformal
    prediction).

    Args:
        model: what `posekit.load` or `posekit.adapt` gives, or the name or file of weights. It has heatmaps.
        data: a spec without a split, whose val split is fitted on and whose test split is measured on; a spec with a split, or people,
            to fit on.
        test: people to measure on, none of whom were fitted on.
        level: how often a radius is to hold the true joint.
        flip: of the mean of picture and mirror image.
        most: people at most, to fit on and to measure on each, drawn by `seed`.
        on_error: `skip` leaves out people whose picture cannot be read.
        cache: where crops are kept.
        backend: where weights are put that are given by name or file.
        progress: called with what is being done, how many are done and of how many.

    Returns:
        The calibration and its scores, which are reliability diagrams, calibration errors and rankings of WAYS and SIGNALS, risk and
        coverage, and how often the radii hold, joint by joint. Without test people there are no scores.

    Raises:
        PosekitError: there is no split to calibrate on, or people of it were trained on or are measured on as well; too few for the
            level at every joint (where at some, these are left out), or for a curve; a network without heatmaps.

    >>> found = calibrate("mannequins-hg1", "mannequins:400,size=64", most=40)
    >>> found.calibration.people, sorted(found.scores["errors"])[:2]
    (40, ['mass', 'mass, isotonic'])
    """
    seed, most = whole("seed", seed), None if most is None else whole("most", most, 1)
    predictor = model if isinstance(model, Predictor) else load(model) if backend is None else load(model, str(backend.device))
    card = predictor.card
    need_heatmaps(card)
    if not 0 < level < 1:
        raise PosekitError(f"level is {level!r}; it lies between 0 and 1, 0.9 say")
    fitted, measured = _people(data, test, on_error, cache)
    common(skeleton_of(card.skeleton), fitted.skeleton)  # refused before anything is cut
    size = round(card.resolution * CONTEXT)
    own = crops(fitted.at_most(most, seed), size, cache, aspect=card.aspect, on_error=on_error)
    trained = overlap(card, own)
    if trained and trained["people"]:
        raise PosekitError(f"{trained['people']:,} of these {len(own):,} people are in pictures that {card.name} was trained on, of whom "
                           "it is surer than of others; calibrate on people that it has not seen")  # fmt: skip
    fit_on = measure(predictor, own, flip=flip, progress=progress)
    calibration, heat = _fit(predictor, fit_on, own, level, flip)
    people = np.isfinite(fit_on.distances).sum(0)
    rare = {joint: int(people[k]) for k, joint in enumerate(fit_on.joints.joints) if joint not in calibration.radius}
    if measured is None:
        return Calibrated(calibration, {"weights": card.name, "calibration": calibration.to_dict(), "left out": rare})
    theirs = crops(measured.at_most(most, seed), size, cache, aspect=card.aspect, on_error=on_error)
    if np.isin(theirs.pictures, own.pictures).any():
        raise PosekitError(f"{measured.source}: people to measure on are in pictures that were calibrated on; give others")
    scores = _scores(predictor, calibration, heat, measure(predictor, theirs, flip=flip, progress=progress), theirs, seed)
    return Calibrated(calibration, scores | {"left out": rare})


def into(path: str | Path, predictor: Predictor, calibration: Calibration) -> None:
    """Write a network's weights with a calibration on their card, as exactly as they were stored.

    Raises:
        PosekitError: an adapted network, which has no weights file; the file cannot be written.
    """
    model, card = predictor.model, predictor.card
    if card.architecture == "adapted":
        raise PosekitError(f"{card.name} is an adapted network and has no weights file; write its calibration as .json")
    half = all(torch.equal(v.half().float(), v.float()) for v in model.state_dict().values() if v.is_floating_point() and v.ndim > 1)
    weights.save(path, model, replace(card, calibration=calibration.to_dict()), half=half)


def measure(
    predictor: Predictor, store: Crops, *, flip: bool = False, progress: Callable[[str, int, int | None], None] | None = None
) -> Measured:  # fmt: skip
    """What the network answers for stored crops, beside the truth."""
    joints, done = common(predictor.skeleton, store.people.skeleton), 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress("predicting", done, len(store))

    seen = observe(predictor.model, predictor.card, store, flip=flip, backend=predictor.backend, progress=report)
    of_network, truth = predictor.skeleton.index(*joints.joints), store.people.keypoints[:, store.people.skeleton.index(*joints.joints)]
    distances = np.linalg.norm(seen.keypoints[:, of_network, :2] - truth[..., :2], axis=-1)
    distances = np.where(truth[..., 2] > 0, distances, np.nan)
    torsos = metrics.torso(store.people.keypoints, store.people.skeleton)
    return Measured(
        seen, joints, {name: told[:, of_network] for name, told in seen.signals.items()}, seen.spreads[:, of_network], distances, torsos,
        reliability.hits_of(distances, torsos, REACH), store.people.picture_ids(),
    )  # fmt: skip


def _people(data: str | People, test: str | People | None, on_error: str, cache: str | Path) -> tuple[People, People | None]:
    """Whom to fit on and whom to measure on."""

    def read(given: str | People, split: str) -> People:
        return given if isinstance(given, People) else load_people(given, default_split=split, on_error=on_error, cache=cache)

    if isinstance(data, People) or parse_spec(data)[2] is not None:
        return read(data, "val"), None if test is None else read(test, "test")
    everybody = load_people(data, on_error=on_error, cache=cache)
    splits = [str(name) for name in np.unique(everybody.splits)]
    if "val" not in splits:
        raise PosekitError(f"{everybody.source} has no validation split to calibrate on; it has {', '.join(splits)}: name one that the "
                           f"network was not trained on, {data}@{splits[0]}, and others to measure on by test")  # fmt: skip
    return everybody.split("val"), everybody.split("test") if test is None and "test" in splits else None if test is None else read(
        test, "test"
    )


def _fit(predictor: Predictor, fit_on: Measured, store: Crops, level: float, flip: bool) -> tuple[Calibration, dict[str, Any]]:
    """The calibration, and what only the scores compare it with: the peak's temperature and curve."""
    known = np.isfinite(fit_on.hits)
    hits = fit_on.hits[known]
    who = f"{store.people.source}: {known.sum():,} joints"
    if len(hits) < LEAST:
        raise PosekitError(f"{who} with an annotation and a torso are too few for a curve; it takes {LEAST} at least")
    if hits.all() or not hits.any():
        raise PosekitError(f"{who} are {'all' if hits.all() else 'none'} found by {predictor.card.name}, from which no probability can be "
                           "read; calibrate on people of whom some joints are found")  # fmt: skip
    x, y = isotonic(fit_on.signals["mass"][known], hits)
    splits = sorted({str(split) for split in store.people.splits})
    calibration = Calibration(
        network=predictor.card.name, fingerprint=weights.fingerprint(predictor.model, predictor.card),
        people=len(store), flip=flip, level=level,
        data=f"{parse_spec(store.people.source)[0]}@{splits[0] if len(splits) == 1 else 'all'}",
        mass=tuple(x.tolist()), probability=tuple(y.tolist()),
        radius=conformal_factors(fit_on.distances, fit_on.spreads, fit_on.joints.joints, level),
    )  # fmt: skip
    peak = fit_on.signals["peak"][known]
    return calibration, {"temperature": temperature(peak, hits), "curve": isotonic(peak, hits)}


def _scores(predictor: Predictor, calibration: Calibration, peak: dict, on: Measured, store: Crops, seed: int) -> dict[str, Any]:
    known = [joint in calibration.radius for joint in on.joints.joints]
    told = {
        "peak": on.signals["peak"],
        "peak, temperature": tempered(on.signals["peak"], peak["temperature"]),
        "peak, isotonic": np.interp(on.signals["peak"], *peak["curve"]),
        "mass": on.signals["mass"],
        "mass, isotonic": np.where(known, calibration.probabilities(on.signals["mass"]), np.nan),
    }
    also: dict[str, Any] = {"pictures": on.pictures, "seed": seed}
    radii = calibration.radii(on.spreads, on.joints)
    held = np.where(np.isfinite(on.distances) & np.isfinite(radii), on.distances <= radii, np.nan)
    size = radii / on.torsos[:, None]
    by_joint = {}
    for k, joint in enumerate(on.joints.joints):
        if np.isfinite(on.distances[:, k]).any():
            shown = size[np.isfinite(held[:, k]) & np.isfinite(on.torsos), k]
            by_joint[joint] = {
                "held": _share(held[:, k : k + 1], **also), "radius": float(np.median(shown)) if len(shown) else np.nan,
                "found": _share(on.hits[:, k : k + 1], **also),
                "error": reliability.calibration_error(told["mass, isotonic"][:, k : k + 1], on.hits[:, k : k + 1], **also),
            }  # fmt: skip
    splits = sorted({str(split) for split in store.people.splits})
    return {
        "weights": predictor.card.name, "data": f"{parse_spec(store.people.source)[0]}@{splits[0] if len(splits) == 1 else 'all'}",
        "people": len(store), "level": calibration.level, "flip": calibration.flip, "calibration": calibration.to_dict(),
        "found": _share(on.hits, **also), "temperature": peak["temperature"],
        "errors": {way: reliability.calibration_error(values, on.hits, **also) for way, values in told.items()},
        "diagrams": {way: reliability.diagram(values, on.hits, **also) for way, values in told.items()},
        "ranking": {name: reliability.ranking(on.signals[name], on.hits, **also) for name in SIGNALS},
        "risk": {name: reliability.risk_coverage(on.signals[name], on.hits, **also) for name in SIGNALS},
        "held": _share(held, **also), "joints": by_joint,
    }  # fmt: skip


def _share(values: np.ndarray, *, pictures: np.ndarray | None, seed: int) -> dict[str, Any]:
    """The mean of values (N, J), NaN left out, with its interval."""
    known = np.isfinite(values)
    mean, low, high = metrics.interval(np.nansum(values, -1), known.sum(-1), pictures=pictures, seed=seed, resamples=reliability.RESAMPLES)
    return {"mean": mean, "low": low, "high": high, "people": int(known.any(-1).sum())}


def words(scores: dict[str, Any]) -> str:
    """What was fitted on whom, in one line."""
    fitted = scores["calibration"]
    line = f"{scores['weights']}, fitted on {fitted['people']:,} people of {fitted['data']}"
    if "people" in scores:
        line += f", measured on {scores['people']:,} of {scores['data']}"
    if rare := scores.get("left out"):
        counts = ", ".join(f"{joint} ({people})" for joint, people in rare.items())
        line += f"; neither probability nor radius, which take {least_people(fitted['level'])} people with the joint labelled: {counts}"
    return line


def tables(scores: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """Head and rows of each table; none without test people."""
    if "errors" not in scores:
        return []
    errors = [[way, display.interval(block), display.number(block["floor"]), display.interval(block["over"], "+.3f")]
              for way, block in scores["errors"].items()]  # fmt: skip
    ranks = [[name, display.interval(block), display.interval(scores["risk"][name]["half"])] for name, block in scores["ranking"].items()]
    joints = [[joint, display.interval(block["found"]), display.interval(block["held"]), display.number(block["radius"], ".2f")]
              for joint, block in scores["joints"].items()]  # fmt: skip
    return [
        (["probability", "calibration error", "by chance alone", "too sure by"], errors),
        (["confidence", "AUROC", "not found, of the surer half"], ranks),
        (["joint", "found", f"within the radius ({100 * scores['level']:g} % wanted)", "median radius, torso lengths"], joints),
    ]
