"""What the chapter on causes says, from its metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from posekit.workflow.words import comparable, listed, number, percent, ranged, share, side_by_side, unknown
from posekit.workflow.words.training import DATA

Block = Mapping[str, float]
FACTORS = {
    "left arm": "the left arm's position", "trunk lean": "the lean of the trunk", "heading": "the heading",
    "sides": "the sides of the limbs", "size": "the person's size",
}  # fmt: skip
CARRIES = {"carries": "carries it", "goes along": "correlates without carrying it", "undecided": "undecided"}  # the heading
NEAR = 0.05  # of the picture's side: `posekit.interpret.activations.patching.NEAR`
STILL = 5e-4  # of the side: what rounds to 0.0 percent does not move
CLOSE = 0.05  # of CKA: an untrained network that is this near to another seed's is as alike for all a reader can tell
DOUBTFUL = 0.1  # a probe that explains less of the variance than this reads nothing worth a comparison


def feature_rows(features: Mapping[str, Mapping]) -> list[dict[str, str]]:
    """A row for each hook point and way of writing cells."""
    rows = []
    for point, found in features.items():
        for name, explained in found["explained"].items():
            stable = found["stability"][name]
            areas = known(found["areas"][name])
            rows.append({
                "hook point": point, "": name, "variance explained (%)": number(100 * explained, 0),
                "dead (%)": number(100 * found["dead"], 0) if name == "sparse autoencoder" else "",
                "agreement of halves": f"{number(stable['mean'])} (chance {number(stable['chance'])})",
                "marks a joint, AUROC": number(sum(areas) / len(areas)) if areas else "",
            })  # fmt: skip
    return rows


def patched_row(factor: str, part: str, follow: Block, toward: Block, aside: Block) -> dict[str, str]:
    """A row of what became of answers to A with a part of B's."""
    return {
        "factor": factor, "patched": part, "follow B (%)": ranged(percent(follow), 0), "way towards B": ranged(toward),
        "beside the way (% of the side)": ranged(percent(aside), 1),
    }  # fmt: skip


def known(values: Sequence[float | None]) -> list[float]:
    """The values that are numbers."""
    return [value for value in values if value is not None and not unknown(value)]


def sentences(metrics: Mapping[str, Any], data: str) -> dict[str, str]:
    """Every sentence of the chapter, by the name that its page has for it."""
    metrics = comparable(metrics)
    return {
        "answer": answer(metrics),
        "network": metrics["network"],
        "data": "the mannequins" if metrics["source"] == "mannequins" else "the photographed people",
        "pairs": f"There are {metrics['pairs']} pairs of each factor, and three times as many of *left arm* and *sides*; no network was "
        "trained on these mannequins.",
        "readers": f"{metrics['readers']:,}",
        "controls": str(metrics["controls"]),
        "atoms": str(metrics["atoms"]),
        "active": str(metrics["active"]),
        "arm": arm(metrics),
        "joints": joints(metrics),
        "factors": f"{factors(metrics)} {groups(metrics)}".strip(),
        "sides": sides(metrics),
        "nuisance": nuisance(metrics),
        "between": between(metrics),
        "probes": probes(metrics),
        "heading": heading(metrics),
        "sparse": sparse(metrics),
        "removed": removed(metrics),
        "alike": alike(metrics),
        "epochs": epochs(metrics),
        "epochs_count": str(metrics["epochs"]["count"]),
        "table": side_by_side("12_causes", data, verdicts(metrics)),
    }


def measured(block: Block | None) -> bool:
    """Whether a block holds a number."""
    return block is not None and not unknown(block["mean"])


def whole(part: str) -> bool:
    """Whether a part is so much of the network that an answer has to follow."""
    return part.startswith(("all skips", "hand-over"))


def carrier(difference: Block | None) -> str:
    """Which of the two carries a factor, by how many more joints follow the code than the skip connections."""
    if not measured(difference):
        return "unknown"
    assert difference is not None
    return "code" if difference["low"] > 0 else "skips" if difference["high"] < 0 else "undecided"


def answer(metrics: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    lands = metrics["arm"]["lands"]
    code = lands.get("code", {}).get("B")
    through = carrier(metrics["arm"]["code over skips"])
    if through == "skips":
        skips = share(lands["all skips"]["B"])
        return (
            "**An arm's position travels through the skip connections**: with those of another rendered picture patched in, "
            f"{skips} of left elbows and wrists follow that picture."
        )
    if not measured(code):
        return "**The network predicts the same wherever the arm is**, so no patch can show through what its position travels."
    follow = f"that of another picture patched in, {share(code)} of left elbows and wrists follow that picture."
    if through == "code":
        return f"**An arm's position travels through the code**: with {follow}"
    if through == "undecided":
        return (
            "**Whether an arm's position travels through the code or through the skip connections is undecided**: with the code "
            f"replaced by {follow}"
        )
    return f"**What the code carries of an arm's position**: with {follow}"


def arm(metrics: Mapping[str, Any]) -> str:
    found = metrics["arm"]
    lands = {part: block for part, block in found["lands"].items() if measured(block["B"])}
    if not lands:
        return "The network predicts the same for A and B, so nothing can be concluded."
    single = [part for part in lands if not whole(part)]
    most = max(single, key=lambda part: lands[part]["B"]["mean"])
    parts = [
        f"In {found['pairs']} pairs the network finds the elbow or the wrist in both pictures.",
        *([f"In {judged(metrics, 'left arm')} of them the two predictions are far enough apart."] if judged(metrics, "left arm") else []),
        f"Of single parts, {most} has the largest effect: {share(lands[most]['B'])} of joints follow.",
    ]
    if "all skips" in lands:
        parts.append(f"With all skip connections patched, {share(lands['all skips']['B'])} follow.")
        if "code" in lands:
            parts.append(f"With the code patched, {share(lands['code']['B'])} follow.")
        total = sum(lands[part]["B"]["mean"] for part in found["skips"] if part in lands)
        if total < lands["all skips"]["B"]["mean"] - 0.1:
            parts.append("Together the skip connections have a larger effect than the sum of their single effects.")
    broken = max(single, key=lambda part: lands[part]["elsewhere"]["mean"])
    if lands[broken]["elsewhere"]["mean"] >= 0.1:
        parts.append(f"Joints land elsewhere most often when {broken} is patched: {share(lands[broken]['elsewhere'])}.")
    return " ".join(parts)


def judged(metrics: Mapping[str, Any], factor: str) -> int | None:
    """In how many pairs a joint can be told to follow or not; None where a run did not keep it."""
    return metrics.get("judged", {}).get(factor)


def joints(metrics: Mapping[str, Any]) -> str:
    """Which joints are shown one by one, and on how few pairs each rests."""
    found = metrics.get("judged joints", {})
    shown = [count for count in found.values() if count >= metrics["least"]]
    if not found:
        return ""
    few = f"each is found in both pictures, and predicted far enough apart, in fewer than {metrics['least']} pairs of different heading"
    if not shown:
        return f"No joint is shown: {few}."
    pairs = f"{min(shown)}" if min(shown) == max(shown) else f"{min(shown)} to {max(shown)}"
    left_out = len(found) - len(shown)
    rest = f" The other {left_out} joint{'s are' if left_out > 1 else ' is'} left out: {few}." if left_out else ""
    return f"Each column of {{numref}}`fig-causes-joints` rests on {pairs} pairs only, so its shares are rough.{rest}"


def groups(metrics: Mapping[str, Any]) -> str:
    found = {part: blocks["follow"] for part, blocks in metrics["groups"].items() if measured(blocks["follow"])}
    if not found:
        return ""
    most = max(found, key=lambda part: found[part]["mean"])
    if not found[most]["mean"]:
        return f"None of {len(found)} groups of neighbouring channels of {most.partition(',')[0]} makes a joint of the left arm follow."
    return f"Of the left arm's joints, {share(found[most])} follow {most}, the most of {len(found)} groups of neighbouring channels there."


def factors(metrics: Mapping[str, Any]) -> str:
    strongest: dict[str, list[str]] = {}
    for factor, blocks in metrics["share"].items():
        single = {part: round(100 * block["mean"]) for part, block in blocks.items() if not whole(part) and measured(block)}
        if single:
            most = [part for part, percent in single.items() if percent == max(single.values())]
            strongest.setdefault(f"{listed(most)}{', equally,' if len(most) > 1 else ''}", []).append(FACTORS[factor])
    if not strongest:
        return "No factor moves a prediction."
    found = [f"{part} for {listed(names)}" for part, names in strongest.items()]
    text = f"The single part with the largest effect is {'; it is '.join(found)}."
    named = {factor: blocks for factor, blocks in metrics["share"].items() if {"all skips", "code"} <= set(blocks)}
    both = {factor: (blocks["all skips"], blocks["code"]) for factor, blocks in named.items() if measured(blocks["all skips"])}
    ahead = [FACTORS[factor] for factor, (skips, code) in both.items() if skips["low"] > code["high"]]
    behind = [FACTORS[factor] for factor, (skips, code) in both.items() if skips["high"] < code["low"]]
    if ahead:
        text += f" For {listed(ahead)}, more joints follow all skip connections together than the code."
    if behind:
        text += f" For {listed(behind)}, more joints follow the code than all skip connections together."
    return text


def sides(metrics: Mapping[str, Any]) -> str:
    blocks = metrics["share"]["sides"]
    if not {"all skips", "code"} <= set(blocks) or not measured(blocks["all skips"]):
        return ""
    skips, code = blocks["all skips"], blocks["code"]
    pairs = f" in {count} pairs" if (count := judged(metrics, "sides")) else ""
    numbers = f"when sides are exchanged, {share(code)} of joints{pairs} follow the code and {share(skips)} follow all skip connections"
    return {
        "skips": f"Left and right come from the skip connections more than from the code: {numbers}.",
        "code": f"Left and right come from the code more than from the skip connections: {numbers}.",
    }.get(carrier(metrics["sides"]), f"Whether left and right come from the code or from the skip connections is undecided: {numbers}.")


def nuisance(metrics: Mapping[str, Any]) -> str:
    parts = [f"{ranged(percent(block), 1)} for {factor}" for factor, block in metrics["nuisance"].items()]
    return (
        f"Three factors should move no joint. Yet predictions move by {listed(parts)}, in percent of the picture's side, against "
        f"{100 * NEAR:.0f} percent within which a joint counts as following."
    )


def between(metrics: Mapping[str, Any]) -> str:
    found = {part: block for part, block in metrics["between"].items() if measured(block["B"])}
    if not found:
        return "The network predicts the same for everybody, so nothing can be concluded."
    text = f"With the code of another person {share(found['code']['B'])} of joints follow that person." if "code" in found else ""
    if "all skips" in found:
        text += f" With all skip connections of another person {share(found['all skips']['B'])} do."
    most = max(block["elsewhere"]["mean"] for block in found.values())
    broken = [part for part, block in found.items() if block["elsewhere"]["mean"] == most]  # A with B's code is B with A's skips
    return f"{text} Joints land elsewhere most often with {' or '.join(broken)} patched: {share(found[broken[0]]['elsewhere'])}.".strip()


def probes(metrics: Mapping[str, Any]) -> str:
    parts, unused = [], []
    for factor, used in metrics["used"].items():
        if used["r2"] is None or used["r2"] < DOUBTFUL or not measured(used):
            continue
        parts.append(f"| {FACTORS[factor]} | {used['part']} | {number(used['r2'])} | {share(used)} |")
        if used["high"] < 0.5:
            unused.append(FACTORS[factor])
    if not parts:
        return "No probe predicts a factor well enough for a comparison."
    text = (
        f"The table has, for each factor that a probe predicts with an R² of at least {DOUBTFUL}, the hook point at which a probe is best, "
        "and the patch there."
    )
    if unused:
        text += (
            f" For {listed(unused)}, less than half of the joints follow that patch: the prediction does not rest mainly on what is read "
            "there."
        )
    heading = ["| factor | best hook point | R² of the probe | joints that follow its patch |", "| --- | --- | --- | --- |"]
    return "\n".join([text, "", *heading, *parts])


def heading(metrics: Mapping[str, Any]) -> str:
    found = metrics["heading"]
    own, r = found["own"], number(found["r"])
    if not measured(own):
        return "No prediction differs between the headings, so nothing can be concluded."
    whole = found["carried"]["the whole code"]
    component = f"Component {found['component']} of these mannequins’ codes correlates with the heading (r = {r})"
    few = "the pairs" if unknown(own["low"]) else f"{metrics['controls']} random directions"
    verdict = {
        "carries": f"{component} and carries part of it: with it patched, predictions go {share(own)} of the way from A to B.",
        "goes along": (
            f"{component} but does not carry it: with it patched, predictions go {share(own)} of the way from A to B, which is not "
            f"clearly {'farther than along random directions' if own['low'] > 0 else 'more than none'}."
        ),
        "undecided": (
            f"{component}. With it patched, predictions go {share(own)} of the way from A to B; {few} are too few to judge that."
        ),
    }[carries(own)]
    return f"{verdict} With the whole code patched, they go {share(whole)} of the way."


def carries(own: Mapping[str, Any]) -> str:
    """Whether a direction carries a factor: its patch moves answers towards B, and more than random directions do."""
    if unknown(own["p"]) or unknown(own["low"]):
        return "undecided"
    return "carries" if own["low"] > 0 and own["p"] < 0.05 else "goes along"


def sparse(metrics: Mapping[str, Any]) -> str:
    parts = []
    for point, found in metrics["features"].items():
        stable, more = found["stability"]["sparse autoencoder"], found["more"]
        firm = "agree on atoms more than" if stable["least"] > stable["chance"] else "agree on atoms no more than"
        text = (
            f"At `{point}`, two trainings on different halves of the cells {firm} random directions do (mean |cosine| "
            f"{number(stable['mean'])}, by chance {number(stable['chance'])})."
        )
        if measured(more):
            mark = "better than" if more["low"] > 0 else "worse than" if more["high"] < 0 else "about as well as"
            differs = f"the area under the ROC curve differs by {ranged(more)}"
            text += (
                f" Whether atoms mark joints better than components do is undecided: {differs}." if unknown(more["low"]) else
                f" Atoms mark joints {mark} components do: {differs} (interval over joints)."
            )  # fmt: skip
        parts.append(text)
    return " ".join(parts)


def removed(metrics: Mapping[str, Any]) -> str:
    found = metrics["removed"]
    if not found:
        return "No joint is marked by an atom here."
    more = found["mean of these"]["more than a random direction"]
    if unknown(more["low"]):
        return "Too few people have the marked joints to say whether the network needs the atoms to find them."
    need = "on average, the network needs these atoms" if more["low"] > 0 else "this does not show that the network needs these atoms"
    text = (
        f"In the mean of the joints, a joint moves by {ranged(percent(more), 1)} percent of the picture's side more without the atom that "
        f"marks it than without a random direction: {need} to find the joints."
    )
    own = [joint for joint, by in found.items() if by["more than others"]["low"] > 0 and joint != "mean of these"]
    which = f"Of the joints, only {_the(own)} clearly {'moves' if len(own) == 1 else 'move'}" if own else "No joint clearly moves"
    still = [joint for joint, by in found.items() if by["its joint"]["high"] < STILL and joint != "mean of these"]
    less = [joint for joint, by in found.items() if by["more than others"]["high"] < 0 and joint not in ("mean of these", *still)]
    behind = f"; {_the(less)} clearly {'moves' if len(less) == 1 else 'move'} less far" if less else ""
    rest = f" Without the atom of {_the(still)}, nothing moves." if still else ""
    return f"{text} {which} farther than other joints do{behind}.{rest}"


def _the(joints: Sequence[str]) -> str:
    return listed(f"the {joint}" for joint in joints)


def alike(metrics: Mapping[str, Any]) -> str:
    names, table = metrics["cka"]["names"], metrics["cka"]["table"]
    trained = [i for i, name in enumerate(names) if not name.startswith("untrained")]
    couples = [(table[i][j], names[i], names[j]) for i in trained for j in trained if i < j and known([table[i][j]])]
    if not couples:
        return "Only one network is here, with nothing to compare it with."
    (most, one, other), (least, third, fourth) = max(couples), min(couples)
    text = (
        f"The codes of *{one}* and *{other}* are most alike (CKA {number(most)}), those of *{third}* and *{fourth}* least alike "
        f"({number(least)})."
    )
    control = known([table[i][names.index("untrained")] for i in trained]) if "untrained" in names else []
    text += f" With the untrained network the highest value is {number(max(control))}." if control else ""
    about = [f"*{name}* ({DATA.get(source, source)}, {size} px)" for name, (source, size) in metrics["cka"].get("trained", {}).items()]
    return f"{text} Data and picture size of each training: {'; '.join(about)}." if about else text


def epochs(metrics: Mapping[str, Any]) -> str:
    """When the arrangement of people at the end of a training arises: names are `untrained`, `epoch N`, ..., and another seed's last."""
    block = metrics["epochs"]
    *states, control = block["names"]
    last = states[-1]
    row = dict(zip(block["names"], block["table"][len(states) - 1], strict=True))
    steps = [name for name in states[1:-1] if known([row[name]])]
    if not steps or not known([row[control]]):
        return "The codes of so short a training cannot be compared."
    text = f"Over {block['people']:,} people, the code after {steps[0]} has a CKA of {number(row[steps[0]])} with that after {last}. "
    text += f"The last epochs from two seeds have {number(row[control])} with each other"
    bare = known([row[states[0]], block["table"][0][-1]])
    text += f"; an untrained network has up to {number(max(bare))} with one of them. " if bare else ". "
    if bare and max(bare) > row[control]:
        return text + "So the end of a training is less like the end of another than like an untrained network."
    if bare and max(bare) > row[control] - CLOSE:
        text += "That is almost as much: the pictures alone, without training, explain most of this likeness. "
    first = next((name for name in steps if row[name] > row[control]), None)
    if first is None:
        return text + "No earlier epoch is more like the last one than the end of the other training is."
    if first == steps[0]:
        return text + f"The code after {first} is already more like that of its own last epoch than the other training's last epoch is."
    return text + f"From {first} on, the code is more like that of its own last epoch than the other training's last epoch is."


def verdicts(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Question to answer, for the table of mannequins and photographs."""
    metrics = comparable(metrics)
    lands, used, own = metrics["arm"]["lands"], metrics["used"], metrics["heading"]["own"]
    words = {"skips": "the skip connections", "code": "the code", "undecided": "undecided", "unknown": "cannot be told"}
    found = {"An arm's position travels through": words[carrier(metrics["arm"]["code over skips"])]}
    for part in ("all skips", "code"):
        if part in lands and measured(lands[part]["B"]):
            found[f"Arm's joints that follow {part}"] = share(lands[part]["B"])
    found["Left and right come from"] = words[carrier(metrics["sides"])]
    if measured(used["left arm"]):
        found["Arm's joints that follow at the hook point that decodes it best"] = (
            f"{share(used['left arm'])} at {used['left arm']['part']}"
        )
    found["The component of the heading"] = CARRIES[carries(own)] if measured(own) else "cannot be told"
    for point, block in metrics["features"].items():
        if measured(block["more"]):
            found[f"Area under the ROC curve at {point.rpartition('.')[2]}, atoms less components"] = ranged(block["more"])
    return found
