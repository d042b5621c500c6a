"""What 01_dataset says: where the people come from, how they stand, how far their labels can be trusted, what the network sees of them."""

from collections.abc import Mapping
from typing import Any

from posekit.data.people import parse_spec
from posekit.workflow.words import listed, number, spoken

STATISTICS = ("upright", "facing", "sitting", "arm elevation", "knee flexion", "labelled joints", "trunk size", "box size")
SETS = {
    "mannequins": "people rendered by posekit itself, with exact joints, exact visibility and the factors that made each picture",
    "lspet": "the Leeds Sports Pose Extended set {cite:p}`johnson2011`, photographs of parkour, gymnastics and athletics, annotated by "
    "workers of Amazon Mechanical Turk; a joint that an annotator could not place has no label. The order of pictures says nothing about "
    "splits, so that "
    "posekit draws them, by a fixed permutation; photographs that show the same are then brought to one side",
    "lsp": "the Leeds Sports Pose set {cite:p}`johnson2010`, the first half of which is for training, as its authors have it",
    "coco": "COCO {cite:p}`lin2014`, photographs of everyday scenes with several people each, annotated through a crowd-sourcing service",
    "mpii": "MPII Human Pose {cite:p}`andriluka2014`, frames of videos from YouTube, chosen to cover 410 activities",
}


def sentences(m: Mapping[str, Any]) -> dict[str, str]:
    """What the page, the landing page and the abstract say, by name, of the chapter's metrics."""
    return {
        "answer": answer(m),
        "data": m["data"],
        "count": f"{m['people']:,}",
        "joints": str(m["joints"]),
        "labelled": number(m["labelled_per_person"], 1),
        "splits": splits(m),
        "upright": f"{100 * m['upright_share']:.0f} %",
        "inverted": f"{100 * m['inverted_share']:.0f} %",
        "left_out": left_out(m),
        "provenance": provenance(m),
        "floor": floor(m),
        "statistics": statistics(m),
        "labels": labels(m),
        "preprocessing": preprocessing(m),
        "beside": beside(m),
    }


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    if (agreement := m["twice"]["agreement"]) is not None:
        return (
            f"**Two annotators of one photograph agree on {100 * agreement['mean']:.0f} % of its joints**, to a fifth of the torso: no "
            f"score against "
            "these labels means more than they do."
        )
    if m["floor"] is not None:
        return (
            "**Most of a pose cannot be guessed**: the median pose of the training people, the same for everybody, finds "
            f"{100 * m['floor']:.1f} % of the joints."
        )
    return f"**{m['people']:,} people have {number(m['labelled_per_person'], 1)} of {m['joints']} joints labelled**, on average."


def splits(m: Mapping[str, Any]) -> str:
    return ", ".join(f"{count:,} for {name}" for name, count in m["splits"].items())


def left_out(m: Mapping[str, Any]) -> str:
    reasons = [f"{count:,} {reason}" for reason, count in m["left_out"].items() if count]
    return f"Left out were {listed(reasons)}." if reasons else "Nobody was left out."


def provenance(m: Mapping[str, Any]) -> str:
    kind = parse_spec(m["data"])[0]
    about = f": {SETS[kind]}" if kind in SETS else ""
    hidden = f"; {100 * m['hidden_share']:.0f} % of these are hidden" if m["hidden_share"] else "; hidden joints are not marked"
    return (
        f"This edition is of **{m['data']}**{about}. It has {m['people']:,} people with {number(m['labelled_per_person'], 1)} of "
        f"{m['joints']} joints labelled on average{hidden}. {100 * m['fully_labelled_share']:.0f} % have every joint. They are divided "
        f"once and for all: "
        f"{splits(m)}. {left_out(m)}"
    )


def floor(m: Mapping[str, Any]) -> str:
    if m["floor"] is None:
        return ""
    return (
        f"Whoever answers everybody with the median pose of the training people, without a look at the picture, finds "
        f"{100 * m['floor']:.1f} % of the "
        "test people's joints within a fifth of the torso (PCK@0.2·torso). This is the floor of every score in this book."
    )


def statistics(m: Mapping[str, Any]) -> str:
    """A Markdown table of attributes of pose."""
    if not m["statistics"]:
        return "No attribute of pose is defined for these people."
    lines = ["| attribute | people | 5 % | median | 95 % | definition |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for row in m["statistics"]:
        unit = f" ({row['unit']})" if row["unit"] and row["unit"] not in row["attribute"] else ""
        low, middle, high = (number(row[end], 0 if row["unit"] in ("°", "joints") else 2) for end in ("5 %", "median", "95 %"))
        definition = row["definition"].replace("|", "\\|")
        lines.append(f"| {row['attribute']}{unit} | {row['people']:,} | {low} | {middle} | {high} | {definition} |")
    return "\n".join(lines)


def labels(m: Mapping[str, Any]) -> str:
    twice = m["twice"]
    if parse_spec(m["data"])[0] == "mannequins":
        return (
            "Rendered joints are exact: what a network misses here is the network's mistake alone. Photographs are annotated by people, "
            "who err; "
            "the edition of photographs measures by how much."
        )
    if twice["agreement"] is None:
        return "No photograph of this set is in it twice, so that the annotators' agreement with each other cannot be measured."
    again = {0: "", 1: " In one more the two chose different people."}.get(
        twice["others"], f" In {twice['others']} more the two chose different people."
    )
    share = twice["agreement"]["mean"]
    return (
        f"The collectors took {twice['photographs']} photographs up twice without noticing, perhaps in another size, and each copy went "
        f"to an annotator. "
        f"So the annotators can be compared with each other.{again} Of {twice['joints']} joints that both labelled, "
        f"{spoken(twice['agreement'])} lie within "
        "a fifth of the torso of each other (bootstrap over photographs). Some annotators exchanged left and right, and so differ in "
        "every joint. "
        f"If both err alike and independently, each is right about {100 * share**0.5:.0f} % of the joints; a perfect network would score "
        f"about that against "
        "these labels."
    )


def preprocessing(m: Mapping[str, Any]) -> str:
    """A Markdown table of the values of preprocessing and augmentation."""
    p = m["preprocessing"]
    rows = {
        "network's view": f"a square {p['margin']:g} times as wide as the longer side of the person's box",
        "stored crop": f"a square {p['context']:g} times as wide as the view, {p['crop']} × {p['crop']} pixels, "
        "so that a shifted view shows real pixels",
        "pixel values": "RGB from 0 to 1; no mean is subtracted, batch normalisation does that",
        "rotation": f"normal deviate of {p['rotation']:g}°, cut at twice this; any angle for {100 * p['upside_down']:g} %",
        "scale": f"between 1/{1 + p['scale']:g} and {1 + p['scale']:g}, log-uniform",
        "shift": f"up to {100 * p['shift']:g} % of the view's width",
        "mirror image": f"{100 * p['flip']:g} %, left and right joints exchanged",
        "colour": f"gain and contrast up to ± {100 * p['colour']:g} %, channels apart by up to ± {40 * p['colour']:g} %",
        "occlusion": f"a patch of one colour for {100 * p['occlusion']:g} %",
    }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def beside(m: Mapping[str, Any]) -> str:
    if m["beside"]:
        return (
            "Mannequins are rendered with joint angles, headings and tilts that a person might have, not with those of these people. For "
            "six "
            "photographs drawn by chance among those with every joint, this is the nearest of them."
        )
    if parse_spec(m["data"])[0] == "mannequins":
        return "This edition has no photographs to set beside its mannequins; the edition of photographs does."
    return "No rendered people were asked for (parameter `beside`)."
