"""What 01_dataset says: where the people come from, their poses, how far their labels can be trusted, what the network sees of them."""

from collections.abc import Mapping
from typing import Any

from posekit.data.people import parse_spec
from posekit.workflow.words import listed, number, spoken

STATISTICS = ("upright", "facing", "sitting", "arm elevation", "knee flexion", "labelled joints", "trunk size", "box size")
SETS = {
    "mannequins": "people rendered by posekit itself, whose joints, visibility and rendering factors are known exactly",
    "lspet": "the Leeds Sports Pose Extended set {cite:p}`johnson2011`, photographs of parkour, gymnastics and athletics, annotated by "
    "workers of Amazon Mechanical Turk. A joint that an annotator could not place has no label. The set has no splits of its own: "
    "posekit draws them by a fixed permutation, and then moves photographs that show the same scene into the same split",
    "lsp": "the Leeds Sports Pose set {cite:p}`johnson2010`, whose first half is for training, as its authors divide it",
    "coco": "COCO {cite:p}`lin2014`, photographs of everyday scenes with several people each, annotated through a crowd-sourcing service",
    "mpii": "MPII Human Pose {cite:p}`andriluka2014`, frames of videos from YouTube, chosen to cover 410 activities",
}

PUBLISHED = {"lspet": 10_000}  # people in the whole set

KINDS = {
    "mannequins": "rendered people, called mannequins",
    "lspet": "photographs of athletes, Leeds Sports Pose Extended",
    "coco": "photographs of COCO",
}


def sentences(m: Mapping[str, Any]) -> dict[str, str]:
    """What the page, the landing page and the abstract say, by name, of the chapter's metrics."""
    return {
        "answer": answer(m),
        "data": m["data"],
        "kind": KINDS.get(parse_spec(m["data"])[0], f"the data `{m['data']}`"),
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
            f"**Two annotators of the same photograph agree on {100 * agreement['mean']:.0f} % of its joints**, to within a fifth of the "
            f"torso. This limits how far any score against these labels can be trusted, and was measured on {m['twice']['photographs']} "
            "photographs."
        )
    if m["floor"] is not None:
        return (
            "**Poses are too varied to be guessed**: the median pose of the training people, predicted for everybody, finds only "
            f"{100 * m['floor']:.1f} % of the joints."
        )
    return f"**{m['people']:,} people have {number(m['labelled_per_person'], 1)} of {m['joints']} joints labelled**, on average."


def splits(m: Mapping[str, Any]) -> str:
    return listed(f"{count:,} *{name}*" for name, count in m["splits"].items())


def left_out(m: Mapping[str, Any]) -> str:
    reasons = [f"{count:,} {reason}" for reason, count in m["left_out"].items() if count]
    return f"{listed(reasons)} were left out." if reasons else "None of these was left out."


def provenance(m: Mapping[str, Any]) -> str:
    kind = parse_spec(m["data"])[0]
    about = f": {SETS[kind]}" if kind in SETS else ""
    spec = "" if m["data"] == kind else f" (`{m['data']}`)"
    hidden = f"Of the labelled joints {100 * m['hidden_share']:.0f} % are hidden" if m["hidden_share"] else "Hidden joints are not marked"
    whole = PUBLISHED.get(kind, 0)
    count = f"{m['people']:,}" + (f" of its {whole:,}" if m["people"] < whole else "")
    return (
        f"The data of this edition are **{kind}**{spec}{about}. The data used here have {count} people, with "
        f"{number(m['labelled_per_person'], 1)} "
        f"of {m['joints']} joints labelled on average; {100 * m['fully_labelled_share']:.0f} % of them have every joint labelled. "
        f"{hidden}. "
        f"The people are divided into fixed splits: {splits(m)}. {left_out(m)}"
    )


def floor(m: Mapping[str, Any]) -> str:
    if m["floor"] is None:
        return ""
    return (
        "As a baseline without a network, the median pose of the training people is predicted for every test person, whatever the "
        "picture. "
        f"This finds {100 * m['floor']:.1f} % of the joints within a fifth of the torso (PCK@0.2·torso). Every score on "
        "these people has to be compared with this one."
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
            "The joints of rendered people are exact, so that every error on them is the network's own. Photographs are annotated by "
            "people, who make errors; the edition on photographs measures how large these are."
        )
    if twice["agreement"] is None:
        return "No photograph is in this set twice, so that the agreement between annotators cannot be measured."
    again = {0: "", 1: " In one more photograph the two annotators chose different people."}.get(
        twice["others"], f" In {twice['others']} more photographs the two annotators chose different people."
    )
    share = twice["agreement"]["mean"]
    return (
        f"{twice['photographs']} photographs are in this set twice, possibly in another size, and each copy was annotated on its own. "
        f"The two annotations can therefore be compared.{again} Of the {twice['joints']} joints that both annotators labelled, "
        f"{spoken(twice['agreement'])} lie within a fifth of the torso of each other (bootstrap over photographs). Some annotators "
        "exchanged left and right, and so differ in every joint that has a side. If both annotators are equally reliable and err "
        "independently, each "
        f"places about {100 * share**0.5:.0f} % of the joints correctly. A perfect network would score about that much against "
        f"these labels."
    )


def preprocessing(m: Mapping[str, Any]) -> str:
    """A Markdown table of the values of preprocessing and augmentation."""
    p = m["preprocessing"]
    rows = {
        "network's view": f"a square {p['margin']:g} times as wide as the longer side of the person's box",
        "stored crop": f"a square {p['context']:g} times as wide as the view, {p['crop']} × {p['crop']} pixels, "
        "so that a shifted view shows real pixels",
        "pixel values": "RGB from 0 to 1, without subtracting a mean, since batch normalisation does that",
        "rotation": f"normal, standard deviation {p['rotation']:g}°, clipped at {2 * p['rotation']:g}°; in "
        f"{100 * p['upside_down']:g} % of views any angle",
        "scale": f"between 1/{1 + p['scale']:g} and {1 + p['scale']:g}, log-uniform",
        "shift": f"up to {100 * p['shift']:g} % of the view's width",
        "mirror image": f"{100 * p['flip']:g} % of views, left and right joints exchanged",
        "colour": f"brightness and contrast changed by up to ± {100 * p['colour']:g} %, each channel by up to another ± "
        f"{40 * p['colour']:g} %",
        "occlusion": f"a patch of one colour in {100 * p['occlusion']:g} % of views",
    }
    return "\n".join(["| setting | value |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def beside(m: Mapping[str, Any]) -> str:
    if m["beside"]:
        return (
            "Mannequins are rendered with joint angles, headings and tilts that a person might have; none of them copies a "
            "photograph. The "
            "figure shows six photographs, drawn at random from those with every joint labelled, and for each the mannequin with "
            "the most "
            "similar pose."
        )
    if parse_spec(m["data"])[0] == "mannequins":
        return (
            "This edition has no photographs to compare its mannequins with; the edition on photographs shows some beside mannequins of "
            "similar pose."
        )
    return "No rendered people are shown, because the parameter `beside` names none."
