"""What 04_stacks says: what a later stack corrects, what it takes from the one before, and whether stacks are worth more than width."""

from collections.abc import Mapping
from typing import Any

from posekit.workflow.words import change, comparable, listed, ranged, side_by_side, spoken
from posekit.workflow.words.studies import gained, hollow, state, table

WHOLE_WAY = "first to last"  # of `corrected`
CONTRASTS = {
    "2 stacks": "Two stacks against one wide stack of as many parameters",
    "4 stacks": "Four stacks against one wide stack of as many parameters",
    "2 stacks, large": "Two stacks against one large stack of as many parameters",
}


def sentences(m: Mapping[str, Any], data: str) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    m = comparable(m)
    return {
        "answer": answer(m),
        "network": m["network"],
        "trained": trained(m["trained on"]),
        "people": f"{m['people']:,} {'mannequins' if m['rendered'] else 'people'}",
        "gain": gain(m),
        "errors": errors(m),
        "handover": handover(m),
        "cka": cka(m),
        "study": study(m),
        "hollow": hollow(m["study"]),
        "table": side_by_side("04_stacks", data, verdicts(m)),
    }


def trained(source: str | None) -> str:
    """What people the network has learned from."""
    if source is None:
        return "whose training is not known here"
    return f"which was trained on {'rendered people' if source == 'mannequins' else 'photographs'}"


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    found = m["gain"]["change"]
    points = f"{100 * abs(found['mean']):.1f} points"
    if found["low"] > 0:
        return f"**The last stack's prediction is better than the first one's**, by {points} of PCK."
    if found["high"] < 0:
        return f"**The last stack's prediction is worse than the first one's**, by {points} of PCK."
    return f"**Undecided**: the predictions of the first and the last stack differ by {points} of PCK, which may be chance."


def gain(m: Mapping[str, Any]) -> str:
    parts = [f"{label} {spoken(block)}" for label, block in m["stacks"].items()]
    joints = m["gain"]["joint changes"]
    order = sorted(joints, key=lambda joint: -joints[joint]["mean"])
    least = [joint for joint in joints if joints[joint]["mean"] == joints[order[-1]]["mean"]]
    better, worse = sum(block["low"] > 0 for block in joints.values()), sum(block["high"] < 0 for block in joints.values())
    return (
        f"The stacks find these shares of the joints: {', '.join(parts)}. From the first stack to the last, on the same people, the share "
        f"changes by {change(m['gain'])}. By their own intervals, {better or 'none'} of {len(joints)} joints "
        f"{'improve' if better > 1 else 'improves'} significantly and {worse or 'none'} {'get' if worse > 1 else 'gets'} significantly "
        f"worse. The {order[0]} gains most, "
        f"{spoken(joints[order[0]], points=True)}, and the {listed(least)} least, {spoken(joints[order[-1]], points=True)}."
    )


def errors(m: Mapping[str, Any]) -> str:
    block, names = m["corrected"][WHOLE_WAY], m["flow"]["kinds"]
    kinds = sorted((kind for kind in names[1:] if f"corrected of {kind}" in block), key=lambda kind: -block[f"corrected of {kind}"]["mean"])
    text = (
        f"The last stack corrects errors of the first in {spoken(block['corrected'])} of all joints, and introduces errors in "
        f"{spoken(block['introduced'])}."
    )
    if not kinds:
        text += " The first stack makes no errors that could be corrected."
    for kind, which in zip(dict.fromkeys((*kinds[:1], *kinds[-1:])), ("largest", "smallest"), strict=False):
        joints = f"{sum(m['flow']['joints'][names.index(kind)]):,} joints"
        text += f" It corrects the {which} share among errors of the kind *{kind}*, {spoken(block[f'corrected of {kind}'])} of {joints}."
    if not m["strangers"]:
        text += " No other people are annotated in these pictures, so that a prediction on another person counts as one of the other kinds."
    return text


def handover(m: Mapping[str, Any]) -> str:
    groups, out = m["handovers"], f"stack {m['count'] - 1} out"
    if not groups:
        return f"*{m['network']}* is no hourglass, and its stages do not name what they pass to the next one. Nothing is replaced here."
    order = sorted((group for group in groups if not group.endswith(" out")), key=lambda group: groups[group]["the mean"]["mean"])
    clear = groups[order[0]]["the mean"]["change"]["high"] < 0
    depends = (
        f"Of single terms at the mean, *{order[0]}* changes the score most, by {change(groups[order[0]]['the mean'])}."
        if clear
        else "No single term at its mean lowers the score significantly."
    )
    return (
        f"{depends} With {out}, its features and predictions at their means, the score changes by "
        f"{change(groups[out]['the mean'])}. For comparison, the score of "
        f"the last stack differs from that of the first by {change(m['gain'])}."
    )


def cka(m: Mapping[str, Any]) -> str:
    pairs = m["cka"]["pairs"]
    if not pairs:
        return f"*{m['network']}* was adapted without a code or hook points of heatmaps for each stage, so that none are compared."
    parts = [f"| {name} | {ranged(block)} | {max(block['chance'], 0):.2f} |" for name, block in pairs.items()]
    clear = [name for name, block in pairs.items() if block["low"] > max(block["chance"], 0)]
    every = {1: "the one pair", 2: "both pairs"}.get(len(pairs), f"all {len(pairs)} pairs")
    which = every if len(clear) == len(pairs) else f"{len(clear) or 'none'} of these {len(pairs)} pairs"
    return (
        f"For {which} of layers of successive stacks, CKA over {m['cka']['people']:,} people "
        "exceeds chance, the 97.5 % quantile of CKA when people are permuted at random:\n\n"
        + "\n".join(["| layers | CKA | chance |", "| --- | ---: | ---: |", *parts])
    )


def study(m: Mapping[str, Any]) -> str:
    """The trainings to the plateau: their table and what they decide, or which are missing."""
    found = m["study"]
    if not found["kept"]:
        return state(found)
    text = f"{state(found)}\n\n{table(found)}"
    if not found["missing"]:
        text += "\n\n" + " ".join(f"{what}: {gained(found['contrasts'][name])}." for name, what in CONTRASTS.items())
    return text


def judged(block: Mapping, better: str, worse: str) -> str:
    found = block["change"]
    return better if found["low"] > 0 else worse if found["high"] < 0 else "undecided"


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """The chapter's table, question to answer."""
    m = comparable(m)
    count, block = m["count"], m["corrected"][WHOLE_WAY]
    labels, last = list(m["stacks"]), f"stack {m['count'] - 1}"
    found = {
        "Network": f"{m['network']}, {count} stacks, {m['people']:,} people",
        "Joints found by the first stack": spoken(m["stacks"][labels[0]]),
        "Joints found by the last": spoken(m["stacks"][labels[-1]]),
        "A later stack is better": f"{judged(m['gain'], 'yes', 'no, worse')} ({change(m['gain'])})",
        "Errors corrected, of all joints": spoken(block["corrected"]),
        "Errors introduced, of all joints": spoken(block["introduced"]),
    }
    for kind in m["flow"]["kinds"]:
        if f"corrected of {kind}" in block:
            found[f"Corrected of errors of the kind {kind}"] = spoken(block[f"corrected of {kind}"])
    handed = {
        "features handed on": f"features of "
        f"{last}", "predictions handed on": f"predictions of {last}", "stack before the last out": f"{last} out",
        "bypass of the stack before": f"bypass of {last}",
    }  # fmt: skip
    found |= {
        f"Change: {name} at {way}": change(m["handovers"][group][way])
        for name, group in handed.items()
        for way in ("zero", "the mean")
        if group in m["handovers"]
    }
    alike = {"CKA of the last two stacks' codes": "code", "CKA of their heatmaps": "heatmaps"}
    pairs = {row: m["cka"]["pairs"].get(f"{layer} of stacks {count - 1} and {count}") for row, layer in alike.items()}
    return found | {row: f"{block['mean']:.2f}" for row, block in pairs.items() if block}
