"""What 05_components says: how many components a code has, and how many of them the network uses."""

from collections.abc import Mapping

from posekit.workflow.words import by_number, change, listed, number, ranged, spoken

NAMED = 0.9  # a component gets a name where halves of the people agree on it with a mean |cos| of at least this
NOISE = 50  # components from here on were taken for noise
MATTERS = 0.5  # of the joints found that the mean code for everybody has to cost, or the code matters too little for a cut to tell
MARGIN = 0.05  # of the joints found: a cut code that loses less is as good as the whole one. The ledger's rule for the claim is the same.
TREATMENTS = {"skips intact": "With the skip connections intact", "skips mean": "With the skip connections at their mean"}
DECIDES = "skips mean"  # where the code is all that the network knows of the picture


def sentences(m: Mapping) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    sizes = m["sizes"]
    return {
        "answer": answer(m),
        "network": m["network"],
        "hook_point": f"`{m['hook_point']}`",
        "dimensions": f"{m['dimensions']:,}",
        "people": f"{m['people']:,} {'mannequins' if m['rendered'] else 'people'}, {m['seen']}",
        "permutations": str(m["permutations"]),
        "needed": ranged(sizes["needed for 95 %"], 0),
        "needed_share": f"{100 * m['shares']['needed']:.0f} %",
        "above": ranged(sizes["above the noise floor"], 0),
        "above_share": f"{100 * m['shares']['above']:.0f} %",
        "participation": ranged(sizes["participation ratio"], 1),
        "stable": stable(m),
        "tested": f"{m['cut']['people']:,}",
        "torsos": torsos(m["cut"]),
        "fitted": f"{m['cut']['fitted on']:,}",
        "cut": " ".join(cut(m, skips) for skips in TREATMENTS),
        "gains": gains(m),
    }


def verdicts(m: Mapping) -> dict[str, str]:
    """The chapter's table, question to answer."""
    sizes, agreed = m["sizes"], m["stability"]["cosines"]
    return {
        "Network": f"{m['network']}, {m['people']:,} people",
        "Components for 95 % of the variance": f"{ranged(sizes['needed for 95 %'], 0)} of {m['dimensions']:,}",
        "Participation ratio": ranged(sizes["participation ratio"], 1),
        "Components above the permutation floor": f"{ranged(sizes['above the noise floor'], 0)}, from {m['people']:,} people",
        f"Components on which halves agree (cosine of at least {NAMED})": f"{sum(c >= NAMED for c in agreed)} of {len(agreed)}",
    } | {
        f"With the code cut to {NOISE} components, {state}, the network finds": cut_cell(m, skips)
        for skips, state in {"skips intact": "skips intact", "skips mean": "skips at their means"}.items()
    }


def judged(relative: Mapping) -> str:
    """Whether a cut code finds `as many` joints as the whole one, `fewer`, or is `undecided`, by the interval of the change and MARGIN."""
    return "as many" if relative["low"] > -MARGIN else "fewer" if relative["high"] < -MARGIN else "undecided"


def more_or_fewer(relative: Mapping) -> str:
    """A relative change of the number of joints: `7.9 % [5.8, 10.1] fewer joints`."""
    sign, which = (-1, "fewer") if relative["mean"] < 0 else (1, "more")
    if relative["low"] != relative["low"]:
        return f"{number(100 * sign * relative['mean'], 1)} % {which} joints, without an interval"
    low, high = sorted(100 * sign * relative[end] for end in ("low", "high"))
    return f"{number(100 * sign * relative['mean'], 1)} % [{number(low, 1)},\u00a0{number(high, 1)}] {which} joints"


def components_enough(blocks: Mapping[int, Mapping]) -> int | None:
    """The fewest components, of those tried, that find as many joints as the whole code; None where not even all are shown to."""
    return min((k for k, block in blocks.items() if judged(block["relative"]) == "as many"), default=None)


def answer(m: Mapping) -> str:
    blocks = by_number(m["cut"][DECIDES]["components"])
    if NOISE not in blocks:
        return f"These codes have fewer than {NOISE} components, so that the claim cannot be tested here."
    relative, lost = blocks[NOISE]["relative"], without(m["cut"][DECIDES])
    measured = (
        f"with the code cut to {NOISE} components and the skip connections at their mean, the network finds {more_or_fewer(relative)}"
    )
    if lost > -MATTERS:
        return (
            f"**Undecided**: {measured}. But with the mean code for everybody it still finds {number(100 + 100 * lost, 0)} % of them: "
            "it uses too little of its code here to tell."
        )
    return {
        "as many": f"**For the network, they are noise**: {measured}, and a loss of more than {100 * MARGIN:g} % is excluded.",
        "fewer": f"**They are not noise**: {measured}.",
        "undecided": f"**Undecided**: {measured}, and the interval contains our margin, a loss of {100 * MARGIN:g} %.",
    }[judged(relative)]


def without(found: Mapping) -> float:
    """The relative change of the number of joints if everybody has the mean code."""
    return float(found["mean code"]["change"]["mean"] / found["whole"]["mean"])


def stable(m: Mapping) -> str:
    agreed, chance = m["stability"]["cosines"], m["stability"]["chance cosines"]
    k, which = len(agreed), [str(i + 1) for i, cosine in enumerate(agreed) if cosine >= NAMED]
    if not which:
        return f"The two halves agree on none of the first {k} components; for the first, the mean |cos| is {number(agreed[0])}."
    last = f"For component {k} the mean |cos| is {number(agreed[-1])}, against {number(chance[-1])} for random directions."
    start = f"The two halves agree, with a mean |cos| of at least {NAMED}, on {len(which)} of the first {k} components"
    return f"{start}: {listed(which)}. {last}"


def cut(m: Mapping, skips: str) -> str:
    """What the code's first components are worth, for one treatment of the skip connections."""
    found = m["cut"][skips]
    blocks, random = by_number(found["components"]), by_number(found["random directions"])
    enough, every = components_enough(blocks), max(blocks)
    whole, mean = spoken(found["whole"]), spoken(found["mean code"])
    said = f"{TREATMENTS[skips]}, PCK is {whole} with the whole code, and {mean} if everybody has the mean code, a change of "
    said += f"{change(found['mean code'])}, about the most that cutting can cost."
    if enough is None:
        said += f" For no cut code, not even that of all {every:,} components, is a loss of {100 * MARGIN:g} % of the joints excluded."
    elif enough == every:
        said += f" Of the cuts tried, none short of all {every:,} components excludes a loss of {100 * MARGIN:g} % of the joints."
    else:
        said += f" {enough:,} components are the fewest tried with which a loss of {100 * MARGIN:g} % of the joints is excluded."
    ahead = [k for k in blocks if k in random and random[k]["behind"]["high"] < 0]
    if not ahead:
        return f"{said} Equally many random directions are not shown to be worse."
    k = ahead[len(ahead) // 2]
    behind = random[k]["behind"]
    more = {"mean": -behind["mean"], "low": -behind["high"], "high": -behind["low"]}
    return (
        f"{said} Components keep more than random directions: PCK is {spoken(blocks[k])} with {k:,} of them and {spoken(random[k])} with "
        f"as many random directions, a difference of {spoken(more, points=True)}."
    )


def gains(m: Mapping) -> str:
    """What probes read beyond the first NOISE components."""
    tested, to = m["gains"]["attributes"], m["gains"]["to"]
    if not tested:
        return f"Whether probes gain beyond {NOISE} components cannot be tested with so few people."
    more = {name: block for name, block in tested.items() if block["low"] > 0}
    if not more:
        return f"From {NOISE} to {to} components no probe gains significantly."
    most = max(more, key=lambda name: more[name]["mean"])
    which = listed(f"*{name}*" for name in more)
    return f"From {NOISE} to {to} components, probes still gain for {which}. The largest gain in R², {ranged(more[most])}, is for *{most}*."


def torsos(cut: Mapping) -> str:
    """How many of the people whose codes are cut can be scored, where not all can."""
    scored, people = cut["scored"], cut["people"]
    return f" The score is over the {scored:,} of them with a labelled torso." if scored < people else ""


def cut_cell(m: Mapping, skips: str) -> str:
    block = by_number(m["cut"][skips]["components"]).get(NOISE)
    return "not measured here" if block is None else more_or_fewer(block["relative"])
