"""What chapters say of a study, from its summary (`posekit.studies.summary.summarise`)."""

from collections.abc import Mapping
from typing import Any

from posekit.workflow.words import hidden, listed, signed, spoken

ALONE = ", without an interval"
LEARNED = 3  # times the median pose's score, under which nothing is concluded: `posekit.studies.floor.FLOOR`


def state(summary: Mapping[str, Any]) -> str:
    """How much of a study is kept, and what keeps it from deciding."""
    name, count = summary["study"], summary["trainings"]
    if not summary["missing"]:
        return f"All {count} trainings of the study *{name}* are kept, {len(summary['seeds'])} seeds of each variant."
    missing = sum(map(len, summary["missing"].values()))
    lacking = [
        f"*{variant}*" + (f" (seed{'s' * (len(seeds) > 1)} {listed(map(str, seeds))})" if summary["variants"][variant]["seeds"] else "")
        for variant, seeds in summary["missing"].items()
    ]
    return (
        f"**{missing} of the {count} trainings of the study *{name}* are missing**: {'; '.join(lacking)}. A comparison is "
        f"decided once every training of its networks is complete. `posekit study {name} --data {summary['source']}:FOLDER` trains them."
    )


def table(summary: Mapping[str, Any]) -> str:
    """A Markdown table, a line a variant that is trained, the median pose below them; notes have a column where there are any."""
    rows = [["", "seeds", "PCK on test", "difference in points", "relative", "parameters", "multiply-adds", "epochs", "note"]]
    for name, variant in summary["variants"].items():
        if not variant["seeds"]:
            continue
        known = "parameters" in variant  # of what is not trained yet, hourglasses alone
        costs = [f"{variant['parameters']:,}", f"{variant['macs'] / 1e6:.0f} M"] if known else ["", ""]
        costs.append(str(variant["epochs"]))
        notes = [*([] if variant["plateau"] else ["not at its plateau"]), *(["has not learned"] if variant["learned"] is False else [])]
        compared = (
            [_of(variant["difference"], points=True), relative(variant["relative"]).removesuffix(ALONE)]
            if variant["kind"] != "reference"
            else ["", ""]
        )
        rows.append([name, str(len(variant["seeds"])), _of(variant["test"]), *compared, *costs, ", ".join(notes)])
    if summary["floor"]:
        rows.append(["*the median pose*", "", f"{100 * summary['floor']['test']:.1f} %", "", "", "0", "0", "", ""])
    if not any(row[-1] for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "| --- " * len(rows[0]) + "|", *others])


def hollow(summary: Mapping[str, Any]) -> str:
    """What a hollow dot of a study's figure means, where one is drawn."""
    blocks = [variant.get("difference") or {"mean": None} for variant in summary["variants"].values()]
    few = any(block["mean"] is not None and block["low"] is None for block in blocks)
    return " A hollow dot has too few seeds for an interval." if few else ""


def gained(block: Mapping[str, Any]) -> str:
    """`better` or `worse` where the whole interval of a contrast says so, else `undecided`; and `not decided yet`, with the reason."""
    if block["why"]:
        return f"not decided yet ({block['why']})"
    side = "better" if block["low"] > 0 else "worse" if block["high"] < 0 else "undecided"
    return f"{side}, {spoken(block, points=True)}"


def relative(block: Mapping) -> str:
    """A relative difference with its sign: `+6.5 % [+4.7, +8.2]`."""
    mean = f"{signed(100 * block['mean'])} %"
    if block["low"] is None:
        return f"{mean}, without an interval"
    low, high = 100 * block["low"], 100 * block["high"]
    mean, low, high = (signed(value, 1 + hidden(low, high, 1)) for value in (100 * block["mean"], low, high))
    return f"{mean} % [{low}, {high}]"


def _of(block: Mapping[str, Any], *, points: bool = False) -> str:
    if block["mean"] is None:
        return ""
    if block["low"] is None:
        return spoken(block, points=points).partition(",")[0].removesuffix(" points").replace("-", "−")
    return spoken(block, points=points).removesuffix(" points").replace("-", "−")
