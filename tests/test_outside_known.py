"""Outside networks whose answers are known in closed form, and a skeleton of one's own."""

import numpy as np
import outside
import pytest

import posekit
from posekit import PosekitError, metrics
from posekit.data.people import joints_box
from posekit.interpret.activations import ablation
from posekit.interpret.activations import codes as coding
from posekit.interpret.attribution import dependency, sanity
from posekit.skeleton import COCO

PLAIN = posekit.Backend.plain()


@pytest.fixture(scope="module", params=["planted", "regression"])
def known(request, tmp_path_factory):
    """A network whose answers are known, and people of whom it is right about all joints but shoulders and hips."""
    network = outside.NETWORKS[request.param]()
    shift = 0.1 * 160 if request.param == "regression" else outside.MOVED / 128 * 160
    people = outside.people(12, shift)
    crops = posekit.crops(people, 160, tmp_path_factory.mktemp("known"))
    assert np.isclose(crops.matrices[0, 0, 0], 0.8)  # a box of 128 pixels, a view of 160, which the network sees as 128
    return request.param, network, crops


def test_a_known_network_is_scored_as_it_deserves(known):
    _, network, crops = known
    scores = posekit.evaluate(network, crops)
    torso = metrics.torso(crops.people.keypoints, COCO)
    assert np.allclose(torso, np.hypot(40, 40))
    joints = scores["metrics"]["pck@0.2·torso"]["joints"]
    missed = {f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "hip")}
    assert {joint for joint, value in joints.items() if value == 0} == missed and all(joints[j] == 1 for j in joints if j not in missed)
    flipped = posekit.evaluate(network, crops, flip=True)["metrics"]["pck@0.2·torso"]["joints"]
    # Left and right exchanged, a joint that lies to the right of the spot lies to its left: the mean of both is the spot itself.
    assert flipped["nose"] == 1


def test_a_known_network_looks_where_the_spot_is(known):
    name, network, _ = known
    found = posekit.explain(network, outside.spot_at(100, 60), "nose", "occlusion")
    assert np.allclose(found.point, (100, 60), atol=2) and found.map.max() > 0
    row, column = np.unravel_index(np.abs(found.map).argmax(), found.map.shape)
    if name == "planted":  # in a regression what is far has the longer lever
        assert np.hypot(column - 100, row - 60) < 25
    else:
        assert found.map.min() >= 0 and found.heatmap is None, "a joint's place cannot move by less than nothing"


def test_what_a_known_network_loses_is_known(known):
    name, network, crops = known
    hook_point = "red"
    whole = posekit.predict_crops(network.model, network.card, crops, backend=PLAIN)[0, :, 0, :2]
    assert np.allclose(whole, crops.people.keypoints[:, 0, :2], atol=2)
    patched = ablation.ablate(network.model, network.card, crops, {"x": [hook_point]}, {"x": ablation.resample}, backend=PLAIN)["x"]["x"]
    # Another person's red moves the answer to where that person's is in the crop, half the people further.
    there = np.roll(whole, 6, 0)
    assert np.allclose(patched[0, :, 0, :2], there, atol=0.2), name


def test_codes_of_a_known_network_are_what_it_computes(known):
    name, network, crops = known
    codes = coding.collect(network.model, network.card, crops, coding.code_hook_point(network.model), backend=PLAIN)
    places = crops.people.keypoints[:, 0, :2]
    if name == "regression":  # the middle of the red as shares of the view of 160 pixels around the middle of the box
        assert np.allclose(codes * 160 - 0.5, places, atol=1.5)
    else:  # the mean red of each cell, whose mass lies round the spot
        mass = codes.reshape(12, 16, 16) / codes.sum(1)[:, None, None]
        across = (mass.sum(1) * (np.arange(16) * 10 + 4.5)).sum(1)
        assert np.allclose(across, places[:, 0], atol=1.5)


# Skeletons of one's own


def test_a_skeleton_without_a_torso_is_scored_by_what_there_is(tmp_path):
    from dataclasses import replace

    paws = posekit.Skeleton("paws", tuple(f"toe {i}" for i in range(17)))
    network = posekit.adapt(outside.Planted(), paws, 128, code="pool", name="paws", **outside.QUIET)
    people = outside.people(6, outside.MOVED / 128 * 160)
    people = replace(people, skeleton=paws, boxes=joints_box(people.keypoints), source="paws")
    scores = posekit.evaluate(network, people, cache=tmp_path)
    assert set(scores["metrics"]) == {"pck@0.5·hm/10"}
    assert (
        scores["without"]
        == "of the paws skeleton there is no PCK by the torso, for it has no shoulders and hips and no OKS, for it has no sigmas"
    )
    assert "no PCK by the torso" in scores._repr_html_()
    crops = posekit.crops(people, 160, tmp_path)
    for question in (lambda: posekit.evaluate(network, crops, against=network),
                     lambda: sanity.draw_cases(network.model, network.card, crops, people=2),
                     lambda: dependency.dependency(network.model, network.card, crops, backend=PLAIN)):  # fmt: skip
        with pytest.raises(PosekitError, match="the paws skeleton has no shoulders and hips, so there is no torso to measure by"):
            question()
