"""What 14_audit says: how well planted errors are found, how many labels are wrong, what that bounds, what learning without them gives."""

from collections.abc import Mapping, Sequence
from typing import Any

from posekit.auditing.quality.measure import ENOUGH
from posekit.auditing.quality.planted import JOINT, PERSON
from posekit.workflow.words import comparable, listed, number, share, side_by_side, signed, spoken
from posekit.workflow.words.studies import gained, state, table
from posekit.workflow.words.training import DATA

NAMES = {"whole": "whole exchanges", "arms": "exchanged arms", "legs": "exchanged legs", "pair": "exchanged pairs",
         "person": "wrong boxes or people", "displaced": "displaced joints", "another person": "other people's joints",
         "flag": "wrong flags"}  # fmt: skip
OF = dict.fromkeys(PERSON, "people") | dict.fromkeys(JOINT, "labels")  # what each is a share of
BASELINES = ("loss", "counting", "labels alone")
GOAL = 0.8  # recall, at as high a precision
SHOWN_RATE = 0.05
SHOWN_BLIND = (
    "Each person was shown with two skeletons in random order: the label, and the prediction at the same joints. Flagged people, others "
    "and controls were mixed, and the key stayed closed until all verdicts were written. The network has never seen any of these people. "
    "A skeleton is right, has left and right exchanged (the whole, arms, legs, or one pair), has a joint elsewhere, or is another "
    "person's. Intervals are Wilson's; labels that the viewer could not judge are in no share."
)
LEAST = 50  # labels in an interval of probability that calibration is judged by


def sentences(m: Mapping[str, Any], data: str) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    m = comparable(m)
    return {
        "answer": answer(m),
        "people": people(m),
        "planted": planted(m),
        "baselines": baselines(m),
        "calibration": calibration(m),
        "found": found(m),
        "second": second(m),
        "eye": eye(m),
        "viewer": viewer(m),
        "unseen": unseen(m),
        "ceiling": ceiling(m),
        "study": study(m),
        "notes": notes(m),
        "table": side_by_side("14_audit", data, verdicts(m)),
    }


def notes(m: Mapping[str, Any]) -> str:
    given = m["audit"]["notes"]
    if not given:
        return "The audit gave no warnings for these people."
    return "\n".join(["The audit gave these warnings for these people:", "", *(f"- {note}." for note in given)])


def row(m: Mapping[str, Any], kind: str, rate: float = SHOWN_RATE, method: str = "audit") -> Mapping[str, Any] | None:
    """The measurement of one kind, rate and method; None where the error could not be planted."""
    rows: Sequence[Mapping[str, Any]] = m["planted"]["rows"]
    return next((each for each in rows if (each["kind"], each["rate"], each["method"]) == (kind, rate, method)), None)


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    wrong = m["audit"]["wrong"]
    source = DATA.get(m["source"], m["source"])
    who = "Of the labels of mannequins, all right by construction" if m["rendered"] else f"Of the labels of {source}"
    return f"**{who}, the audit takes at most {spoken(wrong)} to be wrong**, counting only errors of the kinds that were planted."


def people(m: Mapping[str, Any]) -> str:
    kind = "mannequins" if m["rendered"] else "people"
    return f"{m['planted']['people']:,} {kind}, {m['seen']}; the judge is *{m['network']}*"


def planted(m: Mapping[str, Any]) -> str:
    whole = row(m, "whole")
    if whole is None:
        return "Nobody here has labels on both sides, so no exchange could be planted."
    if whole["planted"] < ENOUGH:
        return f"Only {whole['planted']} whole exchanges could be planted, too few to say how many of them the audit finds."
    block, said = whole["recall"], f"{spoken(whole['recall'])} of {whole['planted']} whole exchanges"
    verdict = (
        "This meets the goal of 80 %"
        if block["low"] >= GOAL
        else "This misses the goal of 80 %"
        if block["high"] < GOAL
        else "Whether this meets the goal, 80 %, is undecided"
    )
    known = {name: each for kind, name in NAMES.items() if kind != "whole" and (each := row(m, kind))}
    others = {name: each["recall"] for name, each in known.items() if each["planted"] >= ENOUGH}
    few = [f"{name} ({each['planted']} planted)" for name, each in known.items() if each["planted"] < ENOUGH]
    rest = ""
    if others:
        most, least = (choose(others, key=lambda name: others[name]["mean"]) for choose in (max, min))
        rest = f" Of the other kinds it finds {most} best, {spoken(others[most])}"
        rest += f", and {least} worst, {spoken(others[least])}." if len(others) > 1 else "."
    rest += f" Too few to judge: {listed(few)}." if few else ""
    doubted = 100 * m["planted"]["doubted"]["people"]
    left_out = (
        f" The {doubted:.1f} % of people who were doubted before are left out, but for those with a planted error, which favours a network "
        "that doubts many."
    )
    left_out = left_out if round(doubted, 1) else ""
    return (
        f"With errors planted in {100 * SHOWN_RATE:.0f} % of the people or labels, and at a precision of 80 %, the audit finds {said}. "
        f"{verdict}.{rest}{left_out}"
    )


def baselines(m: Mapping[str, Any]) -> str:
    ahead: dict[str, list[str]] = {"ahead": [], "behind": [], "level": []}
    worse: list[str] = []  # of which a baseline finds more
    for kind, name in NAMES.items():
        ours, others = row(m, kind), [each for method in BASELINES if (each := row(m, kind, method=method))]
        if ours is None or not others or ours["planted"] < ENOUGH:
            continue
        best = max(each["auc"] for each in others)
        place = "ahead" if ours["auc"] > best + 0.005 else "behind" if ours["auc"] < best - 0.005 else "level"
        ahead[place].append(name)
        if max(each["recall"]["mean"] for each in others) > ours["recall"]["mean"]:
            worse.append(name)
    parts = [
        f"The area under the ROC curve is {what} that of the best baseline for {listed(ahead[place])}."
        for place, what in (("ahead", "larger than"), ("behind", "smaller than"), ("level", "within 0.005 of"))
        if ahead[place]
    ]
    if worse:
        parts.append(f"In recall at a precision of 80 % a baseline is ahead for {listed(worse)}.")
    whole, alone = row(m, "whole"), row(m, "whole", method="labels alone")
    if whole and alone and whole["planted"] >= ENOUGH:
        parts.append(
            f"For whole exchanges the labels alone, without any network, reach an area of {alone['auc']:.3f}, "
            f"and the audit {whole['auc']:.3f}."
        )
    return " ".join(parts) or "No baseline was measured."


def calibration(m: Mapping[str, Any]) -> str:
    """How far probabilities are from shares at the rate of the figure, kind by kind, in intervals of enough labels."""
    rate = max((each["rate"] for each in m["planted"]["rows"]), default=SHOWN_RATE)
    rows = {name: each for kind, name in NAMES.items() if (each := row(m, kind, rate)) and each["planted"] >= ENOUGH}
    worst: dict[str, Mapping[str, float]] = {}  # by kind, where probability and share differ most
    for name, each in rows.items():
        if parts := [part for part in each.get("calibration", []) if part["labels"] >= LEAST]:
            worst[name] = max(parts, key=lambda part: abs(_gap(part)))
    if not worst:
        return "Too few labels are doubtful to judge the probabilities."
    first = max(worst, key=lambda name: abs(_gap(worst[name])))
    most, gap = worst[first], _gap(worst[first])
    side = "too high" if gap > 0 else "too low"
    lines = [
        f"| {name} | {100 * part['mean']:.0f} % | {100 * part['share']:.0f} % | {signed(_gap(part), 0)} |" for name, part in worst.items()
    ]
    text = (
        f"With errors planted in {100 * rate:.0f} % of the people or labels, and over intervals of probability with at least {LEAST} "
        f"labels, the probability and the share that was planted differ most for {first}: the audit's {100 * most['mean']:.0f} % is "
        f"{side} by {abs(gap)} points. The table gives the largest difference of each kind; the figure also shows intervals with fewer "
        "labels."
    )
    head = ["| kind of error | probability | share planted | difference in points |", "| --- " * 4 + "|"]
    return "\n".join([text, "", *head, *lines])


def _gap(part: Mapping[str, float]) -> int:
    """Probability less share, in points, of the whole percents that the table shows."""
    return round(100 * part["mean"]) - round(100 * part["share"])


def found(m: Mapping[str, Any]) -> str:
    audit, rates = m["audit"], m["audit"]["rates"]
    lines = [f"| {NAMES[kind]} | {100 * rate:.2f} % of {OF[kind]} |" for kind, rate in rates.items() if kind in NAMES]
    whom = f"For {spoken(audit['exchanged'])} of them it is" if audit["exchanged"]["mean"] else "For none of them is it"
    text = (
        f"{audit['people']:,} people were judged. {whom} more likely than not that left and right "
        "are exchanged, wholly or in part, or that box or person is wrong. The table gives an upper bound of each kind's rate; it holds "
        "for errors like those that were planted, and smaller ones are not counted. "
        "The share of wrong labels at the head of this chapter is the mean, over all labels, of the audit's probabilities."
    )
    return "\n".join([text, "", "| kind of error | rate, at most |", "| --- | --- |", *lines])


def second(m: Mapping[str, Any]) -> str:
    block = m["second"]
    if block is None:
        return ""
    return (
        f"A second network, *{block['network']}*, also prefers the exchanged labels for {share(block['agreed'])} of the people whose "
        f"labels the audit takes to be exchanged as a whole, and for {share(block['others'])} of all others."
    )


def eye(m: Mapping[str, Any]) -> str:
    """What was seen in flagged labels and in others: sentences and a table."""
    block = m.get("eye")
    if not block:
        where = (
            "The edition on photographs has such a check." if m["rendered"] else "`posekit.auditing.quality.eye` makes the sheets for it."
        )
        return f"Nobody has looked at a sample of these labels. {where}"
    flagged, sure, others, total = block["flagged"], block["sure"], block["others"], block["total"]
    count = f"{total['flagged']:,}"
    top = f"{count} most doubtful" if sure["looked at"] < flagged["looked at"] else f"{count} with a probability above 50 %"
    names = {"flagged": "flagged", "sure": "of these, above 50 %", "others": "not flagged"}
    columns = ["people", "looked at", "cannot tell", "mean probability", "left and right exchanged", "any error",
               "only the prediction wrong"]  # fmt: skip
    head = [f"| {' | '.join(columns)} |", "| --- |" + " --- |" * 6]
    lines = [
        f"| {name} | {each['looked at']:,} | {each['unknown']} | {100 * each['mean probability']:.0f} % | "
        + " | ".join(_seen(each[what]) for what in ("exchanged", "wrong", "network"))
        + " |"
        for key, name in names.items()
        if (each := block[key])["looked at"]
    ]
    seen = "all" if flagged["looked at"] == total["flagged"] else f"{flagged['looked at']:,}"
    text = (
        f"Of {block['people']:,} people judged by {block['network']}, the {top} count as flagged; {seen} of these and "
        f"{others['looked at']:,} others were looked at. Of the labels that can be judged, left and right are exchanged in "
        f"{_seen(flagged['exchanged'])} of the flagged, and in {_seen(others['exchanged'])} of the others. "
        f"{_bounded(sure)}{_weighted(block)}"
    )
    return "\n".join([SHOWN_BLIND, "", text, "", *head, *lines])


def _bounded(sure: Mapping[str, Any]) -> str:
    """What those labels above 50 % leave open that could not be judged."""
    if not sure["unknown"]:
        return ""
    low, high = (f"{100 * sure['bounds'][end]:.0f} %" for end in ("low", "high"))
    return (
        f"The viewer cannot tell for {sure['unknown']} of the {sure['looked at']} labels above 50 %: if these were all right, {low} of the "
        f"{sure['looked at']} would be exchanged, and if they were all exchanged, {high}. "
    )


def _weighted(block: Mapping[str, Any]) -> str:
    if block["recall"]["mean"] is None:
        return "The sample has too few exchanged labels to estimate how many are flagged."
    found, flagged = share(block["share"]), share(block["recall"])
    return f"Weighted by the numbers of flagged and other people, {found} of all labels are exchanged, and {flagged} of these are flagged."


def _seen(block: Mapping[str, Any]) -> str:
    return share(block) if block["n"] else "nobody"


def viewer(m: Mapping[str, Any]) -> str:
    """How far the viewer can be trusted, by planted exchanges and second looks."""
    block = m.get("eye")
    if not block:
        return ""
    again, seen = block["again"], block["sensitivity"]
    text = f"The viewer was {block['viewer']}. The sample was judged once, without a second viewer."
    if seen["n"]:
        text += (
            f" Of {block['controls']} exchanges planted as controls, in a label or in a prediction, the viewer judged {seen['n']} and "
            f"saw {share(seen)} of these. Of the skeletons beside them, without exchange, {share(block['alarms'])} were called exchanged. "
            "The people of the controls are easier to judge than the flagged, because network and label agree about them."
        )
    if again["n"]:
        kappa = "" if again["kappa"] is None else f" (Cohen's κ {number(again['kappa'])})"
        text += (
            f" {again['n']} people were shown a second time, and {share(again)} of the verdicts were the same{kappa}. This is an upper "
            "bound: in the same sitting the viewer recognises people."
        )
    return text


def unseen(m: Mapping[str, Any]) -> str:
    """What limits the check by eye, for the end of the chapter."""
    if not m.get("eye"):
        return "No sample of this edition's labels has been checked by eye."
    return (
        "The sample checked by eye has one viewer, who may err, or cannot tell, where the network errs too: people upside down, from "
        "behind, or blurred. Labels that cannot be judged need not be like the others. A prediction is often less exact than a label, "
        "which can betray which of the two it is. Where both agree, no control tests whether the viewer sees that both are wrong."
    )


def ceiling(m: Mapping[str, Any]) -> str:
    if m["rendered"]:
        return (
            "Labels of mannequins are right by construction: every doubt of the audit is mistaken here, and they set no bound to the score."
        )
    return (
        "By the audit's probabilities, and counting only errors of the kinds that were planted, a network that is always right agrees with "
        f"at least {share(m['ceiling'])} of these labels. The bounds by [two annotators](01_dataset) and "
        "by [networks that agree](08_redesign) count scatter and other errors, too. Near these bounds a higher score on "
        "these labels need not mean a better network."
    )


def study(m: Mapping[str, Any]) -> str:
    block = m["study"]
    if not block["kept"]:
        return state(block)
    text = f"{state(block)}\n\n{table(block)}"
    if not block["missing"]:
        compared = {name: each for name, each in block["contrasts"].items() if name in block["variants"]}
        text += "\n\nAgainst labels as they are: " + "; ".join(f"*{name}* {gained(each)}" for name, each in compared.items())
        text += ". The intervals are not corrected for the number of comparisons."
        if block["winner"]:
            text += f" On validation people, networks trained on *{block['winner']}* find the most joints."
    return text


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """The chapter's table, question to answer."""
    m = comparable(m)
    found_ = {"Network": f"{m['network']}, {m['planted']['people']:,} people"}
    for kind, name in NAMES.items():
        if each := row(m, kind):
            few = f"only {each['planted']} planted" if each["planted"] < ENOUGH else ""
            found_[f"Recall of {name} at a precision of 80 %"] = few or spoken(each["recall"])
            found_[f"Area under the curve, {name}"] = few or f"{each['auc']:.2f}"
    if block := m.get("eye"):
        found_["Labels above 50 % with left and right exchanged, by eye"] = _seen(block["sure"]["exchanged"])
        found_["Flagged labels with left and right exchanged, by eye"] = _seen(block["flagged"]["exchanged"])
        found_["Other labels with left and right exchanged, by eye"] = _seen(block["others"]["exchanged"])
    found_["Labels taken to be wrong, at most"] = spoken(m["audit"]["wrong"])
    found_["Annotations more likely wrong than right as a whole"] = spoken(m["audit"]["exchanged"])
    return found_
