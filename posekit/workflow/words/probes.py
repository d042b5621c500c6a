"""What 05_probes says: what the components of a code go with, what probes read from it, and what walks change."""

from collections.abc import Iterable, Mapping, Sequence

from posekit.workflow.words import listed, number, ranged, share

SITTING = {"sitting", "hip flexion", "knee flexion", "true hips", "true knees", "true posture: sitting, not standing"}
POSTURES = "true posture: sitting, not standing"
FACTORS = {  # what a reader expects a code of a person to hold, and the attributes that stand for it
    "orientation": ["upright"],
    "posture": ["sitting"],
    "heading": ["true heading sin", "true heading cos", "facing", "left on the right"],
    "size": ["true size", "box size"],
}
PARTLY, READABLE = 0.15, 0.5  # R² from which on an attribute is called partly readable, and readable
SKIPS = {"intact": "intact", "mean": "at their means", "off": "off"}
TABLED = ["upright", "lean", "sitting", "arm elevation", "facing", "left on the right", "true heading cos", "true heading sin", "true size"]


def sentences(m: Mapping) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    factors = sum(name.startswith("true ") for name in m["correlations"])
    return {
        "answer": answer(m),
        "network": m["network"],
        "hook_point": f"`{m['hook_point']}`",
        "people": f"{m['people']:,} {'mannequins' if m['rendered'] else 'people'}, {m['seen']}",
        "attributes": f"Mannequins have {factors} more attributes, marked *true*: factors from which they were rendered."
        if m["rendered"]
        else "Mannequins have more attributes, the factors of their rendering, marked *true*; photographs have none of these.",
        "components": str(m["components"]),
        "first": first(m),
        "sitting": sitting(m),
        "second": second(m),
        "axes": axes(m),
        "read": read(m["probes"]),
        "unread": unread(m),
        "pixels": pixels(m["probes"]),
        "factors": factors_read(m),
        "neighbours": neighbours(m["neighbours"]),
        "near": near(m["nearest"]),
        "walkers": str(m["walkers"]),
        "step": f"{m['step']:g}",
        "walks": "\n\n".join(walks(m, skips) for skips in m["moved"]) or "No walk could be measured here.",
    }


def verdicts(m: Mapping) -> dict[str, str]:
    """The chapter's table, question to answer."""
    top = strongest(m, 1)
    table = {
        "Network": f"{m['network']}, {m['people']:,} people",
        "The first component correlates most with": f"{top}, |r| = {ranged(tie(m, 1, top))}",
        "It is sitting versus standing": sitting_cell(m),
    }
    for name in TABLED:
        if name in m["probes"]:
            table[f"Read from {m['components']} components: {name}"] = probe_cell(m["probes"][name])
    for name in m["walked"]:
        for skips in m["moved"]:
            if skips != "off":
                table[f"Walked by ±{m['step']:g} sd: {name}, skips {SKIPS[skips]}"] = walk_cell(m["walks"], name, skips)
    return table


def tie(m: Mapping, component: int, attribute: str) -> dict[str, float]:
    """|r| of a component with an attribute, with its interval."""
    r, low, high = (m["correlations"][attribute][key][component - 1] for key in ("r", "low", "high"))
    ends = sorted((abs(low), abs(high)))
    return {"mean": abs(r), "low": ends[0] if low * high > 0 else 0.0, "high": ends[1]}


def strongest(m: Mapping, component: int) -> str:
    """The attribute that a component correlates with most, of either sign."""
    return max(m["correlations"], key=lambda name: abs(m["correlations"][name]["r"][component - 1]))


def best_for(m: Mapping, attribute: str) -> int:
    """The component that correlates most with an attribute."""
    r = m["correlations"][attribute]["r"]
    return max(range(1, len(r) + 1), key=lambda component: abs(r[component - 1]))


def sitting_component(m: Mapping) -> int:
    """The component nearest to sitting; the first where that is not defined."""
    return best_for(m, "sitting") if "sitting" in m["correlations"] else 1


def second(m: Mapping) -> str:
    """The component that the page looks at beside the first."""
    best = sitting_component(m)
    return f"component {best}, of all components the one nearest to *sitting*" if best > 1 else "component 2"


def axes(m: Mapping) -> str:
    """The components on which the page compares people who sit and stand."""
    return f"the first component (left) and {second(m)} (right)" if sitting_component(m) > 1 else "the first component"


def is_sitting(m: Mapping) -> str:
    """Whether the first component is sitting versus standing: `unknown`, `yes`, `no` or `undecided`."""
    if "sitting" not in m["correlations"]:
        return "unknown"
    top = strongest(m, 1)
    if top in SITTING:
        return "yes"
    return "no" if tie(m, 1, "sitting")["high"] < tie(m, 1, top)["low"] else "undecided"


def answer(m: Mapping) -> str:
    top, verdict = strongest(m, 1), is_sitting(m)
    if verdict == "unknown":
        return f"The first component correlates most with *{top}*, |r| = {ranged(tie(m, 1, top))}; *sitting* is defined for too few people."
    if verdict == "yes":
        return f"**The first component is sitting versus standing**: it correlates most with *{top}*, |r| = {ranged(tie(m, 1, top))}."
    own = ranged(tie(m, 1, "sitting"))
    if verdict == "no":
        return f"**The first component is not sitting versus standing**: its correlation with *sitting* is |r| = {own}."
    return f"**Undecided**: so few people cannot show whether the first component is sitting versus standing, |r| = {own}."


def first(m: Mapping) -> str:
    """What the first three components correlate with; one on which halves of the people disagree gets no name."""
    count = min(3, m["components"])
    parts, nameless = [], []
    for c in range(1, count + 1):
        if m["named"][c - 1]:
            parts.append(f"*{strongest(m, c)}* for component {c} (|r| = {ranged(tie(m, c, strongest(m, c)))})")
        else:
            nameless.append(f"component {c} (mean |cos| {number(m['agreement'][c - 1])})")
    words = []
    if parts:
        words.append(f"The attribute with the strongest correlation is {listed(parts)}.")
        words.append(f"The first {count} components together hold {100 * sum(m['shares'][:count]):.0f} % of the variance.")
    if nameless:
        words.append(f"No name is given to {listed(nameless)}, because two halves of the people disagree about the direction.")
    return " ".join(words)


def sitting(m: Mapping) -> str:
    verdict = is_sitting(m)
    if verdict == "unknown":
        return f"This cannot be tested on these people: {m['refused'].get('sitting', 'sitting is not defined')}."
    top, own = strongest(m, 1), ranged(tie(m, 1, "sitting"))
    if verdict == "yes":
        most = f"it correlates most with *{top}*, |r| = {ranged(tie(m, 1, top))}"
        return f"The first component is sitting versus standing: {most}. With *sitting*, |r| = {own}."
    start = "**The first component is not sitting versus standing.**" if verdict == "no" else "So few people cannot decide this."
    whose = "Its" if verdict == "no" else "The first component's"
    words = f"{start} {whose} correlation with *sitting* is |r| = {own}, and with *{top}* {ranged(tie(m, 1, top))}."
    if POSTURES in m["correlations"]:
        words += f" For the mannequins rendered sitting or standing, the correlation with that posture is {ranged(tie(m, 1, POSTURES))}."
    best = best_for(m, "sitting")
    held = f"{100 * m['shares'][best - 1]:.0f} % of the variance"
    firm = "" if m["named"][best - 1] else ", a direction on which two halves of the people disagree"
    return (
        f"{words} Of all components, component {best}, with {held}{firm}, is nearest to *sitting*: |r| = {ranged(tie(m, best, 'sitting'))}."
    )


def read(probes: Mapping[str, Mapping]) -> str:
    good = sorted((name for name in probes if probes[name]["code"]["low"] > 0.2), key=lambda name: -probes[name]["code"]["r2"])
    if not good:
        return "No attribute is read well: for none the interval of R² lies above 0.2."
    return f"The attributes read best from the code are {listed(f'*{name}* (R² = {r2(probes, name)})' for name in good[:4])}."


def unread(m: Mapping) -> str:
    """What the predicted joints tell and the code does not."""
    probes, words = m["probes"], ""
    kept = [name for name, p in probes.items() if p["answer"]["low"] > p["code"]["high"] and p["answer"]["r2"] > 0.2]
    kept = sorted(kept, key=lambda name: probes[name]["code"]["r2"] - probes[name]["answer"]["r2"])[:3]
    none = [name for name, p in probes.items() if not above_chance(p["code"])]
    if kept:
        parts = listed(f"*{name}* (R² = {r2(probes, name, 'answer')} against {r2(probes, name)})" for name in kept)
        words = (
            f"About some attributes more can be read from the predicted joints than from the code, most of all about {parts}: the network "
            f"holds this outside the first {m['components']} components, not along a straight line, or in its skip connections."
        )
    if none:
        few = none if len(none) <= 6 else [*none[:5], f"{len(none) - 5} others"]
        about = listed(name if name.endswith(" others") else f"*{name}*" for name in few)
        words += f" From the code, nothing beyond chance is read about {about}."
    return words.strip()


def pixels(probes: Mapping[str, Mapping]) -> str:
    ahead = [name for name, p in probes.items() if p["more"]["high"] < 0]
    if not ahead:
        return "No attribute is read better from pixels than from the code."
    sizes = any("size" in name for name in ahead)
    shown = "the picture shows these, sizes by the blur of an enlarged picture" if sizes else "the picture shows these directly"
    why = f"{shown}, and the pose does not depend on them"
    return f"From pixels, {starred(ahead)} read better than from the code: {why}."


def starred(attributes: Sequence[str]) -> str:
    """`*lean* is`, `*lean* and *facing* are`."""
    which = listed(name if name.endswith(" others") else f"*{name}*" for name in attributes)
    return f"{which} {'is' if len(attributes) == 1 else 'are'}"


def grade(probe: Mapping) -> str:
    if not above_chance(probe):
        return "is read no better than by chance"
    return "is barely readable" if probe["r2"] < PARTLY else "is partly readable" if probe["r2"] < READABLE else "is readable"


def factors_read(m: Mapping) -> str:
    """Posture, orientation, heading and size."""
    probes, words = m["probes"], []
    if m["posture"]:
        right, common = (share(m["posture"][name]) for name in ("correct", "most common"))
        words.append(
            f"A linear classifier of the first {m['components']} components predicts which of {m['postures']} **postures** a "
            f"mannequin has. "
            f"It is right for {right} of them; always predicting the most common posture would be right for {common}."
        )
    for factor, stands_for in FACTORS.items():
        names = [name for name in stands_for if name in probes]
        if not names:
            continue
        best = max(names, key=lambda name: probes[name]["code"]["r2"])
        words.append(f"**{factor.capitalize()}** {grade(probes[best]['code'])}: *{best}*, R² = {r2(probes, best)}.")
        if factor == "heading":
            words.append(heading(probes, names, best))
        elif factor == "size":
            words.append("Crops are scaled to the person, so that size is visible only indirectly, in the blur of an enlarged picture.")
    if any(name in probes for names in FACTORS.values() for name in names):
        words.append(
            f"*Readable* means an R² of at least {READABLE:g} here, *partly readable* of at least {PARTLY:g}, *barely readable* of less."
        )
    return " ".join(words)


def heading(probes: Mapping[str, Mapping], names: Sequence[str], best: str) -> str:
    """Whether the predicted joints tell more of the heading than the code does."""
    part = max(names, key=lambda name: probes[name]["answer"]["r2"])
    tells = f"*{part}*, R² = {r2(probes, part, 'answer')}" + (f", from the code {r2(probes, part)}" if part != best else "")
    if probes[part]["later"]["low"] > 0:
        return (
            f"From the predicted joints it is read significantly better ({tells}): the network holds it outside these components, or "
            "determines it past the bottleneck."
        )
    return f"From the predicted joints it is not read significantly better ({tells})."


def neighbours(alike: Mapping[str, Mapping]) -> str:
    own = alike["the code"]
    others = listed(f"by {name} {share(block)}" for name, block in alike.items() if name != "the code")
    return (
        f"The mean pose distance to the person with the nearest code is {number(own['neighbour'])} trunk lengths, to a random person "
        f"{number(own['anybody'])}, and to the person with the most similar pose {number(own['nearest'])}. On the scale between the "
        "last two, "
        f"neighbours by the code reach {share(own)}, neighbours {others}. This is over the {own['people']:,} people whose shoulders and "
        "hips are all labelled."
    )


def near(ends: Mapping[str, Sequence[float]]) -> str:
    """How near the nearest person is to the ends of the walk along the first component."""
    farthest = max(ends["relative"])
    how = (
        "no farther than"
        if farthest <= 1.05
        else "hardly farther than"
        if farthest < 1.25
        else "at both ends farther than"
        if min(ends["relative"]) > 1.05
        else "at one end farther than"
    )
    how += " people typically are from their nearest neighbours"
    first, last = (number(value, 1) for value in ends["relative"])
    return (
        f"At the two ends of the first component the nearest person is {first} and {last} typical distances away, {how}. These distances "
        f"are {100 * ends['way'][0]:.0f} and {100 * ends['way'][1]:.0f} % of the length of the walk from the mean to that end. The "
        f"people shown "
        "therefore differ from each other in much besides the component."
    )


def walks(m: Mapping, skips: str) -> str:
    """What walks did, for one treatment of the skip connections."""
    these = [walk for walk in m["walks"] if walk["skips"] == skips]
    moved = m["moved"][skips]
    words = [
        f"**With skip connections {SKIPS[skips]}**, "
        f"a walk moves the joints by {number(moved['directions'])} trunk lengths (median over directions), "
        f"and a walk "
        f"along a random direction by {number(moved['random directions'])}."
    ]
    still = [walk["direction"] for walk in these if walk["moved_verdict"] == "nothing"]
    if still:
        words.append(f"No joint moves along {listed(map(_direction, still))}.")
    by_verdict: dict[str, list[str]] = {}
    for walk in these:
        if walk.get("effect"):
            against = " (against the direction)" if walk["effect"]["mean"] < 0 and walk["effect_verdict"] == "more than chance" else ""
            by_verdict.setdefault(walk["effect_verdict"], []).append(_direction(walk["direction"]) + against)
    if done := by_verdict.get("more than chance"):
        words.append(f"The attribute changes more than along random directions (p < 0.05 after Holm's correction) for {listed(done)}.")
    if undone := [*by_verdict.get("no more than chance", []), *by_verdict.get("nothing", [])]:
        none = "No attribute is shown to change more than along random directions"
        words.append(f"No such effect is shown for {listed(undone)}." if done else f"{none}: {listed(undone)}.")
    if unjudged := by_verdict.get("undecided"):
        words.append(f"Too few random directions were drawn to judge {listed(unjudged)}.")
    return " ".join(words)


def _direction(name: str) -> str:
    """A direction as a sentence has it: `component 1`, `the probe of *lean*`."""
    return f"the probe of *{attribute}*" if (attribute := name.removeprefix("probe: ")) != name else name


def sitting_cell(m: Mapping) -> str:
    verdict = is_sitting(m)
    if verdict == "unknown":
        return "not measured: sitting is not defined"
    if verdict == "yes":
        return f"holds: |r| = {ranged(tie(m, 1, strongest(m, 1)))} with {strongest(m, 1)}"
    best = best_for(m, "sitting")
    decided = "does not hold" if verdict == "no" else "undecided"
    return f"{decided}: |r| = {ranged(tie(m, 1, 'sitting'))}; component {best} has {ranged(tie(m, best, 'sitting'))}"


def probe_cell(p: Mapping) -> str:
    chance = "" if above_chance(p["code"]) else ", no more than chance"
    pixels, answered = (number(p[source]["r2"]) for source in ("pixels", "answer"))
    return f"R² {ranged({**p['code'], 'mean': p['code']['r2']})}{chance}; from pixels {pixels}, from the predicted joints {answered}"


def walk_cell(walked: Iterable[Mapping], name: str, skips: str) -> str:
    for walk in walked:
        if walk["direction"] == f"probe: {name}" and walk["skips"] == skips and walk.get("effect"):
            return f"{ranged(walk['effect'])} sd, {'no effect shown' if walk['effect_verdict'] == 'nothing' else walk['effect_verdict']}"
    return "not measured here"


def r2(probes: Mapping[str, Mapping], name: str, source: str = "code") -> str:
    return number(probes[name][source]["r2"])


def above_chance(probe: Mapping) -> bool:
    return probe["low"] > max(probe["chance"], 0.0)
