"""What 11_another_network says: BlazePose, which others trained, asked what the book's own networks are asked."""

from collections.abc import Mapping
from typing import Any

from posekit.workflow.words import blank, comparable, listed, number, ranged, side_by_side, spoken

CEILING = "the score that wrong labels leave to a perfect network"
FEW = "too few people in whom the two joints lie far enough apart"
BLAZEPOSE, HEATMAPS, LANDMARKS = "BlazePose", "BlazePose, heatmaps", "BlazePose, landmarks"
GROUPS = {
    "skip2": "skip connection of 64 × 64 cells", "skip3": "skip connection of 32 × 32 cells",
    "skip4": "skip connection of 16 × 16 cells",
    "all": "all skip connections", "decoder5": "what comes from the code",
}  # fmt: skip
KINDS = {  # of attributes, what they tell
    "where the person faces": ("facing", "from behind", "left on the right", "turn"),
    "how the person is rotated in the picture": ("upright", "tilt", "lean", "upside down"),
}
SAID = (
    "answer", "people", "where", "score", "headings", "branches", "skips", "code", "dependency", "cka", "explanations", "table",
)  # fmt: skip


def sentences(m: Mapping[str, Any], data: str, missing: str = "") -> dict[str, str]:
    """What the page says, by name. `missing` says why the network was not there; the metrics are then those of the reference run."""
    if not m:
        nothing = "*Not measured in this edition.*"
        return dict.fromkeys(SAID, nothing) | {
            "people": "",
            "ceiling": CEILING,
            "blank": "",
            "dotted": "",
            "where": f"BlazePose is not here: {missing}.",
        }
    m = comparable(m)
    return {
        "answer": answer(m),
        "people": f"The book's own network is in this chapter *{m['own']}*. Both are applied to {m['people']:,} people, {m['seen']}.",
        "where": f"BlazePose is not here: {missing}. This page quotes the reference run on photographs." if missing else "",
        "score": score(m),
        "headings": headings(m),
        "branches": branches(m),
        "skips": skips(m),
        "code": code(m),
        "dependency": dependency(m),
        "blank": max(blank(block["mean"], FEW) for block in m["dependency"].values()),
        "ceiling": f"{CEILING}, about {100 * m['ceiling']:.0f} %"
        if m["ceiling"]
        else "100 % for rendered people, whose labels are right, and not known for others",
        "dotted": " Dotted: what the labels allow." if m["ceiling"] else "",
        "cka": alignment(m),
        "explanations": explanations(m),
        "table": side_by_side("11_another_network", "lspet" if missing else data, verdicts(m)),
    }


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    share = m["skips"]["all"]["mean"] / max(m["intact"]["mean"], 1e-9)
    if share < 0.5:
        return (
            f"**The main finding holds**: without its skip connections BlazePose's heatmaps find only {number(100 * share, 0)} % as many "
            "joints as with them."
        )
    return (
        f"**Not all findings hold**: without its skip connections BlazePose's heatmaps still find {number(100 * share, 0)} % as many "
        "joints as with them, while a trained hourglass is of little use without its own."
    )


def upright(m: Mapping[str, Any]) -> str:
    """Whether the network depends on people being upright."""
    gain = m["gain"][LANDMARKS]
    if gain["low"] > 0:
        times = 1 + gain["mean"] / max(m["score"][LANDMARKS]["mean"], 1e-9)
        return (
            f"BlazePose is a network for upright people: with the trunk upright its landmarks find {number(times, 1)} times as many "
            f"joints.{_upright_heatmaps(m)}"
        )
    return "Its landmarks do not clearly gain from an upright trunk."


def _upright_heatmaps(m: Mapping[str, Any]) -> str:
    """On upright people, its heatmaps beside the book's own network, where their intervals do not overlap."""
    own = m["own"]
    heatmaps, ours = m["upright"][HEATMAPS], m["upright"][own]
    if heatmaps["low"] > ours["high"]:
        return f" On people turned upright its heatmaps find more joints than {own}: {spoken(heatmaps)} against {spoken(ours)}."
    if heatmaps["high"] < ours["low"]:
        return f" On people turned upright its heatmaps, too, find fewer joints than {own}: {spoken(heatmaps)} against {spoken(ours)}."
    return ""


def score(m: Mapping[str, Any]) -> str:
    """As the people are, and upright."""
    own = m["own"]
    text = (
        f"On people as they are, the heatmaps of BlazePose find {spoken(m['score'][HEATMAPS])} of the joints and its landmarks "
        f"{spoken(m['score'][LANDMARKS])}; {own} finds {spoken(m['score'][own])}."
    )
    if m["floor"] is not None:
        text += f" The median pose finds {number(100 * m['floor'], 1)} %."
    ahead = m["own ahead"]
    if ahead["low"] > 0 or ahead["high"] < 0:
        which = "more" if ahead["mean"] > 0 else "fewer"
        text += f" {own} finds {which} joints than the heatmaps of BlazePose ({spoken(ahead, points=True)})."
    else:
        text += f" The difference between {own} and the heatmaps of BlazePose is not significant: {spoken(ahead, points=True)}."
    named = {HEATMAPS: "the score of these heatmaps", LANDMARKS: "that of the landmarks", own: f"that of {own}"}
    gains = [f"{what} by {spoken(m['gain'][name], points=True)}" for name, what in named.items()]
    return f"{text} Turning the trunk upright changes {listed(gains)}. {upright(m)}"


def swing(m: Mapping[str, Any], name: str) -> tuple[float, int]:
    """How far a network's score falls from its best heading to its worst, and which that is."""
    means = [block["mean"] for block in m["headings"][name]]
    return max(means) - min(means), m["angles"][min(range(len(means)), key=means.__getitem__)]


def headings(m: Mapping[str, Any]) -> str:
    """How much each network hangs on the heading."""
    falls = {name: swing(m, name) for name in (HEATMAPS, LANDMARKS, m["own"])}
    named = {HEATMAPS: "the heatmaps of BlazePose", LANDMARKS: "its landmarks", m["own"]: m["own"]}
    parts = [f"{number(100 * fall, 0)} points for {named[name]} (worst at {number(angle, 0)}°)" for name, (fall, angle) in falls.items()]
    text = f"The scores at the best and the worst direction differ by {listed(parts)}."
    if falls[m["own"]][0] < 0.5 * falls[LANDMARKS][0]:
        return f"{text} The book's own network depends less on the direction; its training pictures were rotated."
    if falls[m["own"]][0] < falls[LANDMARKS][0]:
        return f"{text} The book's own network depends less on the direction."
    return f"{text} The book's own network depends no less on the direction."


def branches(m: Mapping[str, Any]) -> str:
    """The heatmaps, which the product leaves unread, against the landmarks that it reads."""
    as_is, upright = m["branches"], m["branches, upright"]
    if as_is["low"] > 0:
        first = "The heatmaps, which the product does not use, find more joints than the landmarks, which it uses"
    elif as_is["high"] < 0:
        first = "The landmarks, which the product uses, find more joints than the heatmaps"
    else:
        first = "Heatmaps and landmarks find about as many joints"
    second = "remains" if upright["low"] > 0 or upright["high"] < 0 else "is no longer significant"
    if (as_is["mean"] > 0) != (upright["mean"] > 0) and second == "remains":
        second = "is reversed"
    return (
        f"{first}: the difference is {spoken(as_is, points=True)} on people as they are. With the trunk upright the difference {second}: "
        f"{spoken(upright, points=True)}."
    )


def skips(m: Mapping[str, Any]) -> str:
    """What the heatmaps lose without each part of the sum."""
    parts = {group: block for group, block in m["skips"].items() if group not in ("all", "decoder5")}
    order = sorted(parts, key=lambda group: parts[group]["mean"])
    first, *others = order
    rest_of = listed(f"{spoken(parts[group]['change'], points=True)} for the {GROUPS[group]}" for group in others)
    share = 100 * m["skips"]["all"]["mean"] / max(m["intact"]["mean"], 1e-9)
    rest = m["skips"]["decoder5"]["change"]
    more = "more" if rest["mean"] < m["skips"]["all"]["change"]["mean"] else "less"
    return (
        f"Of the three, the {GROUPS[first]} costs most: replaced by its mean, it changes PCK by "
        f"{spoken(parts[first]['change'], points=True)}, against "
        f"{rest_of}. "
        f"With all three at their means the heatmaps find {number(share, 0)} % as many joints as the intact network. Replacing the part "
        f"from the code instead costs {more}: {spoken(rest, points=True)}."
    )


def kind(attribute: str) -> str:
    """What an attribute tells, of those whose name does not say it; "" for any other."""
    return next((told for told, names in KINDS.items() if attribute in names), "")


def component_rows(code: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a component, both networks beside each other."""
    rows = []
    for number_, each in enumerate(zip(*code.values(), strict=False), 1):
        row = {"component": str(number_)}
        for name, block in zip(code, each, strict=True):
            row[name] = f"{number(100 * block['share'], 0)} %, {block['attribute']}, r = {ranged({'mean': block['r']} | block)}"
        rows.append(row)
    return rows


STRENGTHS = {"strongly": "lies beyond 0.5", "moderately": "lies beyond 0.3", "only weakly": "does not lie beyond 0.3"}


def code(m: Mapping[str, Any]) -> str:
    """Is the first component heading, lean or rotation?"""
    parts, said = [], {""}
    for name, rows in m["code"].items():
        first = rows[0]
        least = min(abs(first["low"]), abs(first["high"])) if first["low"] * first["high"] > 0 else 0
        strength = "strongly" if least >= 0.5 else "moderately" if least >= 0.3 else "only weakly"
        about = "" if (told := kind(first["attribute"])) in said else told
        said.add(told)
        what = f"*{first['attribute']}*" + (f" ({about})" if about else "")
        parts.append(f"the first component of {name} correlates {strength} with {what}, r = {ranged({'mean': first['r']} | first)}")
    rule = "; ".join(
        f"*{word}* means that the interval {means}" for word, means in STRENGTHS.items() if f" {word} with " in " ".join(parts)
    )
    rule = f"{rule[:1]}{rule[1:2].upper()}{rule[2:]}."
    return f"Over {m['coded']:,} people, {', and '.join(parts)}. {rule}"


def dependency(m: Mapping[str, Any]) -> str:
    """Do the two networks find joints by the same others?"""
    both = m["agreement"]
    if both["mean"] is None:
        return f"The {m['hidden']} people are too few to compare the matrices."
    same = both["low"] > 0 and both["p"] <= 0.05
    first = (
        f"To find a joint, the two networks use {'much' if both['low'] >= 0.5 else 'partly'} the same other joints"
        if same
        else "Whether the two networks use the same other joints to find a joint is not clear"
    )
    close = [f"{ranged(block)} for {name}" for name, block in m["closeness"].items() if block["mean"] is not None]
    near = f" The rank correlation of the effects with closeness in the body is {listed(close)}." if close else ""
    return f"{first}: the rank correlation of the matrices is {ranged(both)}, p = {both['p']:.2g}, over {m['hidden']} people.{near}"


def best_pair(m: Mapping[str, Any]) -> tuple[str, str, float]:
    """The layers of the two networks that are most alike, and their CKA."""
    rows, columns, table = (m["cka"][key] for key in ("rows", "columns", "table"))
    pairs = [
        (table[r][c], row, column)
        for r, row in enumerate(rows)
        for c, column in enumerate(columns)
        if row not in ("labels", "pixels", "encoder5, random") and column not in ("labels", "pixels")
    ]
    value, row, column = max(pairs)
    return row, column, value


def cell(m: Mapping[str, Any], row: str, column: str) -> float:
    """One number of the CKA table."""
    return m["cka"]["table"][m["cka"]["rows"].index(row)][m["cka"]["columns"].index(column)]


def alignment(m: Mapping[str, Any]) -> str:
    """How alike the two networks' layers are, and what pixels and a random network give."""
    row, column, value = best_pair(m)
    random, pixels = cell(m, "encoder5, random", column), cell(m, "pixels", column)
    text = (
        f"The layers most alike are {row} of BlazePose and {column} of {m['own']}, with a CKA of {number(value)}. "
        f"With the same layer of {m['own']}, the code of an untrained BlazePose has {number(random)} and the pixels have {number(pixels)}."
    )
    beyond = value - max(random, pixels)
    text += (
        " These layers are more alike than the picture itself explains."
        if beyond > 0.1
        else " That is hardly more than the picture itself explains."
    )
    return f"{text} The two codes have a CKA of {ranged(m['cka of codes'])}{_code_by_chance(m)}."


def _code_by_chance(m: Mapping[str, Any]) -> str:
    """The same of an untrained BlazePose's code, where the table has the code of the book's own network."""
    codes = [column for column in m["cka"]["columns"] if "bottleneck" in column]
    return f"; with an untrained BlazePose's code it is {number(cell(m, 'encoder5, random', codes[-1]))}" if codes else ""


def explanations(m: Mapping[str, Any]) -> str:
    """Which methods fail on this network."""
    cascade = m["cascade"]
    at = cascade["decided at"]
    by = {verdict: [name for name in m["methods"] if cascade["verdicts"][name][at] == verdict] for verdict in ("fails", "undecided")}
    failing = [f"{name} {ranged(cascade['at'][name])}" for name in by["fails"]]
    text = (
        f"With head and decoder random, {listed(failing)} {'fails' if len(failing) == 1 else 'fail'} the cascade, over {m['fewer']} people."
        if failing
        else f"With head and decoder random, no method clearly fails the cascade, over {m['fewer']} people."
    )
    if by["undecided"]:
        text += f" Undecided: {listed(by['undecided'])}."
    if "empty" in cascade:  # which an older run did not count
        empty = [f"{cascade['empty'][name]} of {name}" for name in m["methods"] if cascade["empty"][name]]
        text += f" Empty maps, which count as 0, at this step: {listed(empty)}." if empty else " No map is empty at this step."
    good = [name for name in m["methods"] if any(block["low"] > 0 for block in m["better"][name].values())]
    more = f"{listed(good)} {'is' if len(good) == 1 else 'are'}" if good else "no method is"
    return f"{text} Over {m['explained']} people, {more} significantly better than edges in at least one of deletion and insertion."


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """Question to answer, one column of the table."""
    if not m:
        return {}
    m = comparable(m)
    first = m["code"][BLAZEPOSE][0]
    return {
        "What does turning the trunk upright change for its landmarks?": spoken(m["gain"][LANDMARKS], points=True),
        "How much better are its unused heatmaps than its landmarks?": spoken(m["branches"], points=True),
        "How many joints remain without skip connections, relative?": (
            f"{number(100 * m['skips']['all']['mean'] / max(m['intact']['mean'], 1e-9), 0)} %"
        ),
        "What goes with the first component of its code?": f"{first['attribute']}, r = {number(first['r'])}",
        "Does it use the same other joints as the book's network?": "not enough people" if m["agreement"]["mean"] is None
        else f"rank correlation {ranged(m['agreement'])}",
        "How alike are the two codes?": f"CKA {ranged(m['cka of codes'])}",
    }  # fmt: skip
