"""What 09_comparison says: which estimator is best at its plateau, by the study, and what short trainings show of each kind."""

from collections.abc import Mapping
from typing import Any

from posekit.workflow.words import comparable, listed, ranged, side_by_side, signed, spoken
from posekit.workflow.words.studies import LEARNED, gained, state, table

REFERENCE = "hourglass, 1 stack"
CHOSEN = "sharper targets"  # the study's best redesign: the first of `studies.designs.hourglasses.BEST`, which lies above
REDESIGNED, ALL_THREE = "hourglass, redesigned", "hourglass, all three"  # in the study; in the short training
REGRESSORS = ("DeepPose", "error feedback")
STEPS = {"hourglass, 2 stacks": "stack", "error feedback": "step"}  # what a further prediction is called, where it is not a stage
TRANSFORMER = "TransPose"
EXCHANGED = "left-right exchange"
NOT_LEARNED = "too low"  # the page says what this means, above its table


def sentences(m: Mapping[str, Any], data: str) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    m = comparable(m)
    return {
        "answer": answer(m["study"]),
        "curves": curves(m["study"]),
        "study": study(m["study"]),
        "budget": budget(m),
        "costs": costs(m),
        "notes": notes(m),
        "best": best(m),
        "joints": joints(m),
        "by_joint": by_joint(m),
        "stages": stages(m),
        "attention": attention(m),
        "failures": failures(m),
        "elsewhere": " Filled: trained or fitted here. Open: trained elsewhere, for longer." if len(m["equal"]) < len(m["costs"]) else "",
        "table": side_by_side("09_comparison", data, verdicts(m)),
    }


def answer(summary: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number; the study decides, or it is not decided yet."""
    if count := sum(map(len, summary["missing"].values())):
        return f"**Not decided yet**: {count} of the {summary['trainings']} trainings of the study that decides this are missing."
    blocks = _contrasts(summary)
    decided = {name: block for name, block in blocks.items() if not block["why"]}
    rest = [f"*{name}* ({block['why']})" for name, block in blocks.items() if block["why"]]
    if not decided:
        return f"**Not decided**: {listed(rest)}."
    first = max(decided, key=lambda name: decided[name]["mean"])
    gain = spoken(decided[first], points=True)
    if decided[first]["low"] > 0:
        text = f"**{_capital(first)} gains most over an hourglass of one stack**, each at its own plateau: {gain} of PCK."
    else:
        text = (
            f"**None is better than an hourglass of one stack**, each at its own plateau; {first} comes nearest, with a difference of "
            f"{gain} of PCK."
        )
    return text + (f" Not decided: {listed(rest)}." if rest else "")


def curves(summary: Mapping[str, Any]) -> str:
    """Which estimators the learning curves are of."""
    trained = [f"*{name}*" for name, block in summary["variants"].items() if block["seeds"]]
    absent = [f"*{name}*" for name, block in summary["variants"].items() if not block["seeds"]]
    if not trained:
        return "No training of the study is complete yet."
    lacking = f" Not trained yet: {'; '.join(absent)}." if absent else ""
    return f"The figure has curves of {listed(trained)}.{lacking}"


def study(summary: Mapping[str, Any]) -> str:
    """The trainings to the plateau: their table and what they decide, or which are missing."""
    if not summary["kept"]:
        return state(summary)
    text = f"{state(summary)}\n\n{table(summary)}"
    if REDESIGNED in summary["variants"]:
        text += (
            f"\n\nThe redesigned hourglass of the study differs from that of one stack in its *{CHOSEN}* alone, the first choice at 64 px "
            "in [the chapter on redesigns](08_redesign)."
        )
    if not summary["missing"]:
        parts = [f"{name}: {gained(block)}" for name, block in _contrasts(summary).items()]
        text += f"\n\nAgainst an hourglass of one stack, each at its own plateau: {'; '.join(parts)}."
    return text


def budget(m: Mapping[str, Any]) -> str:
    b = m["budget"]
    other = (
        f" *{_capital(ALL_THREE)}* combines three redesigns, {CHOSEN} among them; it is not the redesigned hourglass of the study."
        if ALL_THREE in m["equal"]
        else ""
    )
    return (
        f"All are trained on the same {b['people']:,} people of the training split, at {b['resolution']} pixels a side. Each network is "
        f"trained once for {_epochs(b['epochs'])} with the same augmentation; templates are fitted once, without augmentation. The epoch "
        f"with the highest PCK on {b['validation']:,} validation people is kept. Scores are of {b['test']:,} test people, without flip "
        f"test. Brackets are 95 % intervals over people; they do not include the variation between trainings.{other}{_sizes(m['costs'])}"
    )


def _sizes(costs: Mapping[str, Mapping]) -> str:
    """That regressors and the transformer are not as large as the hourglass here, as they are in the study."""
    one, stacks = costs[REFERENCE]["numbers"], "hourglass, 2 stacks"
    apart = {name: costs[name]["numbers"] / one for name in REGRESSORS if name in costs and abs(costs[name]["numbers"] / one - 1) > 0.1}
    if not apart:
        return ""
    (first, ratio), *rest = apart.items()
    others = "".join(f", {name} {times:.1f} times" for name, times in rest)
    text = f" Unlike in the study, {first} has {ratio:.1f} times the parameters of the hourglass of one stack{others}"
    if {TRANSFORMER, stacks} <= {*costs}:
        larger = costs[TRANSFORMER]["multiply-adds"] / costs[stacks]["multiply-adds"]
        text += f", and {TRANSFORMER} has {larger:.1f} times the multiply-adds of two stacks" if abs(larger - 1) > 0.1 else ""
    return f"{text}."


def costs(m: Mapping[str, Any]) -> str:
    """Scores and costs as a Markdown table."""
    lines = ["| | PCK@0.2·torso | parameters | multiply-adds | training | per person |", "| --- " * 6 + "|"]
    for name, cost in m["costs"].items():
        training = "–" if cost["seconds"] is None else f"{cost['seconds']:,.0f} s"
        beside = "" if name in m["equal"] else " *"
        lines.append(
            f"| {name}{beside} | {spoken(m['scores'][name])} | {_count(cost['numbers'])} | {_count(cost['multiply-adds'])} | {training} | "
            f"{cost['milliseconds']:.2f} ms |"
        )
    return "\n".join([*lines, f"| *the median pose* | {_percent(m['floor'])} | 0 | 0 | | |"])


def notes(m: Mapping[str, Any]) -> str:
    b = m["budget"]
    beside = (
        " *: trained elsewhere, for more epochs or with more pixels; the time is that of its last training."
        if len(m["equal"]) < len(m["costs"])
        else ""
    )
    return (
        f"PCK is over {b['joints']} joints. Multiply-adds are those of convolutions and matrix products; they leave out the gradients and "
        f"distance transforms of templates on springs, which the times include. The time per person is that of a batch of {b['timed']}, "
        f"divided by its size, on {b['backend']}.{beside}"
    )


def best(m: Mapping[str, Any]) -> str:
    """Who is ahead after the short training, of those that have learned."""
    able = learned(m)
    low = [f"*{name}*" for name in m["equal"] if name not in able]
    parts = []
    if REFERENCE not in able:
        parts.append("After so short a training the hourglass of one stack scores too low for a comparison.")
    elif others := [name for name in able if name != REFERENCE]:
        compared = [f"*{name}* {_side(m['against the reference'][name], 'finds more', 'finds fewer', 'does not differ significantly')} "
                    f"({spoken(m['against the reference'][name], points=True)})" for name in others]  # fmt: skip
        parts.append(f"Compared with the *{REFERENCE}*, on the same people: {'; '.join(compared)}.")
    if low:
        parts.append(
            f"Below three times the median pose's score ({_percent(LEARNED * m['floor'])}), and therefore not compared: {listed(low)}."
        )
    epochs = _epochs(m["budget"]["epochs"])
    return " ".join([*parts, f"This shows one training of {epochs}; which estimator is better is decided by the study."])


def joints(m: Mapping[str, Any]) -> str:
    able = [name for name in m["kinds of joint"] if m["scores"][name]["mean"] >= LEARNED * m["floor"]]
    measured = (m["kinds of joint"][name] for name in able)
    blocks = [{kind: value for kind, value in block.items() if value is not None} for block in measured]
    if not blocks:
        return "No estimator scores high enough to call a joint hard or easy."

    def most_often(chosen: list[str]) -> str:
        counts = {kind: chosen.count(kind) for kind in dict.fromkeys(chosen)}
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        return listed(f"the {kind} for {count} of {len(chosen)}" for kind, count in ordered)

    longer = ", those trained longer included" if set(able) - set(m["equal"]) else ""
    worst, easiest = ([pick(block, key=lambda kind: block[kind]) for block in blocks] for pick in (min, max))
    return (
        f"Among the estimators above three times the median pose's score{longer}, the hardest joint is {most_often(worst)}, the easiest "
        f"{most_often(easiest)}."
    )


def by_joint(m: Mapping[str, Any]) -> str:
    """PCK by kind of joint in percent, as a Markdown table."""
    blocks = m["kinds of joint"]
    kinds = list(next(iter(blocks.values())))
    lines = [f"| | {' | '.join(kinds)} |", "| --- " * (len(kinds) + 1) + "|"]
    for name, block in blocks.items():
        lines.append(f"| {name} | {' | '.join('–' if block[kind] is None else f'{100 * block[kind]:.0f}' for kind in kinds)} |")
    return "\n".join(lines)


def stages(m: Mapping[str, Any]) -> str:
    """What each further prediction adds, of those that have learned."""
    able = [name for name in m["stages"] if name in learned(m)]
    parts: list[str] = []
    better: list[str] = []
    rest: list[str] = []
    for name in able:
        step, gains = STEPS.get(name, "stage"), m["gains"][name]
        steps = [
            f"{step} {i + 2} adds {spoken(gain, points=True)} and reduces the distance by {_nearer(by).replace('+', '')} torso lengths"
            for i, (gain, by) in enumerate(zip(gains, m["nearer"][name], strict=True))
        ]
        parts.append(f"*{_capital(name)}* starts at {spoken(m['stages'][name][0])}; {listed(steps)}.")
        if len(gains) > 1:
            (better if all(gain["low"] > 0 for gain in gains) else rest).append(name)
    if better:
        parts.append(f"Each of its steps is a significant gain for {listed(better)}.")
    if rest:
        parts.append(f"Not each step is a significant gain for {listed(rest)}.")
    if low := [name for name in m["stages"] if name not in able]:
        scores = [f"{name} ({_percent(m['scores'][name]['mean'])})" for name in low]
        parts.append(
            f"Nothing is concluded from the stages of {listed(scores)}, which {'scores' if len(low) == 1 else 'score'} below three times "
            "the median pose."
        )
    return " ".join(parts)


def attention(m: Mapping[str, Any]) -> str:
    """Whether attention goes where hiding has an effect, where the transformer has learned."""
    block = m["attention"]
    if TRANSFORMER not in learned(m):
        score = _percent(m["scores"][TRANSFORMER]["mean"])
        return (
            f"The transformer's PCK of {score} is below three times the median pose's ({_percent(m['floor'])}), so nothing is concluded "
            "from its attention. The maps only show how attention is read."
        )
    text = (
        f"Over {block['people']} people, {100 * block['own']:.1f} % of the attention at a predicted joint lies in a square of "
        f"{block['side']} torso lengths around the joint itself, and {100 * block['others']:.1f} % in such a square around another joint. "
        "Hiding these squares one by one shows on which joints the network's predictions depend. "
    )
    agreed = block["agreement"]
    if agreed["mean"] is None:
        return f"{text}Too few pairs of joints could be measured to compare the two."
    alike = agreed["low"] > 0.3 and agreed["p"] < 0.05
    verdict = "ranks the pairs of joints much as this effect does" if alike else "does not predict this effect"
    return f"{text}Attention {verdict}: their rank correlation over {agreed['pairs']} pairs is {_correlation(agreed)}."


def failures(m: Mapping[str, Any]) -> str:
    """The commonest kind of error of each that has learned."""
    parts = []
    for name in learned(m):
        kinds = {kind: block["mean"] for kind, block in m["errors"][name].items() if kind != "found"}
        first = max(kinds, key=lambda kind: kinds[kind])
        exchanged = spoken(m["errors"][name][EXCHANGED])
        parts.append(f"| {name} | {first}, {100 * kinds[first]:.0f} % | {exchanged} |")
    if not parts:
        return "No estimator scores high enough to compare kinds of errors."
    short = len(learned(m)) < len(m["equal"])
    left_out = " The table leaves out estimators below three times the median pose's PCK." if short else ""
    heading = ["| | most frequent error, its share of all joints | left-right exchange |", "| --- | --- | --- |"]
    return "\n".join(["Kinds of errors are defined as in [the chapter on stacks](04_stacks)." + left_out, "", *heading, *parts])


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """The chapter's table, question to answer."""
    m = comparable(m)
    b, able = m["budget"], learned(m)

    def judged(names: set[str], block: Mapping, yes: str, no: str) -> str:
        return f"{_side(block, yes, no, 'undecided')} ({spoken(block, points=True)})" if names <= {*able} else NOT_LEARNED

    found = {"Short training": f"{b['people']:,} people, {_epochs(b['epochs'])}, {b['resolution']} px"}
    found["Three times the median pose's PCK"] = _percent(LEARNED * m["floor"])
    found |= {f"PCK: {name}": spoken(m["scores"][name]) for name in m["equal"]}
    for name, block in m["against the reference"].items():
        found[f"{_capital(name)} against the {REFERENCE}"] = judged({name, REFERENCE}, block, "better", "worse")
    for name, gains in m["gains"].items():
        step = STEPS.get(name, "stage")
        for i, block in enumerate(gains):
            question = f"{_capital(name)}: {step} {i + 2} improves on {step} {i + 1}"
            found[question] = judged({name}, block, "yes", "no, worse")
    agreed = m["attention"]["agreement"]
    correlation = _correlation(agreed) if agreed["mean"] is not None else "too few pairs of joints"
    found[f"{TRANSFORMER}: rank correlation of attention and effect"] = correlation if TRANSFORMER in able else NOT_LEARNED
    return found


def learned(m: Mapping[str, Any]) -> list[str]:
    """Those trained here whose PCK is three times the median pose's or more: nothing is concluded from the others."""
    return [name for name in m["equal"] if m["scores"][name]["mean"] >= LEARNED * m["floor"]]


def _contrasts(summary: Mapping[str, Any]) -> dict[str, Mapping]:
    """Each estimator against the hourglass of one stack."""
    return {name: summary["contrasts"][name] for name in summary["variants"] if name != summary["reference"]}


def _side(block: Mapping, above: str, below: str, undecided: str) -> str:
    return above if block["low"] > 0 else below if block["high"] < 0 else undecided


def _correlation(block: Mapping) -> str:
    return f"{ranged(block)}, p = {block['p']:.2g}"


def _nearer(block: Mapping) -> str:
    mean, low, high = (signed(block[key], 3) for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _count(value: float) -> str:
    """A number of parameters or multiply-adds, to three digits."""
    return f"{value / 1e6:,.3g} M" if value else "0"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
