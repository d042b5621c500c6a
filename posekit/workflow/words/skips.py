"""What 03_skips says: what a trained network loses without its skip connections, and what one loses that is trained without."""

from collections.abc import Mapping
from typing import Any

from posekit.workflow.words import change, comparable, correlation, listed, side_by_side, signed, spoken
from posekit.workflow.words.studies import hollow, state, table

TRAINED_WITHOUT = "trained without"
WITH = {"finest level at its mean": "the finest level at its mean", "all levels at their mean": "all levels at their means"}
ABLATED = {
    "the mean": "at their means over other people",
    "zero": "at zero",
    "another person's": "replaced by another person's",
}


def sentences(m: Mapping[str, Any], data: str) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    m = comparable(m)
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
        "hollow": hollow(m["study"]),
        "retrained": retrained(m),
        "table": side_by_side("03_skips", data, verdicts(m)),
    }


def at_mean(m: Mapping[str, Any]) -> Mapping:
    return m["levels"]["all"]["the mean"]


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    share = at_mean(m)["mean"] / max(m["intact"]["mean"], 1e-9)
    if not at_mean(m)["change"]["high"] < 0:
        return "**Undecided**: with all skip connections at their means, the network does not find significantly fewer joints."
    if share < 0.5:
        return (
            "**A trained network depends on its skip connections**: with all of them at their means over other people, it finds "
            f"{100 * share:.0f} % as many joints as with them."
        )
    return (
        "**A trained network does not depend on its skip connections alone**: with all of them at their means over other people, it still "
        f"finds {100 * share:.0f} % as many joints as with them."
    )


def blunt(m: Mapping[str, Any]) -> str:
    parts = [f"{100 * m['levels']['all'][way]['mean']:.1f} % with all of them {what}" for way, what in ABLATED.items()]
    return (
        f"With its skip connections intact, and without a flip test, the network finds {spoken(m['intact'])} of the joints. It finds "
        f"{listed(parts)}."
    )


def levels(m: Mapping[str, Any]) -> str:
    single = {group: by_way for group, by_way in m["levels"].items() if group != "all"}
    order = sorted(single, key=lambda group: single[group]["the mean"]["mean"])
    most, least = (f"{m['level names'][group]} ({change(single[group]['the mean'])})" for group in (order[0], order[-1]))
    gap = {group: by_way["zero"]["mean"] - by_way["the mean"]["mean"] for group, by_way in single.items()}
    apart = max(gap, key=lambda group: abs(gap[group]))
    total = 100 * sum(by_way["the mean"]["change"]["mean"] for by_way in single.values())
    together = 100 * at_mean(m)["change"]["mean"]
    text = (
        f"Replacing a single level by its mean costs most at {most} and least at {least}. Replacing all levels together changes the score "
        f"by {change(at_mean(m))}, while the changes of the single levels add up to {signed(total)} points. Zero differs from the mean "
        f"most at {m['level names'][apart]}, where it costs {100 * abs(gap[apart]):.1f} points {'more' if gap[apart] < 0 else 'less'}."
    )
    if abs(together) > 1.5 * abs(total):
        text += " The levels are partly redundant: the network tolerates the loss of any single one much better than the loss of all."
    return text


def bottleneck(m: Mapping[str, Any]) -> str:
    """The control: what goes past the skip connections, through the code."""
    code, skips = m["bottleneck"]["the mean"], at_mean(m)
    text = (
        "As a control, the code of the bottleneck is replaced by its mean while all skip connections stay intact. The score then "
        "changes by "
        f"{change(code)}. "
    )
    if not code["change"]["high"] < 0:
        return text + "It is not shown that the network needs its bottleneck."
    if skips["change"]["high"] < code["change"]["low"]:
        return (
            text + "The network therefore takes information from its bottleneck that it does not take from the skip connections, but "
            "loses more without the latter."
        )
    return text + "The network therefore takes information from its bottleneck that it does not take from the skip connections."


def joints(m: Mapping[str, Any]) -> str:
    fine = m["kinds"][m["level names"][next(iter(m["levels"]))]]
    losers = sorted(fine, key=lambda kind: fine[kind]["mean"])
    clear = sum(block["high"] < 0 for block in fine.values())
    text = (
        f"With the finest level at its mean the {losers[0]} loses most, {spoken(fine[losers[0]], points=True)}; the {losers[-1]} "
        f"changes by {spoken(fine[losers[-1]], points=True)}. "
    )
    if clear:
        text += f"For {clear} of {len(fine)} kinds of joint the interval of the change lies below 0."
    else:
        text += f"For none of the {len(fine)} kinds of joint does the interval of the change lie below 0."
    if trained := m["kinds"].get(TRAINED_WITHOUT):
        hurt = sorted(trained, key=lambda kind: trained[kind]["mean"])
        text += (
            f" When the network is trained without any skip connections, the {hurt[0]} loses most, "
            f"{spoken(trained[hurt[0]], points=True)}, and the "
            f"{hurt[-1]} least, {spoken(trained[hurt[-1]], points=True)}."
        )
    return text


def retrained(m: Mapping[str, Any]) -> str:
    """Whose difference the last column of the joints' figure is, where it has one."""
    if TRAINED_WITHOUT not in m["kinds"]:
        return ""
    first, second = m["twins"]["names"]
    return f" The column *{TRAINED_WITHOUT}* is the difference of {second}, which has no skip connections, from {first}."


def judged(block: Mapping) -> str:
    """What a correlation of size and loss says about the claim that small joints lose most."""
    if block["mean"] is None:
        return "cannot be tested"
    few = block["p"] >= 0.05
    if block["high"] < 0:
        return "has the claimed sign, but with so few kinds of joint this may be chance" if few else "holds"
    if block["low"] > 0:
        return "has the opposite sign, but with so few kinds of joint this may be chance" if few else "is reversed: large joints lose more"
    return "cannot be distinguished from chance"


def subject(block: Mapping) -> str:
    """What it is that a verdict of `judged` says."""
    return "the claim" if judged(block).startswith(("holds", "is reversed", "cannot be tested")) else "the correlation"


def small(m: Mapping[str, Any]) -> str:
    found = m["small joints"]
    kinds = max(block["kinds"] for block in found["absolute"].values())
    lines = [
        f"| correlation of size, over {kinds} kinds of joint, with | points lost | share lost, relative | points lost at half the "
        f"threshold |",
        "| --- " * 4 + "|",
    ]
    for name in found["absolute"]:
        cells = [correlation(found[kind][name]).partition(" over ")[0] for kind in ("absolute", "relative", "at 0.1·torso")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    said = " ".join(f"With {WITH[name]}, {subject(block)} {judged(block)}." for name, block in found["absolute"].items())
    strict = found["at 0.1·torso"].items()
    only = [name for name, block in strict if block["mean"] is not None and judged(block) == "holds" != judged(found["absolute"][name])]
    if only:
        said += (
            f" At half the threshold the claim holds with {listed(WITH[name] for name in only)}; this does not decide it, since its rule "
            "was fixed for the whole threshold."
        )
    return "\n".join([*lines, "", f"The claim is decided by the points lost. {said}"])


def twins(m: Mapping[str, Any]) -> str:
    """The same network ablated and retrained, or that this edition has no such pair."""
    found = m["twins"]
    if found is None:
        return (
            "This edition has no pair of networks that differ in their skip connections alone. The edition on photographs compares "
            "`lspet-64px-hg1` with `lspet-64px-noskip`; its numbers are in the last table."
        )
    with_, bare, ablated = found["with"], found["without"], found["ablated"]["the mean"]
    alike = "by the same recipe on the same people"
    if found["differences"]:
        alike = f"with differences ({'; '.join(found['differences'])}), which may explain a part of the result"
    text = (
        f"*{found['names'][0]}* has skip connections and *{found['names'][1]}* has none; they were trained {alike}. The first has "
        f"{found['parameters'][0]:,} parameters, the second {found['parameters'][1]:,}. All information of the second "
        f"network about a person passes through a code of {found['numbers']:,} numbers. With its skip connections the network finds "
        f"{spoken(with_)} of the joints. With all of them at their means it finds {spoken(ablated)}, and trained without them "
        f"{spoken(bare)}. "
    )
    lost, kept = with_["mean"] - ablated["mean"], bare["mean"] - ablated["mean"]
    if ablated["change"]["high"] < 0 < lost:
        back = f"recovers {100 * kept / lost:.0f} % of" if kept > 0 else "recovers nothing of"
        text += f"Training without them {back} the points lost by ablation. "
    return (
        f"{text}Each network was trained once, and its training ended while its score still rose; those of the next section are trained "
        "until it no longer rises. The intervals are over people and not over trainings."
    )


def study(m: Mapping[str, Any]) -> str:
    """The trainings to the plateau: their table, and what they decide; or which are missing."""
    found = m["study"]
    if not found["kept"]:
        return state(found)
    text = f"{state(found)}\n\n{table(found)}"
    share = found["contrasts"]["no skips, share"]
    if share["why"] and not found["missing"]:
        text += f"\n\nNothing is decided by this study: {share['why']}."
    elif not share["why"]:
        text += f"\n\nA network trained without skip connections finds {spoken(share)} as many joints as one trained with them."
    small = found["contrasts"].get("small joints")
    if small and not small["why"] and small["mean"] is not None:
        text += (
            " The Spearman correlation of a joint's size with what it loses is, over means of the seeds, "
            f"{correlation(small)}; a negative one means that small joints lose more. The interval is over people, *p* over kinds of joint."
        )
    return text


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """The chapter's table, question to answer."""
    m = comparable(m)
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
    for name, which in (("finest level at its mean", "finest level"), ("all levels at their mean", "all levels")):
        if name in small_:
            found[f"Small joints lose most, {which}"] = f"{judged(small_[name])} ({correlation(small_[name])})"
    return found
