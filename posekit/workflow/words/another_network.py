"""What 11_another_network says: BlazePose, which others trained, asked what the book's own networks are asked."""

from collections.abc import Mapping
from typing import Any

from posekit.workflow.words import listed, number, ranged, side_by_side, spoken

BLAZEPOSE, HEATMAPS, LANDMARKS = "BlazePose", "BlazePose, heatmaps", "BlazePose, landmarks"
GROUPS = {
    "skip2": "skip connection of 64 cells", "skip3": "skip connection of 32 cells", "skip4": "skip connection of 16 cells",
    "all": "all skip connections", "decoder5": "what comes from the code",
}  # fmt: skip
KINDS = {  # of attributes, what they are about
    "heading": ("facing", "from behind", "left on the right", "turn"),
    "lean": ("lean",),
    "rotation": ("upright", "tilt", "upside down"),
}
SAID = (
    "answer", "people", "where", "score", "headings", "branches", "skips", "code", "dependency", "cka", "explanations", "table",
)  # fmt: skip


def sentences(m: Mapping[str, Any], data: str, missing: str = "") -> dict[str, str]:
    """What the page says, by name. `missing` says why the network was not there; the metrics are then those of the reference run."""
    if not m:
        nothing = "*Not measured in this edition.*"
        return dict.fromkeys(SAID, nothing) | {"people": "", "where": f"BlazePose is not here: {missing}."}
    return {
        "answer": answer(m),
        "people": f"The book's own network is *{m['own']}*. Both are asked about {m['people']:,} people, {m['seen']}.",
        "where": f"BlazePose is not here: {missing}. This page shows the numbers of the kept run on photographs." if missing else "",
        "score": score(m),
        "headings": headings(m),
        "branches": branches(m),
        "skips": skips(m),
        "code": code(m),
        "dependency": dependency(m),
        "cka": alignment(m),
        "explanations": explanations(m),
        "table": side_by_side("11_another_network", "lspet" if missing else data, verdicts(m)),
    }


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    gain = m["gain"][LANDMARKS]
    if gain["low"] > 0:
        more = 100 * gain["mean"] / max(m["score"][LANDMARKS]["mean"], 1e-9)
        return (
            "**BlazePose is a network for people who are upright**: with the trunk turned upright its landmarks find "
            f"{number(more, 0)} % more joints, relative."
        )
    return (
        "**BlazePose does not clearly gain from upright people**: with the trunk turned upright its landmarks change by "
        f"{spoken(gain, points=True)} of PCK."
    )


def score(m: Mapping[str, Any]) -> str:
    """As the people are, and upright."""
    own = m["own"]
    text = (
        f"As the people are, BlazePose finds {spoken(m['score'][HEATMAPS])} of the joints by its heatmaps and "
        f"{spoken(m['score'][LANDMARKS])} by its landmarks; {own} finds {spoken(m['score'][own])}."
    )
    if m["floor"] is not None:
        text += f" The median pose finds {number(100 * m['floor'], 1)} %."
    ahead = m["own ahead"]
    if ahead["low"] > 0 or ahead["high"] < 0:
        which = "more" if ahead["mean"] > 0 else "fewer"
        text += f" On the same people {own} finds {which} joints than the heatmaps of BlazePose: {spoken(ahead, points=True)}."
    else:
        text += f" The difference between {own} and the heatmaps of BlazePose is not clear: {spoken(ahead, points=True)}."
    gains = [f"{name} by {spoken(m['gain'][name], points=True)}" for name in (HEATMAPS, LANDMARKS, own)]
    return f"{text} Turning the trunk upright changes {listed(gains)}."


def swing(m: Mapping[str, Any], name: str) -> tuple[float, int]:
    """How far a network's score falls from its best heading to its worst, and which that is."""
    means = [block["mean"] for block in m["headings"][name]]
    return max(means) - min(means), m["angles"][min(range(len(means)), key=means.__getitem__)]


def headings(m: Mapping[str, Any]) -> str:
    """How much each network hangs on the heading."""
    falls = {name: swing(m, name) for name in (HEATMAPS, LANDMARKS, m["own"])}
    parts = [f"{number(100 * fall, 0)} points for {name} (worst at {number(angle, 0)}°)" for name, (fall, angle) in falls.items()]
    text = f"Between the best heading and the worst lie {listed(parts)}."
    if falls[m["own"]][0] < 0.5 * falls[LANDMARKS][0]:
        return f"{text} The book's own network depends on the heading less than half as much: its training turns people."
    if falls[m["own"]][0] < falls[LANDMARKS][0]:
        return f"{text} The book's own network depends on the heading less."
    return f"{text} The book's own network depends on the heading no less."


def branches(m: Mapping[str, Any]) -> str:
    """The heatmaps, which the product leaves unread, against the landmarks that it reads."""
    as_is, upright = m["branches"], m["branches, upright"]
    if as_is["low"] > 0:
        first = "The heatmaps, which the product does not read, find more joints than the landmarks, which it reads"
    elif as_is["high"] < 0:
        first = "The landmarks, which the product reads, find more joints than the heatmaps"
    else:
        first = "Heatmaps and landmarks find about as many joints"
    second = "remains" if upright["low"] > 0 or upright["high"] < 0 else "is no longer clear"
    if (as_is["mean"] > 0) != (upright["mean"] > 0) and second == "remains":
        second = "is the other way round"
    return (
        f"{first}: the difference is {spoken(as_is, points=True)} on people as they are. With the trunk upright it {second}: "
        f"{spoken(upright, points=True)}."
    )


def skips(m: Mapping[str, Any]) -> str:
    """What the heatmaps lose without each part of the sum."""
    parts = {group: block for group, block in m["skips"].items() if group not in ("all", "decoder5")}
    order = sorted(parts, key=lambda group: parts[group]["mean"])
    listing = "; ".join(f"the {GROUPS[group]} {spoken(parts[group]['change'], points=True)}" for group in order)
    share = 100 * m["skips"]["all"]["mean"] / max(m["intact"]["mean"], 1e-9)
    rest = m["skips"]["decoder5"]["change"]
    more = "more" if rest["mean"] < m["skips"]["all"]["change"]["mean"] else "less"
    return (
        f"At their means, the most costly first: {listing}. With all of them at their mean the heatmaps find {number(share, 0)} % as many "
        f"joints as with them. Replacing what comes from the code instead costs {more}: {spoken(rest, points=True)}."
    )


def kind(attribute: str) -> str:
    """What an attribute is about: `heading`, `lean` or `rotation`; "" for anything else, and where its name says it."""
    return next((name for name, names in KINDS.items() if attribute in names and attribute != name), "")


def component_rows(code: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a component, both networks beside each other."""
    rows = []
    for number_, each in enumerate(zip(*code.values(), strict=False), 1):
        row = {"component": str(number_)}
        for name, block in zip(code, each, strict=True):
            row[name] = f"{number(100 * block['share'], 0)} %, {block['attribute']}, r = {ranged({'mean': block['r']} | block)}"
        rows.append(row)
    return rows


def code(m: Mapping[str, Any]) -> str:
    """Is the first component heading, lean or rotation?"""
    parts = []
    for name, rows in m["code"].items():
        first = rows[0]
        least = min(abs(first["low"]), abs(first["high"])) if first["low"] * first["high"] > 0 else 0
        strength = "goes clearly" if least >= 0.5 else "goes moderately" if least >= 0.3 else "goes only weakly"
        about = kind(first["attribute"])
        what = f"*{first['attribute']}*" + (f", which is {about}" if about else "")
        parts.append(f"the first component of {name} {strength} with {what}, r = {ranged({'mean': first['r']} | first)}")
    return f"Over {m['coded']:,} people, {listed(parts)}."


def dependency(m: Mapping[str, Any]) -> str:
    """Do the two networks find joints by the same others?"""
    both = m["agreement"]
    if both["mean"] is None:
        return f"The {m['hidden']} people are too few to compare the matrices."
    same = both["low"] > 0 and both["p"] <= 0.05
    first = (
        f"The two networks find joints by {'much' if both['low'] >= 0.5 else 'partly'} the same others"
        if same
        else "Whether the two networks find joints by the same others is not clear"
    )
    close = [f"{ranged(block)} for {name}" for name, block in m["closeness"].items() if block["mean"] is not None]
    near = f" A joint depends most on its neighbours in the body: the rank correlation with closeness is {listed(close)}." if close else ""
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
        f"The layers most alike are {row} of BlazePose and {column.removeprefix('stack0.')} of {m['own']}, CKA {number(value)}. "
        f"With that layer, the code of an untrained BlazePose has {number(random)} and the pixels have {number(pixels)}."
    )
    beyond = value - max(random, pixels)
    text += (
        " Both networks arrange people alike beyond what the picture itself gives."
        if beyond > 0.1
        else " That is hardly more than the picture itself gives."
    )
    return f"{text} The two codes have {ranged(m['cka of codes'])}."


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
    good = [name for name in m["methods"] if any(block["low"] > 0 for block in m["better"][name].values())]
    more = f"{listed(good)} {'is' if len(good) == 1 else 'are'}" if good else "no method is"
    return f"{text} In deletion or insertion, over {m['explained']} people, {more} clearly better than edges."


def verdicts(m: Mapping[str, Any]) -> dict[str, str]:
    """Question to answer, one column of the table."""
    if not m:
        return {}
    first = m["code"][BLAZEPOSE][0]
    return {
        "What does turning the trunk upright change for its landmarks?": spoken(m["gain"][LANDMARKS], points=True),
        "How much better are its unread heatmaps than its landmarks?": spoken(m["branches"], points=True),
        "How many joints remain without skip connections, relative?": (
            f"{number(100 * m['skips']['all']['mean'] / max(m['intact']['mean'], 1e-9), 0)} %"
        ),
        "What goes with the first component of its code?": f"{first['attribute']}, r = {number(first['r'])}",
        "Does it find joints by the same others as the book's network?": "not enough people" if m["agreement"]["mean"] is None
        else f"rank correlation {ranged(m['agreement'])}",
        "How alike are the two codes?": f"CKA {ranged(m['cka of codes'])}",
    }  # fmt: skip
