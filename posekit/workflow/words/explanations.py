"""What the chapter on attribution says, from its metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from posekit.workflow.words import blank, by_inner_name, comparable, listed, number, percent, ranged, side_by_side, spoken

Row = dict[str, str]
HEADINGS = {
    "other side": "other side",
    "deletion": "deletion",
    "insertion": "insertion",
    "pointing": "points at the joint",
    "on limbs": "on its limbs",
}  # fmt: skip


def cascade_rows(cascade: Mapping[str, Any], controls: Sequence[str]) -> list[Row]:
    """A row for each method and control but the fixed noise: its verdict and likeness at each step."""
    rows = []
    for label, by_level in cascade["alike"].items():
        if label != "noise":
            given = {
                f"+ {level}": f"{cascade['verdicts'][label][level]}, {ranged(block)}" if label not in controls else ranged(block)
                for level, block in by_level.items()
            }
            rows.append({"": f"{label}: control" if label in controls else label} | given)
    return rows


def test_rows(
    cascade: Mapping[str, Any], tests: Mapping[str, Any], faults: Mapping[str, Sequence[str]], controls: Sequence[str]
) -> list[Row]:
    """A row for each method and control: what speaks against it, and its number in each test."""
    at, last = cascade["decided at"], cascade["levels"][-1]
    rows = []
    for label, blocks in tests.items():
        against = ["control"] if label in controls else faults[label]
        by_level = cascade["alike"][label]
        row = {"": f"{label}: {', '.join(against)}" if against else label, f"cascade, + {at}": ranged(by_level[at])}
        row |= {"random weights": ranged(by_level[last])}
        rows.append(row | {HEADINGS[test]: ranged(block) for test, block in blocks.items()})
    return rows


def maximised_label(name: str, block: Mapping[str, float]) -> str:
    """Below a picture: its score and that of the best person, in standard deviations over people."""
    return f"{name}\n{number(block['made'], 2)} sd ({number(block['best'], 2)})"


def hundredths(block: Mapping, digits: int = 1) -> str:
    """A mean with its interval in hundredths."""
    return ranged(percent(block), digits)


def of_verdict(metrics: Mapping[str, Any], verdict: str) -> list[str]:
    """The methods of a verdict at the step that decides, those that keep most first."""
    cascade = metrics["cascade"]
    found = [label for label in metrics["methods"] if cascade["verdicts"][label][cascade["decided at"]] == verdict]
    return sorted(found, key=lambda label: -cascade["at"][label]["mean"])


def sentences(metrics: Mapping[str, Any], data: str) -> dict[str, str]:
    """Every sentence of the chapter, by the name that its page has for it."""
    metrics, count = comparable(metrics), metrics["people"]
    return {
        "answer": answer(metrics),
        "network": metrics["network"],
        "people": f"{count:,} {'mannequins' if metrics['rendered'] else 'people'}",
        "seen": metrics["seen"],
        "limit": number(metrics["cascade"]["limit"], 1),
        "step": f"+ {metrics['cascade']['decided at']}",
        "decides": decides(metrics["cascade"]),
        "drawn": str(metrics["cascade"]["worst"]["people"]),
        "limbs": "*On its limbs*. How much of the map lies on the silhouettes of the visible limbs that end in the joint?"
        if metrics["rendered"]
        else "*On its limbs*: only mannequins have exact silhouettes, so this test is in the edition of mannequins only.",
        "targets": targets(metrics),
        "cascade": cascade_words(metrics),
        "tests": test_words(metrics),
        "controls": control_words(metrics),
        "gradcam": cam_words(metrics),
        "dependency": dependency_words(metrics),
        "blank": blank(metrics["dependency"]["effect"]["mean"], "too few people in whom the two joints lie far enough apart"),
        "maximised": maximised_words(metrics),
        "patches": patch_words(metrics),
        "table": side_by_side("07_explanations", data, verdicts(metrics)),
    }


def decoder(cascade: Mapping[str, Any]) -> bool:
    """Whether the step that decides ends at a decoder, as an hourglass's does; of other networks it is the last step."""
    return cascade["decided at"].startswith("decoder")


def decides(cascade: Mapping[str, Any]) -> str:
    if decoder(cascade):
        return (
            "There the head and the decoder of the last stack are random, so that no joint identity survives: what remains of a map "
            "comes from the layers below, which are not specific to any joint."
        )
    return "There all weights are random: this network does not say where its decoder ends."


def steps(cascade: Mapping[str, Any]) -> dict[str, str]:
    """The rows of the figure of the worst method, and the step of each."""
    last = {"random\nweights": cascade["levels"][-1]}
    return {"random head\nand decoder": cascade["decided at"]} | last if decoder(cascade) else last


def answer(metrics: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    failing, cascade = of_verdict(metrics, "fails"), metrics["cascade"]
    if not failing:
        most = cascade["worst"]
        return (
            f"**No method clearly fails the cascade**: {most['method']} keeps most of its order, a rank correlation of "
            f"{number(most['mean'])}."
        )
    most = cascade["at"][failing[0]]["mean"]
    return (
        f"**{len(failing)} of {len(metrics['methods'])} kinds of maps {'stays' if len(failing) == 1 else 'stay'} much the same after the "
        f"network has lost every joint identity.** The maps of {failing[0]} then have a rank correlation of {number(most)} with those of "
        "the trained network."
    )


def targets(metrics: Mapping[str, Any]) -> str:
    order = sorted(metrics["targets"].items(), key=lambda item: -item[1]["mean"])
    fewer = {label: f" (over {block['people']}; the maps of the others are empty)" for label, block in order
             if block["people"] < metrics["people"]}  # fmt: skip
    parts = [f"{ranged(block)} for the {label}{fewer.get(label, '')}" for label, block in order]
    return (
        f"The choice of target matters. The rank correlation of each map with that of the window, over {metrics['people']} people, is "
        f"{listed(parts)}."
    )


def cascade_words(metrics: Mapping[str, Any]) -> str:
    cascade = metrics["cascade"]
    at, worst = cascade["at"], cascade["worst"]
    there = "With head and decoder random" if decoder(cascade) else "With all weights random"
    named = {verdict: of_verdict(metrics, verdict) for verdict in ("fails", "undecided", "passes")}
    parts = []
    if named["fails"]:
        most = [f"{label} {ranged(at[label])}" for label in named["fails"]]
        one = len(most) == 1
        parts.append(f"{there}, {len(most)} of {len(metrics['methods'])} methods {'fails' if one else 'fail'}: {listed(most)}.")
    else:
        parts.append(
            f"{there}, no method clearly fails; {worst['method']} keeps most, {ranged(worst)} (interval corrected for "
            f"{len(metrics['methods'])} methods)."
        )
    if named["undecided"]:
        parts.append(f"Undecided: {listed(named['undecided'])}.")
    if named["passes"]:
        parts.append(f"Passed: {listed(named['passes'])}.")
    last = cascade["levels"][-1]
    end = [label for label in metrics["methods"] if cascade["verdicts"][label][last] == "fails"]
    if not decoder(cascade):
        pass
    elif named["fails"] and not end:
        parts.append("With all weights random no method fails: a test with the fully random network alone would have found none of these.")
    elif end:
        parts.append(f"With all weights random, {listed(end)} still {'fails' if len(end) == 1 else 'fail'}.")
    raw = metrics["cascade, distance not taken off"]
    most = max(metrics["methods"], key=lambda label: raw[label]["mean"])
    parts.append(
        f"If the distance is not partialled out, maps of random networks look more alike: at the end of the cascade {most} then has "
        f"{ranged(raw[most])}."
    )
    return " ".join(parts)


def best(metrics: Mapping[str, Any], test: str) -> str:
    """The method that does best in a test."""
    return max(metrics["methods"], key=lambda label: metrics["tests"][label][test]["mean"] * (-1 if test == "deletion" else 1))


def test_words(metrics: Mapping[str, Any]) -> str:
    tests, named = metrics["tests"], {test: best(metrics, test) for test in ("deletion", "insertion", "pointing")}
    text = (
        f"{named['deletion'][0].upper()}{named['deletion'][1:]} is best in deletion, {ranged(tests[named['deletion']]['deletion'])}, and "
        f"{'also' if named['insertion'] == named['deletion'] else named['insertion']} in insertion, "
        f"{ranged(tests[named['insertion']]['insertion'])}. {named['pointing'][0].upper()}{named['pointing'][1:]} points best: its peak "
        f"lies on {spoken(tests[named['pointing']]['pointing'])} of the joints."
    )
    sides = [label for label in metrics["methods"] if tests[label]["other side"]["low"] > metrics["cascade"]["limit"]]
    if sides:
        who = f"all {len(sides)}" if len(sides) == len(metrics["methods"]) > 1 else listed(sides)
        text += (
            f" For the left and the right joint, {who} {'draws' if len(sides) == 1 else 'draw'} much the same map: the whole "
            f"interval of the rank correlation lies above {number(metrics['cascade']['limit'], 1)}."
        )
    if metrics["code"] in metrics["refused"]:
        text += f" At the code, {metrics['code']}, Grad-CAM is not possible: at this resolution the code is a single cell."
    if missing := metrics.get("impossible", {}):
        reasons = {reason: [label for label in missing if missing[label] == reason] for reason in missing.values()}
        text += "".join(f" Not tested: {listed(labels)}; {reason}." for reason, labels in reasons.items())
    return text


def control_words(metrics: Mapping[str, Any]) -> str:
    own = metrics["tests"]["the answer"]
    text = (
        f"The control shows what these numbers are worth. The joint's own heatmap points at {spoken(own['pointing'])} of the joints and "
        f"reaches {ranged(own['deletion'])} in deletion and {ranged(own['insertion'])} in insertion. "
    )
    lead = {label: metrics["better than the answer"][label]["deletion"] for label in metrics["methods"]}
    ahead = [f"{label} (by {ranged(block, 3)})" for label, block in lead.items() if block["low"] > 0]
    text += (
        f"{listed(ahead)[0].upper()}{listed(ahead)[1:]} {'is' if len(ahead) == 1 else 'are'} clearly better than this heatmap in deletion. "
        if ahead
        else "No method is clearly better than this heatmap in deletion. "
    )
    weak = [label for label, faults in metrics["faults"].items() if "not clearly better than edges" in faults]
    return text + (
        f"By 95 % intervals of the difference on the same people, {listed(weak)} {'is' if len(weak) == 1 else 'are'} not clearly better "
        "than edges in deletion or in insertion."
        if weak
        else "Every method is better than edges in deletion or in insertion: the 95 % interval of the difference on the same people lies "
        "above 0."
    )


def cam_words(metrics: Mapping[str, Any]) -> str:
    found = by_inner_name(metrics["gradcam"])
    if not found:
        return "At this resolution every layer has a single cell or is no map, so Grad-CAM has no maps here."
    top = max(found, key=lambda name: found[name]["pointing"]["mean"])
    text = (
        f"Grad-CAM points best at *{top}*: there its peak lies on {spoken(found[top]['pointing'])} of the joints."
        if found[top]["pointing"]["low"] > 0
        else "Grad-CAM clearly points at the joint at no layer."
    )
    if any(block["empty"] > 0.05 for block in found.values()):
        text += " A map is empty where no value is positive; its correlation counts as 0."
    rows = [
        f"| {name} | {spoken(block['pointing'])} | {ranged(block['like the answer'])} | {100 * block['empty']:.0f} % |"
        for name, block in found.items()
    ]
    rows = ["| layer | peak on the joint | rank correlation with the joint's heatmap | empty maps |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([text, "", *rows])


def pairs(metrics: Mapping[str, Any], count: int = 4) -> list[tuple[int, int]]:
    """The pairs (hidden, moved) of the largest effects whose intervals lie above 0."""
    effect, joints = metrics["dependency"]["effect"], range(len(metrics["dependency"]["joints"]))
    known = [(a, b) for a in joints for b in joints if a != b and effect["mean"][a][b] is not None and (effect["low"][a][b] or 0) > 0]
    return sorted(known, key=lambda pair: -effect["mean"][pair[0]][pair[1]])[:count]


def pair_words(metrics: Mapping[str, Any], pair: tuple[int, int]) -> str:
    joints, effect = metrics["dependency"]["joints"], metrics["dependency"]["effect"]
    block = {end: effect[end][pair[0]][pair[1]] for end in ("mean", "low", "high")}
    return f"with the {joints[pair[0]]} hidden, the {joints[pair[1]]} moves by {hundredths(block, 0)}"


def counts(metrics: Mapping[str, Any]) -> tuple[int, int, int]:
    """Of pairs of different joints: how many are known, have an effect above 0, and one below."""
    effect, size = metrics["dependency"]["effect"], len(metrics["dependency"]["joints"])
    known = [(a, b) for a in range(size) for b in range(size) if a != b and effect["mean"][a][b] is not None]
    up, down = (sum(test(effect, a, b) for a, b in known) for test in (_above, _below))
    return len(known), up, down


def _above(effect: Mapping, a: int, b: int) -> bool:
    return effect["low"][a][b] is not None and effect["low"][a][b] > 0


def _below(effect: Mapping, a: int, b: int) -> bool:
    return effect["high"][a][b] is not None and effect["high"][a][b] < 0


def agreement(block: Mapping) -> str:
    return "too few pairs" if block["mean"] is None else f"{ranged(block)}, p = {block['p']:.2g}, {block['pairs']} pairs"


def leaders(metrics: Mapping[str, Any]) -> list[str]:
    """Joints, those whose hiding moves the others most first."""
    influence = metrics["dependency"]["on the others"]
    return sorted(influence, key=lambda joint: -influence[joint]["mean"])


def _median(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    middle = len(known) // 2
    return None if not known else known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def dependency_words(metrics: Mapping[str, Any]) -> str:
    found = metrics["dependency"]
    size = range(len(found["joints"]))
    own, raw = (_median([matrix[k][k] for k in size]) for matrix in (found["effect"]["mean"], found["moved"]))
    parts = []
    if own is not None and raw is not None:
        parts.append(
            f"A joint that is itself hidden moves by {number(100 * own, 0)} hundredths of the torso's length beyond the control (median "
            f"over joints; {number(100 * raw, 0)} before the control is subtracted)."
        )
    known, up, down = counts(metrics)
    parts.append(
        f"Of {known} pairs of different joints with enough people to tell, {up} have an effect whose interval lies above 0, and {down} "
        "one whose interval lies below 0."
    )
    if down:
        parts.append("In the latter pairs, hiding other parts of the person moves the joint more.")
    if order := leaders(metrics):
        moved = hundredths(found["on the others"][order[0]], 1)
        parts.append(f"The other joints depend most on the {order[0]}: hiding it moves them by {moved} hundredths of the torso on average.")
    strongest = pairs(metrics, 1)
    if strongest:
        parts.append(f"The strongest effect, in hundredths of the torso: {pair_words(metrics, strongest[0])}.")
    parts.append(f"The mean effect on the same joint of the other side is {hundredths(found['other side'], 1)}.")
    near = found["closeness"]
    falls = near["mean"] is not None and near["low"] > 0 and near["p"] < 0.05
    follow = "Effects fall with the number of limbs between two joints"
    follow = follow if falls else "Closeness along the limbs does not clearly order the effects"
    parts.append(f"{follow} (rank correlation with closeness {agreement(near)} that a path along limbs joins).")
    parts.append(f"The effects of A on B and of B on A have a rank correlation of {agreement(found['both ways'])}.")
    if (found["both ways"]["pairs"] or 0) > known:
        parts.append("Rank correlations also count pairs with fewer people.")
    return " ".join(parts)


def beyond(metrics: Mapping[str, Any]) -> list[str]:
    """Targets that the made picture excites more than any person does."""
    return [name for name, block in metrics["maximised"].items() if block["made"] is not None and block["made"] > block["best"]]


def maximised_words(metrics: Mapping[str, Any]) -> str:
    relative, above = metrics["maximised"], beyond(metrics)
    text = f"{len(above)} of {len(relative)} such pictures excite their target more than any of {metrics['compared with']} people does. "
    falls = [name for name in relative if name not in above and relative[name]["made"] is not None]
    text += f"The exceptions: {listed(falls)}. " if falls else ""
    if same := [name for name, block in relative.items() if block["made"] is None]:
        text += f"A target that is the same for all people: {listed(same)}. "
    along = [block["made"] for name, block in relative.items() if name.startswith("component") and block["made"] is not None]
    text += (
        f"Along the principal components they reach {number(min(along), 1)} to {number(max(along), 1)} standard deviations, along a "
        f"random direction {number(relative['random direction']['made'], 1)}."
    )
    if min(along) > 3:
        text += " Codes of people do not reach as far: the pictures show what can drive the network, not what it usually sees."
    return text


def patch_words(metrics: Mapping[str, Any]) -> str:
    if not metrics["excited"]:
        return f"This figure cannot be made for {metrics['network']}: {metrics['impossible']['deconvnet']}."
    table = ["| channel | mean of the nine | mean of all people |", "| --- | --- | --- |"]
    table += [f"| {name} | {number(block['nine'], 1)} | {number(block['all'], 1)} |" for name, block in metrics["excited"].items()]
    outlines, against = metrics["projections like edges"], metrics["faults"]["deconvnet"]
    text = (
        "Part of the projections is the picture's edges: their strengths have a rank correlation of "
        f"{ranged(outlines)} with edges, over the {outlines['people']} projections shown. "
    )
    said = listed([f"is {fault}" if fault.startswith("not ") else fault for fault in against])
    text += f"In the tests above the deconvnet {said}." if against else "No test above speaks against the deconvnet."
    text += " The table has the channel's activation at the strongest cell."
    return "\n".join([text, "", *table])


def verdicts(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Question to answer, for the table beside the other edition's."""
    metrics = comparable(metrics)
    cascade, tests, own = metrics["cascade"], metrics["tests"], metrics["tests"]["the answer"]
    known, up, _ = counts(metrics)
    weak = [label for label, faults in metrics["faults"].items() if "not clearly better than edges" in faults]
    order, influence, strongest = leaders(metrics), metrics["dependency"]["on the others"], pairs(metrics, 1)
    found = {"Network": f"{metrics['network']}, {metrics['people']} people, one joint each"}
    for label in metrics["methods"]:
        blocks = {
            "cascade": cascade["at"][label], "all weights random": cascade["alike"][label][cascade["levels"][-1]],
            "deletion": tests[label]["deletion"], "insertion": tests[label]["insertion"],
        }  # fmt: skip
        found[label] = "; ".join(f"{name} {ranged(block)}" for name, block in blocks.items())
    named = {test: best(metrics, test) for test in ("deletion", "insertion", "pointing")}
    return found | {
        ("Fail the cascade (head and decoder random)" if decoder(cascade) else "Fail the cascade (all weights random)"): listed(
            of_verdict(metrics, "fails")
        )
        or "none",
        "Undecided in it": listed(of_verdict(metrics, "undecided")) or "none",
        "Not clearly better than edges in deletion or insertion": listed(weak) or "none",
        **{
            f"Best in {test}": f"{named[test]}, {ranged(tests[named[test]][test])}; the joint's own heatmap {ranged(own[test])}"
            for test in ("deletion", "insertion")
        },
        "Best at pointing": f"{named['pointing']}, {spoken(tests[named['pointing']]['pointing'])}; the joint's own heatmap "
        f"{spoken(own['pointing'])}",
        "Pairs of joints with an effect beyond the control": f"{up} of {known}, from {metrics['dependency']['people']} people",
        "Joints whose hiding moves the others most (hundredths of the torso)": "; ".join(
            f"{joint} {hundredths(influence[joint], 1)}" for joint in order[:3] if influence[joint]["low"] > 0
        )
        or "none",
        "Strongest pair (hundredths of the torso)": pair_words(metrics, strongest[0]) if strongest else "none",
        "Effects follow closeness along the limbs": agreement(metrics["dependency"]["closeness"]),
        "Made pictures beyond any person": f"{len(beyond(metrics))} of {len(metrics['maximised'])}",
    }
