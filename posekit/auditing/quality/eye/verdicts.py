"""What a viewer's verdicts say: how many flagged labels are wrong, how many of the others, and how well the viewer sees exchanges.

Shares have Wilson's 95 % intervals. People whose label the viewer could not judge are counted, and are in no share.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from posekit.auditing.judging import Audit
from posekit.auditing.quality.eye.sheets import ANSWERS, FLAGGED, FORM, KEY
from posekit.errors import PosekitError
from posekit.files import json_text, plain, read_json, write_text

EXCHANGES = ("whole", "arms", "legs", "pair")
COLUMNS = ("picture", "group", "probability", "kind", "planted", "look", "label", "prediction")


def read(folder: str | Path, names: Mapping[int, str] | None = None) -> pd.DataFrame:
    """The looks of a folder of blind sheets whose form is filled in, a row a look with COLUMNS; `picture` is the name of a person's row.

    Raises:
        PosekitError: a table cannot be read, a number is missing or twice, or an answer is none of ANSWERS.
    """
    folder = Path(folder)
    key, form = _table(folder / KEY, ("number", "person", *COLUMNS[1:-2], "label")), _table(folder / FORM, ("number", "A", "B"))
    if sorted(form["number"]) != sorted(key["number"]):
        raise PosekitError(f"{folder / FORM}: its numbers are not those of {KEY}, once each; fill in the form of these sheets")
    for column in "AB":
        if len(bad := form[~form[column].isin(ANSWERS)]):
            number, answer = bad.iloc[0][["number", column]]
            raise PosekitError(f"{folder / FORM}: number {number} has {column} {answer!r}; it is one of {', '.join(ANSWERS)}")
    both = key.merge(form, on="number")
    first = both["label"] == "A"
    both["label"], both["prediction"] = np.where(first, both["A"], both["B"]), np.where(first, both["B"], both["A"])
    both["picture"] = both["person"].map(str if names is None else names.__getitem__)
    return both[list(COLUMNS)]


def _table(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        found = pd.read_csv(file, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise PosekitError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if lacking := [name for name in columns if name not in found]:
        raise PosekitError(f"{file}: has no column {lacking[0]!r}; save it as a table with commas between {', '.join(columns)}")
    return found


def keep(looks: pd.DataFrame, audit: Audit, file: str | Path, viewer: str) -> None:
    """Write looks, a line each, of how many people they are and who the viewer was, as JSON without pictures, annotations and paths."""
    judged, people = np.isfinite(audit.exchanged), audit.people
    of_flagged = int(((looks["group"] == "flagged") & (looks["look"] == 1)).sum())
    flagged = max(int((np.nan_to_num(audit.exchanged) > FLAGGED).sum()), of_flagged)
    head = {"source": people.source.partition(":")[0], "splits": sorted(set(people.splits.tolist())), "network": audit.opinions[0].name,
            "viewer": viewer, "people": int(judged.sum()), "flagged": flagged, "columns": COLUMNS}  # fmt: skip
    rows = ",\n".join(json_text(row) for row in looks.assign(probability=looks["probability"].round(4)).to_numpy().tolist())
    write_text(file, f'{json_text(plain(head))[:-1]}, "looks": [\n{rows}\n]}}\n')


def kept(file: str | Path) -> dict[str, Any] | None:
    """The `summary` of a file that `keep` wrote, with network and viewer; None where there is no such file."""
    if not Path(file).is_file():
        return None
    content = read_json(Path(file))
    looks = pd.DataFrame(content["looks"], columns=content["columns"])
    return {
        **{name: content[name] for name in ("network", "viewer")},
        **summary(looks, content["flagged"], content["people"] - content["flagged"]),
    }


def summary(looks: pd.DataFrame, flagged: int, others: int) -> dict[str, Any]:
    """Shares of looks, with intervals, of an audit that flagged so many people and did not flag so many others.

    Of the first looks at people: `flagged`, `sure` (of probability above FLAGGED) and `others`, each with the share of labels in which the
    viewer saw an exchange (`exchanged`), any error (`wrong`), and the prediction wrong while the label is right (`network`), how many were
    `looked at` and how many of them are `unknown`; `bounds` are the share of exchanged labels if all of these were right, or exchanged.
    `share` is that of exchanged labels among all people, `recall` the share of these that were flagged. Of `controls`: `sensitivity`, the
    share of judged planted exchanges that the viewer saw, and `alarms`, the share of skeletons without a planted one of which the viewer
    said so. `again`: the share of second looks with the first verdict about the label, and Cohen's `kappa`.
    """
    first = looks[looks["look"] == 1]
    top = first[first["group"] == "flagged"]
    blocks = {
        "flagged": _people(top),
        "sure": _people(top[top["probability"] > FLAGGED]),
        "others": _people(first[first["group"] == "others"]),
    }
    planted = first[first["planted"] != ""]
    of_label = planted["group"] == "label planted"
    with_, without = (np.where(of_label, planted[a], planted[b]) for a, b in (("label", "prediction"), ("prediction", "label")))
    return {
        "people": flagged + others,
        "total": {"flagged": flagged, "others": others},
        **blocks,
        "recall": recall(blocks["flagged"]["exchanged"], blocks["others"]["exchanged"], flagged, others),
        "share": of_all(blocks["flagged"]["exchanged"], blocks["others"]["exchanged"], flagged, others),
        "controls": len(planted),
        "sensitivity": _share(_exchanged(with_), with_ != "unknown"),
        "alarms": _share(_exchanged(without), without != "unknown"),
        "again": _again(looks),
    }


def _people(rows: pd.DataFrame) -> dict[str, Any]:
    label, prediction = rows["label"].to_numpy(), rows["prediction"].to_numpy()
    known = label != "unknown"
    kinds = {answer: int((label == answer).sum()) for answer in ANSWERS}
    seen, unknown, count = int(_exchanged(label).sum()), int((~known).sum()), max(len(rows), 1)
    return {
        "looked at": len(rows),
        "unknown": unknown,
        "bounds": {"low": seen / count, "high": (seen + unknown) / count},
        "mean probability": float(rows["probability"].mean()) if len(rows) else None,
        "exchanged": _share(_exchanged(label), known),
        "wrong": _share(known & (label != "right"), known),
        "network": _share((label == "right") & ~np.isin(prediction, ["right", "unknown"]), known),
        "kinds": kinds,
    }


def _exchanged(answers: np.ndarray) -> np.ndarray:
    return np.isin(answers, EXCHANGES)


def _share(hits: np.ndarray, known: np.ndarray) -> dict[str, Any]:
    return share(int((hits & known).sum()), int(known.sum()))


def share(hits: int, count: int, confidence: float = 0.95) -> dict[str, Any]:
    """Hits of a count, and Wilson's interval.

    >>> block = share(8, 10)
    >>> block["mean"], round(block["low"], 2), round(block["high"], 2)
    (0.8, 0.49, 0.94)
    """
    if not count:
        return {"mean": None, "low": None, "high": None, "hits": 0, "n": 0}
    found = binomtest(hits, count).proportion_ci(confidence, "wilson")
    return {"mean": hits / count, "low": float(found.low), "high": float(found.high), "hits": hits, "n": count}


def recall(of_flagged: Mapping[str, Any], of_others: Mapping[str, Any], flagged: int, others: int) -> dict[str, Any]:
    """The share of all wrong labels that were flagged, each stratum counting by its size.

    The interval is of both strata's, at √0.95 each, so that it holds the recall at least as often as 95 %.
    """

    def of(p: float, q: float) -> float | None:
        return flagged * p / (flagged * p + others * q) if flagged * p + others * q else None

    if not (both := _strata(of_flagged, of_others)):
        return {"mean": None, "low": None, "high": None}
    a, b = both
    return {"mean": of(a["mean"], b["mean"]), "low": of(a["low"], b["high"]), "high": of(a["high"], b["low"])}


def of_all(of_flagged: Mapping[str, Any], of_others: Mapping[str, Any], flagged: int, others: int) -> dict[str, Any]:
    """The share of wrong labels among all people, each stratum counting by its size, with an interval as that of `recall`."""
    if not (both := _strata(of_flagged, of_others)):
        return {"mean": None, "low": None, "high": None}
    return {end: (flagged * both[0][end] + others * both[1][end]) / (flagged + others) for end in ("mean", "low", "high")}


def _strata(*blocks: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [share(each["hits"], each["n"], 0.95**0.5) for each in blocks] if all(each["n"] for each in blocks) else []


def _again(looks: pd.DataFrame) -> dict[str, Any]:
    """Agreement of second looks with first ones, of the verdict about the label: right, exchanged, otherwise wrong, or unknown."""
    second = looks[looks["look"] == 2]
    before = looks[(looks["look"] == 1) & (looks["planted"] == "")].set_index("picture")["label"]
    pairs = [(_coarse(before[row["picture"]]), _coarse(row["label"])) for row in second.to_dict("records")]
    block = share(sum(a == b for a, b in pairs), len(pairs))
    if not pairs:
        return {**block, "kappa": None}
    chance = sum(np.mean([a == kind for a, _ in pairs]) * np.mean([b == kind for _, b in pairs]) for kind in {k for p in pairs for k in p})
    return {**block, "kappa": float((block["mean"] - chance) / (1 - chance)) if chance < 1 else None}


def _coarse(answer: str) -> str:
    return "exchanged" if answer in EXCHANGES else answer if answer in ("right", "unknown") else "otherwise wrong"
