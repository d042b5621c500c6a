"""What 06_clusters says, by planted metrics: every branch."""

import json

import pytest

from posekit.workflow.words import clusters as words


def block(mean, half=0.01, **more):
    return {"mean": mean, "low": mean - half, "high": mean + half, **more}


def row(components, people, control, noise=0.9):
    return {"components": components, "at least": 20, "people: clusters": people, "people: noise": block(noise),
            "control: clusters": control, "control: noise": block(1.0)}  # fmt: skip


def measures(trust, far):
    return {"trustworthiness": block(trust), "continuity": block(trust), "far distances": block(far)}


def planted(**changes):
    metrics = {
        "network": "net", "hook_point": "stack0.bottleneck1", "source": "lspet", "rendered": False, "seen": "of val", "people": 2000,
        "dimensions": 1152, "components": 50, "ks": [2, 3], "variance": 0.79, "whole codes": block(0.99),
        "silhouettes": {"everyone": {2: block(0.13), 3: block(0.11)}, words.CONTROL: {2: block(0.10), 3: block(0.09)},
                        "fully annotated": {2: block(0.14), 3: block(0.12)}},
        "stability": {"everyone": {2: block(0.9)}, words.CONTROL: {2: block(0.8)}},
        "excess": {2: block(0.03)}, "best": {"k": 2, "next": 3, "lead": block(0.02)},
        "fully annotated": {"people": 1500, "best": {"k": 2, "next": 3, "lead": block(0.02)}}, "control": {"best": 2, "clouds": 20},
        "valley": {"everyone": block(1.1, 0.2), words.CONTROL: block(1.4, 0.2), "seen from": 3.0},
        "density": [row(2, 2, 0), row(50, 0, 0)], "differ in": [{"attribute": "upright", "difference": -1.26, "low": -1.3, "high": -1.2}],
        "nearest": [0.6, 0.7], "postures": {}, "maps": {"UMAP, 15 neighbours, seed 0": measures(0.94, 0.5),
            words.COMPONENTS: measures(0.82, 0.8), words.UNMAPPED: measures(0.93, 0.5)},
        "disparity": {15: block(0.1), 50: block(0.2), "sizes": block(0.3)}, "scale": {},
    }  # fmt: skip
    return json.loads(json.dumps(metrics | changes))


@pytest.mark.parametrize(
    ("own", "kind", "answer", "gap", "cell"),
    [
        (block(1.1, 0.2), "none", "**No groups are shown**: the density of people", "No valley is shown.", "No valley shown"),
        (block(0.9, 0.05), "shallow", "**No groups are shown**", "There is a shallow valley", "No valley shown"),
        (block(0.5, 0.05), "deep", "**They do**", "There is a valley, deeper", "Holds"),
    ],
)
def test_a_valley_is_judged_beside_that_of_one_cloud(own, kind, answer, gap, cell):
    cloud = block(0.9, 0.1)
    metrics = planted(valley={"everyone": own, words.CONTROL: cloud, "seen from": 3.0})
    assert words.valley(metrics) == kind
    said = words.sentences(metrics)
    assert said["answer"].startswith(answer) and said["gap"].startswith(gap)
    assert "in four of five simulations once their centres are 3 standard deviations apart" in said["gap"]
    assert words.verdicts(metrics)["… so people form two groups"].startswith(cell)


@pytest.mark.parametrize("power", [None, float("inf")])
def test_a_density_test_without_power_says_so(power):
    metrics = planted()
    metrics["valley"]["seen from"] = power
    assert words.gap(metrics).endswith("would miss even groups 10 standard deviations apart.")


@pytest.mark.parametrize(
    ("best", "said", "cell"),
    [
        ({"k": 2, "next": 3, "lead": block(0.02)}, "It leads K = 3 by 0.020 [0.010,\u00a00.030].", "Holds: K = 2"),
        ({"k": 3, "next": 2, "lead": block(0.02)}, "It leads K = 2 by", "Fails: K = 3"),
        ({"k": 2, "next": 3, "lead": block(0.005)}, "the number of clusters is not decided.", "Undecided: K = 2"),
    ],
)
def test_the_best_number_of_clusters(best, said, cell):
    metrics = planted(best=best)
    assert said in words.best(metrics)
    assert words.verdicts(metrics)["The silhouette is highest at K = 2"].startswith(cell)


@pytest.mark.parametrize(
    ("full", "said"),
    [
        ({"people": 2000}, "All of these people are fully annotated."),
        ({"people": 12}, "Only 12 of these people are fully annotated, too few to cluster separately."),
        (None, "Among the 1,500 who are fully annotated it is highest at K = 2: 0.140 [0.130,\u00a00.150], "
         "0.020 [0.010,\u00a00.030] above K = 3."),
    ],
)  # fmt: skip
def test_the_fully_annotated(full, said):
    assert words.complete(planted(**({"fully annotated": full} if full else {}))) == said


@pytest.mark.parametrize(
    ("prefers", "excess", "has", "end", "cell"),
    [
        (2, 0.03, "the control also has its highest silhouette at K = 2", " higher.", "Holds"),
        (3, 0.005, "the control has its highest silhouette at K = 3", "which is not significant.", "Not shown"),
    ],
)
def test_the_structureless_cloud(prefers, excess, has, end, cell):
    metrics = planted(control={"best": prefers, "clouds": 20}, excess={2: block(excess)})
    said = words.control(metrics)
    assert has in said and said.endswith(end) and "Compared with 20 such clouds" in said
    assert words.verdicts(metrics)["… and is more than one cloud would give"].startswith(cell)


def test_what_hdbscan_finds():
    said = words.density(planted())
    assert said.startswith("In all 50 components it finds no cluster and leaves 90 % [89,\u00a091] of the people as noise;")
    assert "It finds the most, 2 clusters, in 2 components" in said and "In 1 of the 2 rows people have several clusters" in said
    tied = words.density(planted(density=[row(2, 2, 2), row(5, 2, 0), row(50, 0, 0)]))
    assert "has 2 clusters; in 5 components, with 90 %" in tied and "where the control has no cluster." in tied
    quiet = words.density(planted(density=[row(2, 1, 1), row(50, 1, 0)]))
    assert "finds 1 cluster and" in quiet and "finds most" not in quiet and "people have" not in quiet
    assert said.endswith("most people belong to none.") and "none." not in words.density(planted(density=[row(2, 2, 0, noise=0.3)]))[-5:]


def test_what_clusters_differ_in():
    upright = {"attribute": "upright", "difference": -1.26, "low": -1.3, "high": -1.2}
    spread = {"attribute": "spread", "difference": 0.1, "low": -0.1, "high": 0.3}
    assert words.meaning(planted()) == "The two clusters differ most in *upright*, by 1.26 [1.20,\u00a01.30] standard deviations."
    assert words.meaning(planted(**{"differ in": [upright, spread]})).endswith(
        "deviations. Without attributes that nearly repeat an earlier one, *spread* comes next."
    )
    differences = words.verdicts(planted(**{"differ in": [spread]}))["What the two differ in most (standard deviations)"]
    assert differences == "spread 0.10 [0.00,\u00a00.30]"
    nothing = planted(**{"differ in": []})
    assert words.meaning(nothing).startswith("No attribute is defined")
    assert "No attribute is defined" in words.verdicts(nothing)["What the two differ in most (standard deviations)"]


def test_postures():
    assert words.postures(planted()).startswith("Photographs come without")
    found = {"k": 6, "kinds": 9, "agreement": block(0.05)}
    assert words.postures(planted(postures=found)).endswith(
        "0.05 [0.04,\u00a00.06]: hardly more than chance. The codes are not sorted by posture."
    )
    assert words.postures(planted(postures=found | {"agreement": block(0.5)})).endswith(
        "the clusters and the postures have something in common."
    )
    assert words.sentences(planted(rendered=True))["people"] == "2,000 mannequins, of val"


@pytest.mark.parametrize(
    ("umap", "plain", "said", "cell"),
    [(0.94, 0.82, "better than", "Holds"), (0.82, 0.94, "worse than", "Fails"), (0.9, 0.905, "about as well as", "Undecided")],
)
def test_maps_are_compared_by_their_intervals(umap, plain, said, cell):
    maps = {"UMAP": measures(umap, 0.5), words.COMPONENTS: measures(plain, 0.8), words.UNMAPPED: measures(0.93, 0.5)}
    metrics = planted(maps=maps)
    assert f"keeps neighbours {said} two components do (trustworthiness {umap:.2f} against {plain:.2f})" in words.maps(metrics)
    assert "0.100 [0.090,\u00a00.110] with 15 neighbours and 0.200" in words.maps(metrics)
    assert words.verdicts(metrics)["UMAP keeps neighbours better than two components"].startswith(cell)


@pytest.mark.parametrize(
    ("batches", "said"),
    [(True, "two clusters (by mini-batches, the best of ten starts)"), (False, "two clusters (the best of ten starts)")],
)
def test_the_trial_at_full_scale(batches, said):
    tried = {"people": 124040, "seconds": 0.5, "megabytes": 99.0, "points megabytes": 25.0, "silhouette": block(0.1), "sample": 2000,
             "by mini-batches": batches}  # fmt: skip
    text = words.scale(tried)
    assert text.startswith("For 124,040 people the table would take 123 GB, for 10,000 people 0.8 GB.") and said in text
    row = words.verdicts(planted(scale=tried))["All 124,040 codes do not fit into memory"]
    assert row == "Not needed to cluster them: 124,040 drawn points took 0.5 s and 99 MB"
    assert words.scale({}).startswith("The trial at full scale is left out")
    assert words.verdicts(planted())["All 124,040 codes do not fit into memory"] == "not tried here"
