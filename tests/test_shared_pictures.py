"""Intervals where people share pictures: over pictures, and to the bit those over people where nobody shares one."""

import numpy as np
import pytest

from posekit.errors import PosekitError
from posekit.interpret.activations import ablation, stacks, walks
from posekit.interpret.analysis import cka, clusters, components, embedding, probes, shared
from posekit.interpret.analysis.neighbours import closeness
from posekit.interpret.attribution import dependency, shapley
from posekit.interpret.attribution.sanity import mean_interval
from posekit.skeleton import COCO
from posekit.studies.comparison import gains

PEOPLE = 150


def numbers():
    """Points (N, 2), labels (N,) and an attribute (N,) of people each of a picture of their own."""
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1], PEOPLE // 2)
    points = random.normal(size=(PEOPLE, 2)) + 3 * labels[:, None] * [1, 0]
    return points, labels, points[:, 0] + random.normal(0, 2, PEOPLE)


def mixed(labels):
    return np.where(np.arange(len(labels)) // 3 % 5, labels, 1 - labels)


def correlated(points, labels, attribute, **options):
    return probes.correlations(points, {"a": attribute}, **options).iloc[0][["r", "low", "high"]].to_dict()


def near(points, labels, attribute, **options):
    apart = np.abs(attribute[:, None] - attribute)
    np.fill_diagonal(apart, np.nan)
    return closeness(points + np.random.default_rng(0).normal(0, 1e-6, points.shape), apart, **options)


def enriched(points, labels, attribute, **options):
    return clusters.enrichment(labels, {"a": attribute}, **options)[0]


def tilted(points, attribute):
    return np.stack([points[:, 0], points[:, 1] + attribute], 1)


def varied(points, labels, attribute, **options):
    return components.jackknife(points, {"first": lambda found: found.variances[0]}, **options)["first"]


def far(points, labels, attribute, **options):
    return embedding.far_distances(points, tilted(points, attribute), sample=3 * PEOPLE, **options)


def told(points, labels, attribute, **options):
    return probes.classified(tilted(points, attribute), labels, **options)["correct"]


def effects(points, labels, attribute):
    """(N, 17, 17): alike in all but for much that is each person's own; some are not known."""
    row, column = np.mgrid[:17, :17]
    own = np.sin(np.einsum("n,ij->nij", 50 * points[:, 0], row + 1) + np.einsum("n,ij->nij", 50 * attribute, column + 2))
    return np.where(points[:, 1, None, None] + column > -1, 3 * own - np.minimum(dependency.hops(COCO), 9), np.nan)


def pair(*given, **options):
    return {name: block[3, 5] for name, block in dependency.matrix_interval(effects(*given), **options).items()}


def own(*given, **options):
    values = np.nan_to_num(effects(*given))
    return shapley.own_share(shapley.Shapley(values, COCO.joints, 300 + values.sum(1)), **options)


WAYS = {
    "correlations": correlated,
    "closeness": near,
    "enrichment": enriched,
    "mean": lambda points, labels, attribute, **options: clusters.mean_over_people(attribute, **options),
    "halves": lambda points, labels, attribute, **options: clusters.over_halves(0, clusters.halves(points, [2], **options)[2]),
    "valley": lambda points, labels, attribute, **options: clusters.valley(points[:, 0] / 3, **options),
    "rand index": lambda points, labels, attribute, **options: clusters.rand_index(labels, mixed(np.argsort(labels)) > 75, **options),
    "stability": lambda points, labels, attribute, **options: clusters.cluster_stability(points, 2, pairs=4, **options),
    "jackknife": varied,
    "alignment": lambda points, labels, attribute, **options: cka.interval(points, tilted(points, attribute), permutations=2, **options),
    "far distances": far,
    "disparity": lambda points, labels, attribute, **options: embedding.disparity(points, tilted(points, attribute), **options),
    "kinds": told,
    "effect": pair,
    "on the others": lambda *given, **options: dependency.influence(effects(*given), COCO, **options)["nose"],
    "on the other side": lambda *given, **options: dependency.on_counterparts(effects(*given), COCO, **options),
    "agreement": lambda *given, **options: dependency.agreement(effects(*given), -dependency.hops(COCO), resamples=200, **options),
    "own share": own,
    "walk": lambda points, labels, attribute, pictures=None: walks._block(attribute, pictures),
}


@pytest.mark.parametrize("name", WAYS)
def test_of_people_of_one_picture_each_nothing_changes(name):
    given = numbers()
    pictures = np.random.default_rng(0).permutation(PEOPLE) + 7
    assert WAYS[name](*given, pictures=pictures) == WAYS[name](*given)


def width(block):
    return block["high"] - block["low"]


@pytest.mark.parametrize("name", sorted(WAYS.keys() - {"closeness", "rand index", "stability"}))
def test_three_people_who_are_the_same_count_as_one(name):
    """The interval is about that of one of them (a density of more people is drawn finer); as three it would be narrower by √3."""
    one, pictures = numbers(), np.repeat(np.arange(PEOPLE), 3)
    three = [np.repeat(values, 3, 0) for values in one]
    assert width(WAYS[name](*three, pictures=pictures)) == pytest.approx(width(WAYS[name](*one)), rel=0.3)
    assert width(WAYS[name](*three)) < 0.75 * width(WAYS[name](*one))


def test_labels_of_three_people_who_are_the_same_count_as_one():
    random = np.random.default_rng(0)
    a = random.integers(2, size=PEOPLE)
    b = np.where(random.random(PEOPLE) < 0.2, 1 - a, a)
    three = np.repeat(a, 3), np.repeat(b, 3)
    found = clusters.rand_index(*three, pictures=np.repeat(np.arange(PEOPLE), 3))
    assert width(found) == pytest.approx(width(clusters.rand_index(a, b)), rel=0.05)
    assert width(clusters.rand_index(*three)) < 0.75 * width(found)


def crowd(random):
    """Score and attribute (N,) without correlation, alike within pictures of 1 to 4 people; and their pictures."""
    pictures = np.repeat(np.arange(60), random.integers(1, 5, 60))

    def alike():
        return random.normal(size=60)[pictures] + random.normal(0, 0.5, len(pictures))

    return alike(), alike(), pictures


def test_intervals_of_correlations_hold_the_truth_19_times_in_20():
    random, held = np.random.default_rng(0), {"over pictures": [], "over people": []}
    for _ in range(400):
        score, attribute, pictures = crowd(random)
        for name, known in (("over pictures", pictures), ("over people", None)):
            row = probes.correlations(score[:, None], {"a": attribute}, pictures=known).iloc[0]
            held[name].append(row.low <= 0 <= row.high)
    assert 0.925 <= np.mean(held["over pictures"]) <= 0.98
    assert np.mean(held["over people"]) < 0.85


def test_intervals_of_clusters_differences_hold_the_truth_19_times_in_20():
    random, held = np.random.default_rng(0), []
    for _ in range(400):
        score, attribute, pictures = crowd(random)
        row = clusters.enrichment((score > 0).astype(int), {"a": attribute}, pictures=pictures)[0]
        held.append(row["low"] <= 0 <= row["high"])
    assert 0.925 <= np.mean(held) <= 0.98


def test_intervals_of_closeness_hold_the_mean_of_many_samples():
    """In some pictures the code tells the pose of everybody, in the others of nobody."""
    random, found = np.random.default_rng(0), {True: [], False: []}
    for _ in range(80):
        pictures = np.repeat(np.arange(40), 4)
        pose = random.normal(size=160)
        code = np.where((random.random(40) < 0.5)[pictures], pose, 100 + random.normal(size=160))
        apart = np.abs(pose[:, None] - pose)
        np.fill_diagonal(apart, np.nan)
        for known in (True, False):
            found[known].append(closeness(code[:, None], apart, pictures=pictures if known else None))
    truth = np.mean([block["mean"] for block in found[True]])
    held = {known: np.mean([block["low"] <= truth <= block["high"] for block in blocks]) for known, blocks in found.items()}
    assert held[True] >= 0.9 and held[False] < 0.85


def test_of_one_picture_there_is_no_interval():
    score, attribute = np.random.default_rng(0).normal(size=(2, 40))
    row = probes.correlations(score[:, None], {"a": attribute}, pictures=np.zeros(40)).iloc[0]
    assert np.isfinite(row.r) and np.isnan([row.low, row.high]).all()
    assert np.isnan(shared.half_width(np.ones(3), np.zeros(3, int)))
    with pytest.raises(PosekitError, match="take more people"):
        probes.correlations(score[:5, None], {"a": attribute[:5]}, pictures=np.zeros(5))


def hits_of(pictures, seed=0):
    """Hits (N, 17) of people who fare much alike in a picture, and of another method that finds a little more."""
    random = np.random.default_rng(seed)
    share = random.random(PEOPLE)[pictures, None]
    return [(random.random((len(pictures), 17)) < power).astype(float) for power in (share**2, share)]


@pytest.mark.parametrize("ask", [
    lambda before, after, **options: ablation.summary(after, before, COCO, **options)["change"],
    lambda before, after, **options: ablation.summary(after, before, COCO, **options)["joint changes"]["nose"],
    lambda before, after, **options: ablation.kind_changes(after, before, COCO, **options)["wrist"],
    lambda before, after, **options: ablation.small_joints(after, before, COCO, resamples=300, **options),
    lambda before, after, **options: stacks.shares(5 * before.astype(int), **options)["miss"],
    lambda before, after, **options: stacks.corrected(before.astype(int), after.astype(int), **options)["net"],
    lambda before, after, **options: gains([before, after], **options)[0],
    lambda before, after, **options: mean_interval(before.sum(1), **options),
])  # fmt: skip
def test_scores_and_changes_are_over_pictures(ask):
    alone, pictures = np.arange(PEOPLE), np.repeat(np.arange(PEOPLE), 3)
    assert ask(*hits_of(alone), pictures=alone) == ask(*hits_of(alone))
    three = [np.repeat(hits, 3, 0) for hits in hits_of(alone)]
    assert width(ask(*three, pictures=pictures)) == pytest.approx(width(ask(*hits_of(alone))), rel=0.2)
    assert width(ask(*three)) < 0.85 * width(ask(*three, pictures=pictures))


def test_of_one_picture_maps_and_matrices_have_no_interval():
    points, labels, attribute = numbers()
    for name in ("far distances", "disparity", "alignment", "agreement"):
        found = WAYS[name](points, labels, attribute, pictures=np.zeros(PEOPLE))
        assert np.isfinite(found["mean"]) and np.isnan([found["low"], found["high"]]).all()
    assert np.isnan(pair(points, labels, attribute, pictures=np.arange(PEOPLE) % (dependency.LEAST - 1))["mean"])
    with pytest.raises(PosekitError, match="an interval by the jackknife needs 4 pictures, and there are 3"):
        varied(points, labels, attribute, pictures=np.arange(PEOPLE) % 3)


def test_kinds_are_told_of_people_in_pictures_that_were_not_seen():
    """The kind is the picture's, and nothing but the picture tells it: only who has seen the picture knows."""
    pictures = np.repeat(np.arange(24), 10)
    scores = np.random.default_rng(0).normal(0, 0.1, (240, 24)) + np.eye(24)[pictures]
    kinds = np.random.default_rng(1).integers(2, size=24)[pictures]
    assert probes.classified(scores, kinds)["correct"]["mean"] > 0.95
    assert probes.classified(scores, kinds, pictures=pictures)["correct"]["mean"] < 0.7
    with pytest.raises(PosekitError, match="kinds: 5 folds of 3 pictures"):
        probes.classified(scores, kinds, pictures=pictures % 3)
    with pytest.raises(PosekitError, match="kinds: those who are not left out are all of one"):
        probes.classified(scores, (pictures == 3).astype(int), pictures=pictures)


def test_far_distances_are_spearmans_where_people_share_pictures_too():
    points, labels, attribute = numbers()
    assert far(points, labels, attribute, pictures=np.arange(PEOPLE) // 3)["mean"] == far(points, labels, attribute)["mean"]


def test_a_walk_is_over_the_pictures_of_those_whom_it_has_an_effect_on():
    values, pictures = np.array([np.nan, 1, 1, 2, 4, np.nan]), np.array([0, 7, 7, 5, 5, 3])
    found = walks._block(values, pictures)
    assert (found["mean"], found["people"], found["left_out"]) == (2, 4, 2)
    assert (found["low"], found["high"]) == (1, 3)  # the means of either picture
