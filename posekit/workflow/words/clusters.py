"""What 06_clusters says: whether people form groups by their codes, what clusters hold, and what maps are worth."""

from collections.abc import Mapping

from posekit.workflow.words import by_number, listed, number, ranged, share
from posekit.workflow.words.training import DATA

CONTROL = "no structure (control)"
COMPONENTS = "two principal components"
UNMAPPED = f"UMAP of {CONTROL}"
FULL = 124_040  # codes of the study


def sentences(m: Mapping) -> dict[str, str]:
    """What the page says, by name, of the chapter's metrics."""
    whole = m["valley"]
    return {
        "answer": answer(m),
        "dimensions": f"{m['dimensions']:,}",
        "people": f"{m['people']:,} {'mannequins' if m['rendered'] else 'people of ' + DATA.get(m['source'], m['source'])}, {m['seen']}",
        "hook_point": f"`{m['hook_point']}`",
        "network": m["network"],
        "components": str(m["components"]),
        "variance": f"{100 * m['variance']:.0f} %",
        "whole": ranged(m["whole codes"]),
        "best": best(m),
        "complete": complete(m),
        "control": control(m),
        "valley": f"{ranged(whole['everyone'])}; for the control it is {ranged(whole[CONTROL])}",
        "gap": gap(m),
        "density": density(m),
        "meaning": meaning(m),
        "near": near(m["nearest"]),
        "postures": postures(m),
        "maps": maps(m),
        "scale": scale(m["scale"]),
    }


def verdicts(m: Mapping) -> dict[str, str]:
    """The chapter's table, question to answer."""
    k, lead, over, first = m["ks"][0], m["best"]["lead"], by_number(m["excess"])[m["ks"][0]], first_map(m)
    chosen = m["best"]["k"]
    holds = "Undecided" if not lead["low"] > 0 else "Holds" if chosen == k else "Fails"
    kept, far = (
        f"{ranged(first[name], d)} against {ranged(m['maps'][COMPONENTS][name], d)}"
        for name, d in (("trustworthiness", 3), ("far distances", 2))
    )
    umap = {"better than": "Holds", "worse than": "Fails", "about as well as": "Undecided"}[than(m, "trustworthiness")]
    return {
        f"The silhouette is highest at K = {k}": (
            f"{holds}: K = {chosen} has {ranged(silhouette(m, 'everyone', chosen), 3)}, {ranged(lead, 3)} more than K = {m['best']['next']}"
        ),
        "… and is more than one cloud would give": (
            f"{'Holds' if over['low'] > 0 else 'Not shown'}, by {ranged(over, 3)} over {m['control']['clouds']} such clouds; "
            f"the control gives {ranged(silhouette(m, CONTROL, k), 3)}"
        ),
        "… so people form two groups": (
            f"{'Holds' if valley(m) == 'deep' else 'No valley shown'}: density at the border over that at the centres "
            f"{ranged(m['valley']['everyone'])}, in one cloud {ranged(m['valley'][CONTROL])}"
        ),
        "Two clusters come back with other people": (
            f"Adjusted Rand {ranged(by_number(m['stability']['everyone'])[k])}, in one cloud "
            f"{ranged(by_number(m['stability'][CONTROL])[k])}"
        ),
        "What the two differ in most (standard deviations)": "; ".join(
            f"{record['attribute']} {size_of(record)}" for record in m["differ in"]
        )
        or "No attribute is defined for enough people",
        "UMAP keeps neighbours better than two components": f"{umap}: trustworthiness {kept}; far distances {far}",
        f"All {FULL:,} codes do not fit into memory": (
            f"Not needed to cluster them: {m['scale']['people']:,} drawn points took {m['scale']['seconds']:.1f} s and "
            f"{m['scale']['megabytes']:.0f} MB"
            if m["scale"]
            else "not tried here"
        ),
    }


def silhouette(m: Mapping, name: str, k: int) -> Mapping:
    return by_number(m["silhouettes"][name])[k]


def valley(m: Mapping) -> str:
    """Whether there are fewer people at the border of two clusters than at their centres: `deep`, `shallow` or `none`."""
    own, cloud = m["valley"]["everyone"], m["valley"][CONTROL]
    return "none" if own["high"] >= 1 else "deep" if own["high"] < cloud["low"] else "shallow"


def answer(m: Mapping) -> str:
    ratio = ranged(m["valley"]["everyone"])
    density_there = f"the density of people at the border of two clusters is {ratio} times the lower of those at their centres"
    return {
        "none": f"**No groups are shown**: {density_there}, where two separate groups give less than 1.",
        "shallow": f"**No groups are shown**: {density_there}, no less than where a cloud without groups is cut in two.",
        "deep": f"**They do**: {density_there}, less than where a cloud without groups is cut in two.",
    }[valley(m)]


def best(m: Mapping) -> str:
    k, lead = m["best"]["k"], m["best"]["lead"]
    said = f"The silhouette is highest at **K = {k}**: {ranged(silhouette(m, 'everyone', k), 3)}."
    ahead = f"It leads K = {m['best']['next']} by {ranged(lead, 3)}"
    return f"{said} {ahead}." if lead["low"] > 0 else f"{said} {ahead}, an interval that contains 0: the number of clusters is not decided."


def complete(m: Mapping) -> str:
    full = m["fully annotated"]
    if full["people"] == m["people"]:
        return "All of these people are fully annotated."
    if "best" not in full:
        return f"Only {full['people']:,} of these people are fully annotated, too few to cluster separately."
    found = full["best"]
    top = ranged(silhouette(m, "fully annotated", found["k"]), 3)
    return (
        f"Among the {full['people']:,} who are fully annotated it is highest at K = {found['k']}: {top}, {ranged(found['lead'], 3)} above "
        f"K = {found['next']}."
    )


def control(m: Mapping) -> str:
    k, prefers = m["ks"][0], m["control"]["best"]
    over = by_number(m["excess"])[k]
    also, own = "also " if prefers == m["best"]["k"] else "", ranged(silhouette(m, CONTROL, k), 3)
    said = f"the control {also}has its highest silhouette at K = {prefers}"
    said += f", {own}." if prefers == k else f"; at K = {k} it has {own}."
    judged = "" if over["low"] > 0 else ", which is not significant"
    return f"{said} Compared with {m['control']['clouds']} such clouds, the people's is {ranged(over, 3)} higher{judged}."


def gap(m: Mapping) -> str:
    said = {
        "deep": "There is a valley, deeper than the control's.",
        "shallow": "There is a shallow valley, no deeper than the control's.",
        "none": "No valley is shown.",
    }[valley(m)]
    power = m["valley"]["seen from"]
    if power == float("inf") or power is None:
        return f"{said} With {m['people']:,} people the test would miss even groups 10 standard deviations apart."
    return (
        f"{said} With {m['people']:,} people the test detects two equal groups in four of five simulations once their centres are "
        f"{power:g} standard deviations apart; it can miss groups that are closer."
    )


def density(m: Mapping) -> str:
    """What HDBSCAN finds, in all components and where it finds most."""
    rows = m["density"]
    count = max(row["people: clusters"] for row in rows)
    full = min((row for row in rows if row["components"] == rows[-1]["components"]), key=lambda row: row["people: noise"]["mean"])
    words = (
        f"In all {full['components']} components it finds {clusters(full['people: clusters'])} and leaves {share(full['people: noise'])} "
        f"of the people as noise; in the control, {clusters(full['control: clusters'])} and {share(full['control: noise'])}."
    )
    if count > full["people: clusters"]:
        most = [
            f"in {row['components']} components, with {share(row['people: noise'])} left as noise, where the control has "
            f"{clusters(row['control: clusters'])}"
            for row in rows
            if row["people: clusters"] == count
        ]
        words += f" It finds the most, {clusters(count)}, {'; '.join(most)}."
    only = [row for row in rows if row["people: clusters"] > 1 and not row["control: clusters"]]
    if only:
        least = min(row["people: noise"]["mean"] for row in only)
        words += (
            f" In {len(only)} of the {len(rows)} rows people have several clusters and the control has none; there at least "
            f"{100 * least:.0f} % of the people are noise."
        )
        if least > 0.5:
            words += " Such clusters are a few dense spots: most people belong to none."
    return words


def clusters(count: int) -> str:
    return "no cluster" if not count else "1 cluster" if count == 1 else f"{count} clusters"


def meaning(m: Mapping) -> str:
    if not m["differ in"]:
        return "No attribute is defined for enough people to say what the two clusters differ in."
    first, *others = m["differ in"]
    names = listed(f"*{record['attribute']}*" for record in others)
    then = (
        f". Without attributes that nearly repeat an earlier one, {names} {'come' if len(others) > 1 else 'comes'} next." if others else "."
    )
    return f"The two clusters differ most in *{first['attribute']}*, by {size_of(first)} standard deviations{then}"


def size_of(record: Mapping) -> str:
    """A difference without its sign."""
    low, high = sorted((abs(record["low"]), abs(record["high"])))
    return ranged({"mean": abs(record["difference"]), "low": low if record["low"] * record["high"] > 0 else 0, "high": high})


def near(ratios: list[float]) -> str:
    return (
        f"The people nearest to a centre still lie at {100 * min(ratios):.0f} % and {100 * max(ratios):.0f} % of their cluster's mean "
        "distance from it. In so many dimensions the middle of a cluster is empty, so these people show what is common in a cluster; "
        "they are no prototypes."
    )


def postures(m: Mapping) -> str:
    found = m["postures"]
    if not found:
        return "Photographs come without a list of postures with which to compare the clusters."
    end = (
        "hardly more than chance. The codes are not sorted by posture."
        if found["agreement"]["high"] < 0.2
        else "the clusters and the postures have something in common."
    )
    return (
        f"The mannequins were posed in {found['kinds']} kinds of posture. The clustering that comes nearest to them, into {found['k']}, "
        f"has an adjusted Rand index with them of {ranged(found['agreement'])}: {end}"
    )


def first_map(m: Mapping) -> Mapping:
    return next(iter(m["maps"].values()))


def than(m: Mapping, measure: str) -> str:
    """Whether UMAP's measure is above that of two components, by their intervals."""
    one, other = first_map(m)[measure], m["maps"][COMPONENTS][measure]
    return "better than" if one["low"] > other["high"] else "worse than" if one["high"] < other["low"] else "about as well as"


def maps(m: Mapping) -> str:
    first, plain, none = first_map(m), m["maps"][COMPONENTS], m["maps"][UNMAPPED]

    def both(name: str) -> str:
        return f"{number(first[name]['mean'])} against {number(plain[name]['mean'])}"

    sizes = [name for name in m["disparity"] if name != "sizes"]
    seeds = listed(f"{ranged(m['disparity'][n], 3)} with {n} neighbours" for n in sizes)
    return (
        f"UMAP keeps neighbours {than(m, 'trustworthiness')} two components do (trustworthiness {both('trustworthiness')}) and far "
        f"distances {than(m, 'far distances').removesuffix(' than').removesuffix(' as')} (rank correlation {both('far distances')}). A "
        f"good score is no evidence of groups: the map of the control has a trustworthiness of {number(none['trustworthiness']['mean'])}. "
        f"After turning and scaling, the maps of two seeds differ by a Procrustes disparity of {seeds} (0: the same map, 1: unrelated "
        f"maps); those of the two neighbourhood sizes differ by {ranged(m['disparity']['sizes'], 3)}."
    )


def scale(tried: Mapping) -> str:
    if not tried:
        return "The trial at full scale is left out of this edition."
    people = tried["people"]
    how = "by mini-batches, the best of ten starts" if tried["by mini-batches"] else "the best of ten starts"
    return (
        f"For {people:,} people the table would take {people**2 * 8 / 1e9:,.3g} GB, for 10,000 people {10_000**2 * 8 / 1e9:.1f} GB. The "
        f"silhouette of a sample of {tried['sample']:,} people has an interval too, and its memory does not grow with the number of "
        f"people. On {people:,} points drawn with the variances of these codes, k-means with two clusters ({how}) and their silhouette "
        f"({ranged(tried['silhouette'], 3)}) took {tried['seconds']:.1f} s and {tried['megabytes']:.0f} MB beside the "
        f"{tried['points megabytes']:.0f} MB of the points."
    )
