"""What 14_audit says: how well planted errors are found, how many labels are wrong, what that bounds, what learning without them gives."""

from collections.abc import Mapping, Sequence
from typing import Any

from posekit.auditing.measure import ENOUGH
from posekit.workflow.words import listed, share, side_by_side, spoken
from posekit.workflow.words.studies import gained, state, table

NAMES = {"whole": "whole exchanges", "arms": "exchanged arms", "legs": "exchanged legs", "pair": "exchanged pairs",
         "person": "wrong boxes or people", "displaced": "displaced joints", "another person": "other people's joints",
         "flag": "wrong flags"}  # fmt: skip
VARIANTS = {"exchanges put right": "corrected exchanges"}  # of the study, whose kept results have the former names
GOAL = 0.8  # recall, at as high a precision
SHOWN_RATE = 0.05
LEAST = 50  # labels in an interval of probability that calibration is judged by


def sentences(m: Mapping[str, Any], data: str) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    return {
        "answer": answer(m),
        "people": people(m),
        "planted": planted(m),
        "baselines": baselines(m),
        "calibration": calibration(m),
        "found": found(m),
        "second": second(m),
        "ceiling": ceiling(m),
        "study": study(m),
        "notes": "\n".join(f"- {note}." for note in m["audit"]["notes"]) or "- none.",
        "table": side_by_side("14_audit", data, verdicts(m)),
    }


def row(m: Mapping[str, Any], kind: str, rate: float = SHOWN_RATE, method: str = "audit") -> Mapping[str, Any] | None:
    """The measurement of one kind, rate and method; None where the error could not be planted."""
    rows: Sequence[Mapping[str, Any]] = m["planted"]["rows"]
    return next((each for each in rows if (each["kind"], each["rate"], each["method"]) == (kind, rate, method)), None)


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    wrong = m["audit"]["wrong"]
    who = "Of mannequins, whose labels are right by construction" if m["rendered"] else f"Of the labels of *{m['source']}*"
    return f"**{who}, the audit takes at most {share(wrong)} to be wrong**, counting errors like those that were planted."


def people(m: Mapping[str, Any]) -> str:
    kind = "mannequins" if m["rendered"] else "people"
    return f"{m['planted']['people']:,} {kind}, judged by *{m['network']}*, {m['seen']}"


def planted(m: Mapping[str, Any]) -> str:
    whole = row(m, "whole")
    if whole is None:
        return "Nobody here has labels on both sides, so no exchange could be planted."
    if whole["planted"] < ENOUGH:
        return f"Only {whole['planted']} whole exchanges could be planted, too few to say how many of them the audit finds."
    block, said = whole["recall"], f"{spoken(whole['recall'])} of {whole['planted']} whole exchanges"
    verdict = (
        "The goal of 80 % is met"
        if block["low"] >= GOAL
        else "The goal of 80 % is not met"
        if block["high"] < GOAL
        else "Whether the goal of 80 % is met is undecided"
    )
    known = {name: each for kind, name in NAMES.items() if kind != "whole" and (each := row(m, kind))}
    others = {name: each["recall"] for name, each in known.items() if each["planted"] >= ENOUGH}
    few = [f"{name} ({each['planted']})" for name, each in known.items() if each["planted"] < ENOUGH]
    rest = ""
    if others:
        most, least = (choose(others, key=lambda name: others[name]["mean"]) for choose in (max, min))
        rest = f" Of the other kinds it finds {most} best, {spoken(others[most])}"
        rest += f", and {least} worst, {spoken(others[least])}." if len(others) > 1 else "."
    rest += f" Too few could be planted to judge by: {listed(few)}." if few else ""
    doubted = m["planted"]["doubted"]["people"]
    left_out = f" The {100 * doubted:.0f} % of people who were doubted before are left out, which favours a network that doubts many."
    return (
        f"With errors planted in {100 * SHOWN_RATE:.0f} % of the people or labels, and at a precision of 80 %, the audit finds {said}. "
        f"{verdict}.{rest}{left_out}"
    )


def baselines(m: Mapping[str, Any]) -> str:
    ahead: dict[str, list[str]] = {"ahead": [], "behind": [], "level": []}
    for kind, name in NAMES.items():
        ours, others = row(m, kind), [row(m, kind, method=method) for method in ("loss", "counting")]
        if ours is None or None in others or ours["planted"] < ENOUGH:
            continue
        best = max(each["auc"] for each in others if each)
        place = "ahead" if ours["auc"] > best + 0.005 else "behind" if ours["auc"] < best - 0.005 else "level"
        ahead[place].append(name)
    parts = [
        f"The area under the ROC curve is {what} that of the better baseline for {listed(ahead[place])}."
        for place, what in (("ahead", "larger than"), ("behind", "smaller than"), ("level", "within 0.005 of"))
        if ahead[place]
    ]
    return " ".join(parts) or "No baseline was measured."


def calibration(m: Mapping[str, Any]) -> str:
    """How far probabilities are from shares, of labels with displaced joints, in the widest-known intervals."""
    displaced = row(m, "displaced")
    parts = [part for part in (displaced or {}).get("calibration", []) if part["labels"] >= LEAST]
    if not parts:
        return "Too few labels are doubtful to judge the probabilities."
    worst = max(parts, key=lambda part: abs(part["mean"] - part["share"]))
    side = "too high" if worst["mean"] > worst["share"] else "too low"
    return (
        "For displaced joints the probability and the share that was planted differ by up to "
        f"{100 * abs(worst['mean'] - worst['share']):.0f} points: where the audit says {100 * worst['mean']:.0f} %, this is {side}."
    )


def found(m: Mapping[str, Any]) -> str:
    audit, rates = m["audit"], m["audit"]["rates"]
    lines = [f"| {NAMES[kind]} | {100 * rate:.1f} % |" for kind, rate in rates.items() if kind in NAMES]
    text = (
        f"{audit['people']:,} people were judged. For {share(audit['exchanged'])} of them an exchange of the whole annotation is more "
        "likely than not. The table has the upper bound of each kind's rate."
    )
    return "\n".join([text, "", "| kind of error | rate, at most |", "| --- | --- |", *lines])


def second(m: Mapping[str, Any]) -> str:
    block = m["second"]
    if block is None:
        return "No second network was asked here."
    return (
        f"A second network, *{block['network']}*, also prefers the exchanged labels for {share(block['agreed'])} of the people whom the "
        f"audit takes to be exchanged, and for {share(block['others'])} of all others."
    )


def ceiling(m: Mapping[str, Any]) -> str:
    if m["rendered"]:
        return "Labels of mannequins are right by construction, so every doubt of the audit is mistaken here, and nothing is bounded."
    return (
        f"By the audit's probabilities, a network that is always right agrees with at least {share(m['ceiling'])} of these labels. Above "
        "that, a higher score on these labels need not mean a better network."
    )


def study(m: Mapping[str, Any]) -> str:
    block = m["study"]
    if not block["kept"]:
        return state(block)
    text = f"{state(block)}\n\n{table(block)}"
    if not block["missing"]:
        text += "\n\n" + " ".join(f"*{name}*: {gained(each)}." for name, each in block["contrasts"].items() if name in block["variants"])
    for name, shown in VARIANTS.items():
        text = text.replace(name, shown)
    return text


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """The chapter's table, question to answer."""
    found_ = {"Network": f"{m['network']}, {m['planted']['people']:,} people"}
    for kind, name in NAMES.items():
        if each := row(m, kind):
            few = f"only {each['planted']} planted" if each["planted"] < ENOUGH else ""
            found_[f"Recall of {name} at a precision of 80 %"] = few or spoken(each["recall"])
            found_[f"Area under the curve, {name}"] = few or f"{each['auc']:.2f}"
    found_["Labels taken to be wrong, at most"] = share(m["audit"]["wrong"])
    found_["People more likely wrong than right as a whole"] = share(m["audit"]["exchanged"])
    return found_
