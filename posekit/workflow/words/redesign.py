"""What the chapter on the redesigned network says: from the summaries of studies, the live demonstration and the shipped networks."""

from collections.abc import Mapping, Sequence

from posekit.workflow.words import number, spoken
from posekit.workflow.words.studies import ALONE, LEARNED, hollow, relative
from posekit.workflow.words.training import DATA

GOAL = 0.075  # relative, what the thesis gained


def sentences(metrics: Mapping) -> dict[str, str]:
    """By name what the page quotes. `metrics` has "studies" by name, "live", "code", "code people" and "full"."""
    study = metrics["studies"]["redesign"]
    return {
        "answer": answer(study, metrics["full"]),
        "terms": terms(study),
        "live": live(metrics["live"]),
        "progress": progress(study),
        "floor": floor(study),
        "plateau": plateau(study),
        "result": result(study),
        "thesis": thesis(study),
        "own": own(study),
        "random": random(study),
        "dots": dots(study),
        "sizes": sizes(metrics["studies"]),
        "code": code(metrics["code"], metrics["code people"]),
        "full": full(metrics["full"]),
        "table": table(metrics["studies"]),
    }


FROM_ERRORS = ("sharper targets",)  # found without a look inside
SHIPPED = (
    "Each redesign is *all three*, and has at most the parameters and multiply-adds of the network that it is compared with. Its recipe is "
    "that of this network, but for the sharper targets and, where the table says so, the epochs. *lspet-hg1-128px-redesign* was trained "
    "from random weights; *lspet-hg1-redesign* began with the weights of *lspet-hg1-128px-redesign*. "
    "In their last training *lspet-hg1* and its redesign learned from labels that an audit by an earlier *lspet-hg1* had put right. *All "
    "three* was chosen before the study above had named its winner. That winner, *sharper targets*, was then trained in the same way at "
    "192 px; on validation people its PCK was below that of *lspet-hg1* and of its redesign, and it is not shipped."
)


def answer(study: Mapping, full: Mapping[str, Mapping]) -> str:
    """The chapter's answer, of the study's small networks and of the pairs that are shipped, where these were compared."""
    block, winner = study["contrasts"]["winner"], study["winner"]
    if block["why"]:
        return f"**Which helps most is not decided yet**: {block['why']}. {own(study)}"
    if winner == study["reference"]:
        return "**No**: of the redesigns that cost no more than the base, none has a higher PCK on validation people."
    people = "mannequins" if study["source"] == "mannequins" else "photographs"
    what = (
        f"on {people}, the redesign of small networks chosen on validation people, *{winner}*, changes PCK by {relative(block)}, relative, "
        "at no higher cost."
    )
    what += " It follows from the errors alone, without a look inside." if winner in FROM_ERRORS else ""
    if full and not any((pair["relative"]["low"] or 0) > 0 for pair in full.values()):
        what += " Of the shipped networks no redesign gains significantly."
    if block["low"] is None:
        return f"**Not decided**: {what}"
    yes = "A finding about its errors does" if winner in FROM_ERRORS else "Yes"
    return f"**{yes if block['low'] > 0 else 'No' if block['high'] < 0 else 'Undecided'}**: {what}"


def terms(study: Mapping) -> str:
    """What is trained, on whom."""
    base, people = study["variants"][study["reference"]], study["people"]
    text = (
        f"The *base* has {base['parameters']:,} parameters and {base['macs'] / 1e6:.0f} million multiply-adds, and is trained for "
        f"{base['epochs']} epochs"
    )
    if people:
        source = study["source"]
        who = "mannequins" if source == "mannequins" else f"people of {DATA.get(source, source)}"
        text += f" on {people['train']:,} {who}; {people['val']:,} others are for validation and {people['test']:,} for test"
        if 0 < study.get("test people", 0) < people["test"]:
            text += f", of whom {study['test people']:,} have the labelled torso that PCK needs"
    return f"{text}. Each variant is trained from {len(study['seeds'])} seeds."


def live(shown: Mapping) -> str:
    """What the demonstration found, and that it decides nothing."""
    parts = [f"*{name}* finds {percent(network['val'])}" for name, network in shown["networks"].items()]
    bar = LEARNED * shown["floor"]
    low = [f"*{name}*" for name, network in shown["networks"].items() if network["val"] < bar]
    epochs = f"{shown['epochs']} epoch{'s' * (shown['epochs'] != 1)}"
    text = (
        f"After {epochs} over {shown['people']:,} people, one seed each and {shown['seconds']:.0f} seconds in all, {' and '.join(parts)} "
        f"of the validation people's joints; predicting the median pose for everybody finds {percent(shown['floor'])}. **This decides "
        "nothing**: "
    )
    if low:
        return (
            text + f"{_listed(low)} {'scores' if len(low) == 1 else 'score'} less than three times the median pose, and one seed gives no "
            "interval."
        )
    return text + "neither network is at its plateau, and one seed gives no interval."


def progress(study: Mapping) -> str:
    """Which trainings are there and which are missing."""
    missing, seeds = study["missing"], study["seeds"]
    if not missing:
        return f"All {study['trainings']} trainings of the study are complete."
    whole = [name for name, lacking in missing.items() if len(lacking) == len(seeds)]
    part = [f"*{name}* (seed {', '.join(map(str, lacking))})" for name, lacking in missing.items() if len(lacking) < len(seeds)]
    count = sum(map(len, missing.values()))
    text = f"**{count} of {study['trainings']} trainings are missing.** A comparison is decided once all trainings of its networks "
    text += "are complete, the winner once those of all candidates are. "
    if part:
        text += f"Some seeds are missing of {_listed(part)}. "
    if whole:
        text += f"Not trained yet: {'; '.join(f'*{name}*' for name in whole)}."
    return text.strip()


def floor(study: Mapping) -> str:
    """What scores are to be held against."""
    text = "The floor is to predict the median pose of the training people for everybody"
    text += (
        f": it finds {percent(study['floor']['test'])} of the test people's joints. "
        if study["floor"]
        else ", whose score is not kept here. "
    )
    if study["ceiling"] is None:
        return text + "The ceiling, which wrong labels set, is not known."
    wrong = 1 - study["ceiling"]
    return (
        f"{text}The ceiling is set by wrong labels: on {100 * wrong:.0f} % of the limb joints two networks of different training agree "
        f"with each other against the label. If these labels are wrong, a perfect network scores about {100 * study['ceiling']:.0f} %."
    )


def plateau(study: Mapping) -> str:
    """Who is at the plateau, by the rule."""
    trained = {name: block for name, block in study["variants"].items() if block["seeds"]}
    early = [f"*{name}*" for name, block in trained.items() if not block["plateau"]]
    low = [f"*{name}*" for name, block in trained.items() if block["learned"] is False]
    if not trained:
        return "No variant is trained yet."
    text = f"Not at the plateau by this rule: {_listed(early)}." if early else "All trained variants are at their plateau."
    return text + (f" Below three times the median pose's score, and therefore not used: {_listed(low)}." if low else "")


def result(study: Mapping) -> str:
    """Who wins by the rule, and whether the thesis's gain is reached."""
    block, winner = study["contrasts"]["winner"], study["winner"]
    if block["why"]:
        return f"Which redesign wins is not decided yet: {block['why']}."
    if winner == study["reference"]:
        return "By the rule **the base wins**."
    found = against(study["variants"][winner]["difference"])
    text = f"By the rule **{winner}** wins. On the test people it is {found}; relative, {relative(block)}. "
    if block["low"] is None:
        return text + "Whether it gains 7.5 % is undecided: fewer than three trainings give no interval."
    if block["low"] > GOAL:
        return text + "The whole interval lies above the 7.5 % that the thesis gained."
    if block["high"] < GOAL:
        return text + "The whole interval lies below the 7.5 % that the thesis gained."
    return text + "The interval contains the 7.5 % that the thesis gained: whether the gain is as large is undecided."


def thesis(study: Mapping) -> str:
    """The autoencoder and its controls."""
    block = study["contrasts"]["autoencoder"]
    if block["why"]:
        return f"Whether the autoencoder helps is not decided yet: {block['why']}."
    text = f"The *autoencoder* is {against(block, 'the base trained for as many epochs')}."
    wider = study["contrasts"]["autoencoder, wider"]
    text += " Its gain over that base, less the gain of a wider network with as many parameters over its own base, is " + (
        f"not decided: {wider['why']}." if wider["why"] else f"{_excess(wider)}."
    )
    controls = {
        "autoencoder, linear": "a linear bottleneck initialised with the principal components",
        "autoencoder, random": "a linear bottleneck initialised with random directions",
    }
    for key, other in controls.items():
        control = study["contrasts"][key]
        text += f" Against {other} it is " + (f"not decided: {control['why']}." if control["why"] else f"{against(control, None)}.")
    return text


def own(study: Mapping) -> str:
    """The redesigns that a finding suggests, one by one."""
    if lacking := [f"*{name}*" for name, block in study["variants"].items() if block["kind"] == "found" and name in study["missing"]]:
        return f"Which of the redesigns that a finding suggests help is not decided yet: trainings of {_listed(lacking)} are missing."
    sides: dict[str, list[str]] = {"more joints than the base": [], "fewer": [], "a number that does not differ significantly": []}
    for name, block in study["variants"].items():
        if block["kind"] == "found":
            low, high = block["difference"]["low"], block["difference"]["high"]
            side = 2 if low is None or low <= 0 <= high else 0 if low > 0 else 1
            sides[list(sides)[side]].append(f"*{name}*")
    parts = [f"{_listed(names)} {'finds' if len(names) == 1 else 'find'} {what}" for what, names in sides.items() if names]
    return f"Of the redesigns that a finding suggests, on photographs {'; '.join(parts)}."


def random(study: Mapping) -> str:
    """Whether it was the findings that did it."""
    block = study["contrasts"]["found, random"]
    if block["why"]:
        return f"Whether redesigns that a finding suggests beat redesigns drawn at random is not decided yet: {block['why']}."
    better = "better than" if block["low"] > 0 else "worse than" if block["high"] < 0 else "not significantly different from"
    return (
        f"Redesigns that a finding suggests are on average {better} those drawn at random at no higher cost: {spoken(block, points=True)} "
        "(interval over redesigns)."
    )


def dots(study: Mapping) -> str:
    """What the figure of differences has besides dots with intervals."""
    drawn = [v for v in study["variants"].values() if v["kind"] == "random" and v.get("difference") and v["difference"]["mean"] is not None]
    return hollow(study) + (" Redesigns drawn at random stand below the dotted line." if drawn else "")


def sizes(studies: Mapping[str, Mapping]) -> str:
    """What the other studies, of other sizes and people, say of the redesigns."""
    parts = []
    for name, study in studies.items():
        if name == "redesign":
            continue
        block, count = study["contrasts"]["winner"], sum(map(len, study["missing"].values()))
        if count == study["trainings"]:
            parts.append(f"None of the {count} trainings of the study *{name}* is complete yet.")
        elif block["why"]:
            parts.append(f"The study *{name}* is not decided yet: {block['why']}.")
        elif study["winner"] == study["reference"]:
            parts.append(f"In the study *{name}* the base wins.")
        else:
            parts.append(f"In the study *{name}* the winner, *{study['winner']}*, gains {relative(block)}, relative.")
    return " ".join(parts)


def code(portraits: Mapping[str, Mapping], people: int) -> str:
    """What steps in the code of a trained network and in that of its redesign do, side by side; the rest is in the chapter's own table."""
    if not portraits:
        return "This edition has no pair of a trained network and its redesign to compare; the edition on photographs has one."
    (old, before), (new, after) = portraits.items()
    rows: dict[str, tuple[str, ...]] = {}
    for skips, words in {"intact": "intact skip connections", "mean": "skip connections at their means"}.items():
        if skips in before["walks"]:
            walked = before["walks"][skips], after["walks"][skips]
            step = f"moved along *{walked[0]['attribute']}* with {words}"
            rows[f"{step}: joints move by, torso lengths"] = tuple(number(walk["moved"]["mean"]) for walk in walked)
            rows[f"{step}: the attribute changes"] = tuple(_effect(walk) for walk in walked)
    told = (
        f"The code of *{new}* has {after['numbers']} numbers, and {after['components95']} components hold 95 % of its variance; that of "
        f"*{old}* has {before['numbers']}, and {before['components95']} do. The participation ratio is {number(after['participation'], 1)} "
        f"after the redesign and {number(before['participation'], 1)} before."
    )
    if not rows:
        return told
    lines = [told, "", f"| over {people:,} people | {old} | {new} |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {question} | {' | '.join(values)} |" for question, values in rows.items())])


def full(pairs: Mapping[str, Mapping]) -> str:
    """Shipped networks, each beside its redesign."""
    if not pairs:
        return "This edition has no shipped network beside its redesign; the edition on photographs has such pairs."
    parts = []
    for name, pair in pairs.items():
        new, old = pair["networks"][name], pair["networks"][pair["against"]]
        parts.append(
            f"*{name}* is {against(pair['change'], '*' + pair['against'] + '*')}; relative, {relative(pair['relative'])}. The "
            f"redesign has {100 * new['macs'] / old['macs']:.0f} % of the other's multiply-adds.{_epochs(new, old)}"
        )
    people = next(iter(pairs.values()))["people"]
    return " ".join([
        f"{SHIPPED}\n\nOn {people:,} test people, with PCK@0.2·torso:", *parts,
        "Each network was trained once; these intervals are over people, and another training might differ by more.",
    ])  # fmt: skip


def _epochs(new: Mapping, old: Mapping) -> str:
    """That a network was trained for other epochs than the one beside it, where it was."""
    if new["epochs"] == old["epochs"]:
        return ""
    here, there = (" + ".join(map(str, network["epochs"])) for network in (new, old))
    return f" It was trained for {here} epochs, the other for {there}."


def table(studies: Mapping[str, Mapping]) -> str:
    """The verdicts, photographs beside mannequins, as a Markdown table."""
    columns = {"mannequins": studies["redesign-mannequins"], "photographs": studies["redesign"]}
    heads = [f"{kind} (study *{study['study']}*)" for kind, study in columns.items()]
    lines = [f"| | {' | '.join(heads)} |", "| --- | --- | --- |"]
    rows = {
        "Trainings": lambda s: f"{s['kept']} of {s['trainings']}",
        "PCK of the base": lambda s: _score(s["variants"][s["reference"]]),
        "The autoencoder, over the base trained for as long": lambda s: _number(s, "autoencoder"),
        "… its gain over that of a wider network with as many parameters": lambda s: _number(s, "autoencoder, wider"),
        "… over a linear bottleneck, initialised with components": lambda s: _number(s, "autoencoder, linear"),
        "… over one initialised with random directions": lambda s: _number(s, "autoencoder, random"),
        "The winner, over the base, relative": lambda s: _winner(s),
        "Redesigns from findings, over redesigns drawn at random": lambda s: _number(s, "found, random"),
    }
    lines += [f"| {question} | {' | '.join(cell(study) for study in columns.values())} |" for question, cell in rows.items()]
    return "\n".join(lines)


def cells(name: str, variant: Mapping) -> dict[str, str]:
    """A variant's line of a table; of one that is not trained what it would cost."""
    cost = {
        "parameters": f"{variant['parameters'] / 1e6:.2f} M",
        "multiply-adds": f"{variant['macs'] / 1e6:.1f} M",
        "epochs": str(variant["epochs"]),
    }
    compared = variant["difference"]["mean"] is not None
    return {
        "variant": name, "seeds": str(len(variant["seeds"])), "val": percent(variant["val"]),
        "test": spoken(variant["test"]).removesuffix(ALONE),
        "points": spoken(variant["difference"], points=True).removesuffix(ALONE).removesuffix(" points") if compared else "",
        "relative": relative(variant["relative"]).removesuffix(ALONE) if compared else "",
        **cost, "plateau": "yes" if variant["plateau"] else "no",
    }  # fmt: skip


def against(block: Mapping, other: str | None = "the base") -> str:
    """A difference in words: `better than the base (+1.0 [+0.4, +1.6] points)`."""
    points = spoken(block, points=True)
    if block["low"] is None:
        return f"not compared{f' with {other}' if other else ''}: fewer than three trainings ({points})"
    if block["low"] <= 0 <= block["high"]:
        return f"not significantly different{f' from {other}' if other else ''} ({points})"
    return f"{'better' if block['low'] > 0 else 'worse'}{f' than {other}' if other else ''} ({points})"


def _excess(block: Mapping) -> str:
    """A difference of two gains in words: `not significantly different from 0 (−1.7 [−4.4, +0.9] points)`."""
    side = "above" if block["low"] is not None and block["low"] > 0 else "below" if block["high"] is not None and block["high"] < 0 else ""
    return f"{f'significantly {side}' if side else 'not significantly different from'} 0 ({spoken(block, points=True)})"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(study: Mapping, name: str) -> str:
    block = study["contrasts"][name]
    if block["why"]:
        return f"{'not measured' if block.get('absent') else 'not decided yet'}: {block['why']}"
    return spoken(block, points=True)


def _score(variant: Mapping) -> str:
    return spoken(variant["test"]) if variant["seeds"] else "not trained yet"


def _winner(study: Mapping) -> str:
    block = study["contrasts"]["winner"]
    if block["why"]:
        return f"not decided yet: {block['why']}"
    return "the base wins" if study["winner"] == study["reference"] else f"{study['winner']}: {relative(block)}"


def _effect(walk: Mapping) -> str:
    said = {"nothing": "not at all", "more than chance": "more than along random directions", "undecided": "by an undecided amount",
            "no more than chance": "no more than along random directions"}  # fmt: skip
    return said[walk["effect_verdict"]]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
