"""What 03_skips says: what a trained network loses without its skip connections, and what one loses that is trained without."""

from collections.abc import Mapping
from typing import Any

from posekit.workflow.words import change, correlation, listed, number, side_by_side, spoken
from posekit.workflow.words.studies import state, table

TRAINED_WITHOUT = "trained without"
ABLATED = {
    "zero": "all skip connections at zero",
    "the mean": "all at their mean over other people",
    "another person's": "all another person's",
}


def sentences(m: Mapping[str, Any], data: str) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    return {
        "answer": answer(m),
        "cells": m["cells"],
        "blunt": blunt(m),
        "levels": levels(m),
        "bottleneck": bottleneck(m),
        "joints": joints(m),
        "small": small(m),
        "twins": twins(m),
        "study": study(m),
        "table": side_by_side("03_skips", data, verdicts(m)),
    }


def at_mean(m: Mapping[str, Any]) -> Mapping:
    return m["levels"]["all"]["the mean"]


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    share = at_mean(m)["mean"] / max(m["intact"]["mean"], 1e-9)
    if at_mean(m)["change"]["high"] >= 0:
        return "**These people cannot tell**: with all skip connections at their mean, the network does not find clearly fewer joints."
    if share < 0.5:
        return (
            "**Most of the answer goes through the skip connections**: with all of them at their mean over other people, the network "
            f"finds {100 * share:.0f} % as many joints as with them."
        )
    return (
        "**The answer does not hang on the skip connections alone**: with all of them at their mean over other people, the network still "
        f"finds {100 * share:.0f} % as many joints as with them."
    )


def blunt(m: Mapping[str, Any]) -> str:
    parts = [f"{spoken(m['levels']['all'][way])} with {what}" for way, what in ABLATED.items()]
    return f"As it is, and without a flip test, the network finds {spoken(m['intact'])} of the joints. It finds {listed(parts)}."


def levels(m: Mapping[str, Any]) -> str:
    single = {group: by_way for group, by_way in m["levels"].items() if group != "all"}
    order = sorted(single, key=lambda group: single[group]["the mean"]["mean"])
    parts = [f"{m['level names'][group]} {change(single[group]['the mean'])}" for group in order]
    gap = {group: by_way["zero"]["mean"] - by_way["the mean"]["mean"] for group, by_way in single.items()}
    apart = max(gap, key=lambda group: abs(gap[group]))
    total = 100 * sum(by_way["the mean"]["change"]["mean"] for by_way in single.values())
    together = 100 * at_mean(m)["change"]["mean"]
    text = (
        f"At their means, the most costly level first: {'; '.join(parts)}. All levels together change the score by {change(at_mean(m))}; "
        f"the single changes add up to {number(total, 1)}. Zero differs from the mean most at {m['level names'][apart]}, where it costs "
        f"{100 * abs(gap[apart]):.1f} points {'more' if gap[apart] < 0 else 'less'}."
    )
    if abs(together) > 1.5 * abs(total):
        text += " The levels can stand in for each other: the network can do without any one of them, but not without all."
    return text


def bottleneck(m: Mapping[str, Any]) -> str:
    """The control: what goes past the skip connections, through the code."""
    code, skips = m["bottleneck"]["the mean"], at_mean(m)
    text = (
        "The other way round, with the code of the bottleneck at its mean and all skip connections intact, the score changes by "
        f"{change(code)}. "
    )
    if code["change"]["high"] >= 0:
        return text + "The network does not clearly need its bottleneck."
    if skips["change"]["high"] < code["change"]["low"]:
        return text + "The bottleneck carries something that the skip connections do not, and less than they do."
    return text + "The bottleneck carries something that the skip connections do not."


def joints(m: Mapping[str, Any]) -> str:
    fine = m["kinds"][m["level names"][next(iter(m["levels"]))]]
    losers = sorted(fine, key=lambda kind: fine[kind]["mean"])
    clear = sum(block["high"] < 0 for block in fine.values())
    text = (
        f"Without the finest level the {losers[0]} loses most, {spoken(fine[losers[0]], points=True)}, and the {losers[-1]} least, "
        f"{spoken(fine[losers[-1]], points=True)}. {clear} of {len(fine)} kinds of joint lose with an interval below 0."
    )
    if trained := m["kinds"].get(TRAINED_WITHOUT):
        hurt = sorted(trained, key=lambda kind: trained[kind]["mean"])
        text += (
            f" Between the networks trained with and without, the {hurt[0]} loses most, {spoken(trained[hurt[0]], points=True)}, and the "
            f"{hurt[-1]} least, {spoken(trained[hurt[-1]], points=True)}."
        )
    return text


def judged(block: Mapping) -> str:
    """What a correlation of size and loss says about the claim that small joints lose most."""
    if block["mean"] is None:
        return "cannot be decided"
    few = block["p"] >= 0.05
    if block["high"] < 0:
        return "points that way, but so few kinds of joint may do so by chance" if few else "holds"
    if block["low"] > 0:
        return "points the other way, but so few kinds of joint may do so by chance" if few else "is reversed: large joints lose more"
    return "cannot be told from chance"


def small(m: Mapping[str, Any]) -> str:
    found = m["small joints"]
    kinds = max(block["kinds"] for block in found["absolute"].values())
    lines = [
        f"| over {kinds} kinds of joint | points lost | share lost of what was found | points lost at half the threshold |",
        "| --- " * 4 + "|",
    ]
    for name in found["absolute"]:
        cells = [correlation(found[kind][name]).partition(" over ")[0] for kind in ("absolute", "relative", "at 0.1·torso")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    said = "; ".join(f"{name}, it {judged(block)}" for name, block in found["absolute"].items())
    return "\n".join([*lines, "", f"By the points lost, the claim: {said}."])


def twins(m: Mapping[str, Any]) -> str:
    """The same network ablated and retrained, or that this edition has no such pair."""
    found = m["twins"]
    if found is None:
        return (
            "This edition has no two networks that are alike but for their skip connections. The edition on photographs compares "
            "`lspet-64px-hg1` with `lspet-64px-noskip`; its numbers stand in the last table."
        )
    with_, bare, ablated = found["with"], found["without"], found["ablated"]["the mean"]
    alike = "by the same recipe on the same people"
    if found["differences"]:
        alike = f"not quite alike ({'; '.join(found['differences'])}), so that the comparison is not clean"
    text = (
        f"*{found['names'][0]}* has skip connections and *{found['names'][1]}* has none; they were trained {alike}. The first has "
        f"{found['parameters'][0]:,} parameters, the second {found['parameters'][1]:,}. All that the second knows of a person passes "
        f"through {found['numbers']:,} numbers. With skip connections the network finds {spoken(with_)} of the joints, with all of them at "
        f"their mean {spoken(ablated)}, and trained without {spoken(bare)}. "
    )
    lost, kept = with_["mean"] - ablated["mean"], bare["mean"] - ablated["mean"]
    if ablated["change"]["high"] < 0 < lost:
        back = f"{100 * kept / lost:.0f} %" if kept > 0 else "nothing"
        text += f"Training without them regains {back} of what ablation took. "
    return text + "Each was trained once, and not to its plateau: the intervals are over people and not over trainings."


def study(m: Mapping[str, Any]) -> str:
    """The trainings to the plateau: their table, and what they decide; or which are missing."""
    found = m["study"]
    if not found["kept"]:
        return state(found)
    text = f"{state(found)}\n\n{table(found)}"
    share = found["contrasts"]["no skips, share"]
    if share["why"] and not found["missing"]:
        text += f"\n\nNothing is decided from it: {share['why']}."
    elif not share["why"]:
        text += f"\n\nA network trained without skip connections finds {spoken(share)} as many joints as one trained with them."
    return text


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """The chapter's table, question to answer."""
    every, finest = m["levels"]["all"], next(iter(m["levels"].values()))
    small_ = m["small joints"]["absolute"]
    found = {
        "Network": f"{m['network']}, {m['people']:,} people",
        "Joints found as it is": spoken(m["intact"]),
        "Change: all skips at zero": change(every["zero"]),
        "Change: all skips at their mean": change(every["the mean"]),
        "Change: all skips another person's": change(every["another person's"]),
        "Change: finest skip at its mean": change(finest["the mean"]),
        "Change: bottleneck at its mean, skips intact": change(m["bottleneck"]["the mean"]),
    }
    if m["twins"]:
        found |= {
            "Two networks alike but for skips": " and ".join(m["twins"]["names"]),
            "Change of the first: all skips at their mean": change(m["twins"]["ablated"]["the mean"]),
            "Change of the second: trained without": change(m["twins"]["without"]),
        }
    name = "finest level at its mean"
    found["Small joints lose most, finest level"] = f"{judged(small_[name])} ({correlation(small_[name])})"
    return found
