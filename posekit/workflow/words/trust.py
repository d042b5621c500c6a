"""What the chapter on confidence, errors and robustness says, from its metrics."""

from collections.abc import Mapping
from math import hypot
from typing import Any

from posekit.engine.trust.mistakes import KINDS
from posekit.workflow.words import blank, comparable, listed, number, ranged, share, side_by_side, spoken, unknown

CIRCLED = 24  # people, of whom four are drawn with their circles
CALIBRATED = 0.05  # expected calibration error below which a confidence is called calibrated
MANY = {"jitter": "jitter", "inversion": "inversions", "swap": "swaps", "miss": "misses"}


def sentences(metrics: Mapping[str, Any], data: str) -> dict[str, str]:
    """By name, the Markdown of 13_trust."""
    metrics = comparable(metrics)
    return {
        "answer": answer(metrics), "network": metrics["network"], "level": f"{number(100 * metrics['confidence']['level'], 0)} %",
        "confidence": confidence(metrics), "ranking": ranking(metrics), "radius": radius(metrics),
        "visibility_method": visibility_method(metrics), "visibility": visibility(metrics), "errors": errors(metrics),
        "robustness": robustness(metrics), "indices": indices(metrics), "shapley": shapley(metrics),
        "circled": str(min(CIRCLED, metrics["confidence"]["people"])),
        "blank": blank(metrics["shapley"]["effect"]["mean"], "too few people"),
        "table": side_by_side("13_trust", data, verdicts(metrics)),
    }  # fmt: skip


def answer(metrics: Mapping[str, Any]) -> str:
    block = metrics["confidence"]["errors"]["peak"]
    over = block["over"]["mean"]
    by = f"{number(100 * abs(over), 0)} percentage points"
    if block["mean"] < CALIBRATED:
        said = f"**The peak is a fair probability: its calibration error is {number(block['mean'])}.**"
    elif over < 0:
        said = f"**The peak is no probability: on average it is {by} lower than the share of joints found.**"
    else:
        said = f"**The peak is no probability: on average it is {by} higher than the share of joints found.**"
    kind, part = most_errors(metrics)
    if part["mean"] is None:
        return f"{said} Every joint is found."
    return f"{said} Of the joints not found, {share(part)} are {MANY[kind]}, the most frequent kind of error."


def most_errors(metrics: Mapping[str, Any]) -> tuple[str, Mapping]:
    """The most frequent kind of the first network's errors, and its share of the joints that are not found."""
    blocks = metrics["errors"][metrics["first"]]["stacks"][-1]["of errors"]
    kind = max((name for name in blocks if blocks[name]["mean"] is not None), key=lambda name: blocks[name]["mean"], default="miss")
    return kind, blocks[kind]


def confidence_rows(scores: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a way to call something a probability."""
    return [
        {"": way, "calibration error": ranged(block, 3), "of a perfect confidence": number(block["floor"], 3),
         "mean less share found": spoken(block["over"], points=True)}
        for way, block in scores["errors"].items()
    ]  # fmt: skip


def ranking_rows(scores: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a confidence."""
    return [
        {"": name, "AUROC": "nothing to rank" if block["mean"] is None else ranged(block),
         "not found, among the more confident half": spoken(scores["risk"][name]["half"])}
        for name, block in scores["ranking"].items()
    ]  # fmt: skip


def confidence(metrics: Mapping[str, Any]) -> str:
    scores = metrics["confidence"]
    errors, temperature = scores["errors"], scores["temperature"]
    scored = scores["found"]["people"]
    torso = (
        f" ({scored:,} people have a labelled torso, whose length decides whether a joint is found)" if scored < scores["people"] else ""
    )
    parts = [
        f"The calibration was fitted on {scores['calibration']['people']:,} people and measured on {scores['people']:,}, of whose joints "
        f"{share(scores['found']).partition(' [')[0]} are found{torso}.",
        f"The best temperature is {number(temperature, 1)}. It moves every peak {'towards' if temperature > 1 else 'away from'} one half, "
        "so it cannot fully correct peaks that are all too low or all too high.",
    ]
    mass, peak = errors["mass"], errors["peak"]
    less = peak["mean"] - mass["mean"]  # as the ledger has it: as if they were independent
    if less > hypot(peak["mean"] - peak["low"], mass["high"] - mass["mean"]):
        parts.append("Without any fitting, the mass is better calibrated than the peak.")
    elif -less > hypot(peak["high"] - peak["mean"], mass["mean"] - mass["low"]):
        parts.append("Without any fitting, the peak is better calibrated than the mass.")
    else:
        parts.append("Without any fitting, the calibration errors of peak and mass do not clearly differ.")
    after = errors["mass, isotonic"]
    if after["low"] > mass["mean"]:
        parts.append(
            f"Fitting does not help the mass here: its error is {number(mass['mean'], 3)} as it is, {number(after['mean'], 3)} after."
        )
    fitted = after["over"]
    if fitted["low"] > 0:
        parts.append(
            f"After isotonic regression the mass exceeds the share found by {spoken(fitted, points=True)}: joints of the "
            "validation people are easier to find than those of the test people."
        )
    elif fitted["high"] < 0:
        parts.append(
            f"After isotonic regression the mass falls short of the share found, by {spoken(fitted, points=True)}: joints of the "
            "validation people are harder to find than those of the test people."
        )
    return " ".join(parts)


def ranking(metrics: Mapping[str, Any]) -> str:
    ranks, risk = metrics["confidence"]["ranking"], metrics["confidence"]["risk"]
    order = sorted((name for name in ranks if ranks[name]["mean"] is not None), key=lambda name: -ranks[name]["mean"])
    if not order:
        return "All joints are found, or none, so nothing can be ranked."
    best = order[0]
    text = f"The {best} ranks best, with an AUROC of {ranged(ranks[best])}."
    clear = [name for name in order[1:] if ranks[name]["high"] < ranks[best]["low"]]
    ahead = f" Its interval lies above that of {listed(clear)}." if clear else " Its interval overlaps with all others."
    half = risk[best]["half"]
    return (
        text
        + ahead
        + (
            f" In the half of the joints with the higher {best if best not in ('entropy', 'spread') else 'confidence'}, {share(half)} are "
            "not found."
        )
    )


def radius(metrics: Mapping[str, Any]) -> str:
    scores = metrics["confidence"]
    held, level, by_joint = scores["held"], scores["level"], scores["joints"]
    low = [joint for joint, block in by_joint.items() if block["held"]["mean"] is not None and block["held"]["high"] < level]
    sizes = {joint: block["radius"] for joint, block in by_joint.items() if block["radius"] is not None}
    text = f"On the test people the circles contain {spoken(held)} of the annotations."
    text += (
        f" They contain clearly fewer than intended for {listed(low)}."
        if low
        else " For no joint do they contain clearly fewer than intended."
    )
    if rare := scores.get("left out"):
        text += f" Too few validation people have these labelled, so they get no radius: {listed(rare)}."
    if sizes:
        small, large = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        text += (
            f" The median radius runs from {number(sizes[small])} torso lengths ({small}) to {number(sizes[large])} ({large}): so "
            "wide a circle has to be for this network at this level."
        )
    return text


def visibility_method(metrics: Mapping[str, Any]) -> str:
    text = (
        "In some data sets each joint is marked as hidden or visible; training does not use this mark. Can it be predicted from the code, "
        "or from the heatmap?"
    )
    if metrics["rendered"]:
        return f"{text} For mannequins the mark is exact, since the renderer makes it."
    return text


def visibility(metrics: Mapping[str, Any]) -> str:
    block = metrics["visibility"]
    if not block["joints"]:
        return f"This cannot be measured on these people: {block['why'].partition(': ')[0]}."
    joints = block["joints"]
    read = [joint for joint, ways in joints.items() if ways["code"]["low"] > 0.5]
    best = max(joints, key=lambda joint: joints[joint]["code"]["mean"])
    better = [joint for joint, ways in joints.items() if ways["code"]["low"] > ways["peak"]["high"]]
    text = (
        f"A linear probe of the code predicts hidden joints above chance for {len(read)} of {len(joints)} joints. It is best for the "
        f"{best}, with an AUROC of {ranged(joints[best]['code'])}, where the peak has {ranged(joints[best]['peak'])}."
    )
    if better:
        text += f" The code is clearly better than the peak for {len(better)} {'joint' if len(better) == 1 else 'joints'}."
    else:
        text += " For no joint is the code clearly better than the peak."
    return text + (f" Left out, with too few hidden or visible cases: {listed(block['left out'])}." if block.get("left out") else "")


def error_rows(networks: Mapping[str, list]) -> dict[str, Mapping]:
    """Rows of the figure: each network, each of its stacks where it has several."""
    rows: dict[str, Mapping] = {}
    for name, stacks in networks.items():
        parts = str(name).removesuffix(".safetensors").split("/")
        label = parts[-2] if parts[-1] == "weights" and len(parts) > 1 else parts[-1]
        for i, stack in enumerate(stacks, 1):
            rows[f"{label}, stack {i}" if len(stacks) > 1 else label] = stack["kinds"]
    return rows


def ablated_row(group: str) -> str:
    """The label of the figure's row of a network whose skip connections are replaced."""
    return {"nothing": "as it is, fewer people", "all": "all skips at their means"}.get(group, f"{group} at its mean")


def repair_rows(errors: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a kind: its share, and what the score would be without it."""
    last, oks = errors["stacks"][-1], errors.get("oks")
    rows = []
    for kind in KINDS:
        if kind == "swap" and not errors["others"]:
            continue
        row = {"": kind, "share of labelled joints": spoken(last["kinds"][kind])}
        row["PCK if repaired"] = spoken(last["repaired"][kind]) if kind in last["repaired"] else ""
        if oks:
            row["share by similarity"] = spoken(oks["kinds"][kind])
            row["OKS-AP if repaired"] = ranged(oks["ap"][kind], 3) if kind in oks["ap"] else ranged(oks["ap"]["as it is"], 3)
        rows.append(row)
    return rows


def errors(metrics: Mapping[str, Any]) -> str:
    of, first = metrics["errors"], metrics["errors"][metrics["first"]]
    last = first["stacks"][-1]
    kinds, wrong, repaired = last["kinds"], last["of errors"], last["repaired"]
    if all(block["mean"] is None for block in wrong.values()):
        return "Every joint is found; there are no errors to sort."
    shares = [f"{share(wrong[kind])} are {MANY[kind]}" for kind in KINDS[1:] if kind != "swap" or first["others"]]
    parts = [f"Of the joints that {first['weights']} does not find, {listed(shares)}."]
    if not first["others"]:
        parts.append("Nobody shares a picture with another annotated person, so swaps cannot be detected.")
    chance, inversions = first["inversions by chance"], kinds["inversion"]
    if inversions["low"] > chance["high"]:
        parts.append(
            f"Inversions are {spoken(inversions)} of all joints; if wrong predictions came near the joint of the other side by chance "
            f"alone, inversions would be {spoken(chance)}."
        )
    else:
        parts.append(f"Inversions, {spoken(inversions)} of all joints, are not clearly more than by chance, {spoken(chance)}.")
    worth = max(repaired, key=lambda kind: repaired[kind]["mean"])
    parts.append(f"Repairing all {MANY[worth]} would raise PCK@0.2·torso to {spoken(repaired[worth])}.")
    stacked = {block["weights"]: block["stacks"] for block in of.values() if len(block["stacks"]) > 1}
    for name, stacks in stacked.items():
        gone = max(KINDS[1:], key=lambda kind: stacks[0]["kinds"][kind]["mean"] - stacks[-1]["kinds"][kind]["mean"])
        before, after = stacks[0]["kinds"][gone], stacks[-1]["kinds"][gone]
        parts.append(
            f"From the first stack of {name} to the last, {MANY[gone]} fall most: from {spoken(before)} to {spoken(after)} of all joints."
        )
    if metrics["ablations"]:
        whole = metrics["ablations"]["nothing"]["kinds"]
        more = {group: block["kinds"]["miss"]["mean"] for group, block in metrics["ablations"].items() if group != "nothing"}
        worst = max(more, key=more.__getitem__, default=None)
        if worst:
            block = metrics["ablations"][worst]["kinds"]
            which = "all skip connections at their means" if worst == "all" else f"{worst} at its mean"
            parts.append(
                f"With {which}, misses change from {spoken(whole['miss'])} to {spoken(block['miss'])} of all joints and inversions from "
                f"{spoken(whole['inversion'])} to {spoken(block['inversion'])}."
            )
    return " ".join(parts)


def robustness(metrics: Mapping[str, Any]) -> str:
    block = metrics["robustness"]
    families = block["families"]
    first = {
        name: next((step["level"] for step in family["levels"] if step["change"]["high"] < 0), None) for name, family in families.items()
    }
    parts = [f"On the unchanged view {spoken(block['clean'])} of the joints of {block['clean']['people']:,} people are found."]
    mild = [name for name, level in first.items() if level is not None and level == families[name]["levels"][0]["level"]]
    never = [name for name, level in first.items() if level is None]
    if mild:
        parts.append(f"Already the mildest level clearly lowers the score for {listed(mild)}.")
    if never:
        parts.append(f"With so few people no level of {listed(never)} clearly lowers the score.")
    worst = min(families, key=lambda name: families[name]["levels"][-1]["pck"]["mean"])
    parts.append(f"The score is lowest at the last level of {worst}, {spoken(families[worst]['levels'][-1]['pck'])}.")
    moved = {name: family["code at loss"] for name, family in families.items() if family["code at loss"] is not None}
    if moved:
        most, least = max(moved, key=moved.__getitem__), min(moved, key=moved.__getitem__)
        parts.append(
            f"At the level that loses a quarter of the joints found, the code has moved most for {most}, by {number(moved[most])} of the "
            f"distance between two people, and least for {least}, by {number(moved[least])}."
        )
        if rest := [name for name in families if name not in moved]:
            parts.append(f"No level of {listed(rest)} loses a quarter.")
    return " ".join(parts)


def indices(metrics: Mapping[str, Any]) -> str:
    block = metrics["indices"]
    table, controls, even = block["table"], block["controls"], block["even"]
    methods = [name for name in table if name not in controls]
    parts = []
    for index, word in (("foreground", "on the person"), ("locality", "near the joint"), ("relation", "near other joints")):
        known = [name for name in methods if table[name][index]["mean"] is not None]
        if not known:
            continue
        best = max(known, key=lambda name: table[name][index]["mean"])
        parts.append(f"{best[0].upper()}{best[1:]} has the largest share {word}, {share(table[best][index])}; a uniform map has "
                     f"{number(100 * even[index], 0)} %, edges have {share(table['edges'][index])}.")  # fmt: skip
    if known := [name for name in methods if not unknown(table[name]["diffusion"]["mean"])]:  # others have only maps of zeros
        best = min(known, key=lambda name: table[name]["diffusion"]["mean"])
        parts.append(f"{best[0].upper()}{best[1:]} has the most concentrated maps, with a diffusion of {ranged(table[best]['diffusion'])}.")
    parts += [f"{name} has no map: {why}." for name, why in block["refused"].items()]
    return " ".join(parts)


def shapley(metrics: Mapping[str, Any]) -> str:
    block = metrics["shapley"]
    joints, effect, own = block["joints"], block["effect"], block["own"]
    size = range(len(joints))
    pairs = [(a, b) for a in size for b in size if a != b and effect["low"][a][b] is not None and effect["low"][a][b] > 0]
    pairs.sort(key=lambda pair: -effect["mean"][pair[0]][pair[1]])
    parts = [
        f"Over {block['people']} people, {share(own)} of the gain from showing all joints is due to the joint itself, the rest to other "
        "joints."
    ]
    if pairs:
        named = [f"{joints[a]} for {joints[b]} {number(100 * effect['mean'][a][b], 0)}" for a, b in pairs[:3]]
        parts.append(
            f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'} of different joints have values clearly above 0; the largest, in "
            f"hundredths of the torso: {listed(named)}."
        )
    else:
        parts.append("With so few people no pair of different joints has a value clearly above 0.")
    alike = block["agreement"]
    if alike["mean"] is None:
        parts.append("Too few pairs are known for a comparison with the dependency matrix.")
    else:
        related = "orders that are related but not the same" if alike["low"] > 0 else "no clearly related order"
        same = "much the same order" if alike["low"] > 0.5 else related
        parts.append(
            f"Shapley values and the dependency matrix rank the pairs in {same}: rank correlation {ranged(alike)}, p = {alike['p']:.2g}."
        )
    return " ".join(parts)


def verdicts(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Question to answer, for the table beside the other edition's."""
    metrics = comparable(metrics)
    scores = metrics["confidence"]
    kind, part = most_errors(metrics)
    moved = {
        name: family["code at loss"] for name, family in metrics["robustness"]["families"].items() if family["code at loss"] is not None
    }
    joints = metrics["visibility"]["joints"]
    ranks = {name: block for name, block in scores["ranking"].items() if block["mean"] is not None}
    best = max(ranks, key=lambda name: ranks[name]["mean"], default=None)
    return {
        "Network": f"{metrics['network']}, {scores['people']:,} test people",
        **{f"Calibration error, {way}": ranged(block, 3) for way, block in scores["errors"].items()},
        "Ranks best (AUROC)": f"{best}, {ranged(ranks[best])}" if best else "nothing to rank",
        f"Within the {100 * scores['level']:g} % radius": spoken(scores["held"]),
        "Hidden joints predicted from the code above chance": (
            f"{sum(ways['code']['low'] > 0.5 for ways in joints.values())} of {len(joints)} joints" if joints else "not marked in the data"
        ),
        "Most frequent error": "none" if part["mean"] is None else f"{kind}, {spoken(part)} of joints not found",
        "Corruption that moves the code most where a quarter of the joints is lost": (
            f"{(most := max(moved, key=moved.__getitem__))}, {number(moved[most])}" if moved else "no family costs so much"
        ),
        "A joint's own share of its Shapley values": spoken(metrics["shapley"]["own"]),
        "Shapley values against the dependency matrix": (
            "too few pairs" if metrics["shapley"]["agreement"]["mean"] is None else ranged(metrics["shapley"]["agreement"])
        ),
    }  # fmt: skip
