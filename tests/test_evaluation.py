import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from posekit import metrics
from posekit.data.crops import crops
from posekit.data.people import People
from posekit.data.pictures import Folder
from posekit.engine import evaluation
from posekit.engine.evaluation import common, evaluate, print_table
from posekit.engine.inference.prediction import load, predict_crops
from posekit.engine.weights import Card, save
from posekit.errors import PosekitError
from posekit.files import plain
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.skeleton import COCO, LSP, MPII, Skeleton

N = 6


def weights_file(folder, skeleton, stacks=1, seed=0, loss="cross-entropy"):
    torch.manual_seed(seed)
    config = HourglassConfig.narrow(8, joints=len(skeleton), depth=2, stacks=stacks)
    path = folder / f"{skeleton.name}-{seed}.safetensors"
    save(path, Hourglass(config), Card(path.stem, config.to_dict(), skeleton.name, 32, loss))
    return path


def people(folder, skeleton, **columns):
    """N people, each in a picture of its own, of whom one has an unlabelled joint."""
    rng = np.random.default_rng(0)
    names = np.array([f"{i}.png" for i in range(N)])
    for name in names:
        Image.fromarray(rng.integers(0, 256, (80, 90, 3), np.uint8)).save(folder / name)
    keypoints = np.concatenate([rng.uniform(15, 65, (N, len(skeleton), 2)), np.full((N, len(skeleton), 1), 2.0)], -1)
    keypoints[0, 0] = np.nan, np.nan, 0
    boxes = np.tile([10.0, 10, 60, 60], (N, 1))
    columns = {"splits": np.array(["test"] * N), **columns}
    return People(skeleton, names, boxes, keypoints, np.arange(N), read=Folder(str(folder)), source="toy", **columns)


def perfect(monkeypatch, network, off=0.0, stacks=1):
    """Let the network find every joint of the data whose name it knows, `off` pixels beside it, and the others anywhere."""

    def predict_crops(model, card, store, **_):
        found = np.random.default_rng(0).uniform(0, 80, (stacks, len(store), len(network), 3))
        for k, joint in enumerate(network.joints):
            if joint in store.people.skeleton.joints:
                truth = store.people.keypoints[:, store.people.skeleton.joints.index(joint), :2]
                found[:, :, k, :2] = np.nan_to_num(truth) + np.array([off, 0])
        return found

    monkeypatch.setattr(evaluation, "predict_crops", predict_crops)


def test_the_result_has_the_designs_form(tmp_path):
    result = evaluate(weights_file(tmp_path, LSP, stacks=2), people(tmp_path, LSP), flip=True, cache=tmp_path)
    assert result["data"] == "toy@test" and result["people"] == N and result["flip"] is True
    assert len(result["stacks"]) == 2 and result["stacks"][-1]["metrics"] == result["metrics"]
    block = result["metrics"]["pck@0.2·torso"]
    assert {"mean", "low", "high", "people", "definition", "joints"} <= set(block)
    assert list(block["joints"]) == result["joints"] == list(LSP.joints)
    assert set(result["metrics"]) == {"pck@0.2·torso", "pck@0.5·head", "pck@0.5·hm/10"}
    json.dumps(plain(result), allow_nan=False)


def test_metrics_come_with_the_data_that_they_need(tmp_path):
    coco = people(tmp_path, COCO, areas=np.full(N, 900.0), image_ids=np.arange(N))
    mpii = people(tmp_path, MPII, heads=np.full(N, 10.0))
    scores = {d.skeleton.name: evaluate(weights_file(tmp_path, d.skeleton), d, cache=tmp_path)["metrics"] for d in (coco, mpii)}
    assert set(scores["coco"]) == {"pck@0.2·torso", "pck@0.5·hm/10", "oks", "oks-ap"}
    assert set(scores["mpii"]) == {"pck@0.2·torso", "pckh@0.5", "pckh@0.5·16", "pck@0.5·head", "pck@0.5·hm/10"}


def test_people_of_one_name_share_a_picture_without_its_number(tmp_path, monkeypatch):
    """What is found of one person counts where the other one of the picture is, and nowhere else."""
    apart = people(tmp_path, COCO, areas=np.full(N, 900.0))
    both = replace(apart, names=np.array([f"{i // 2}.png" for i in range(N)]))
    exchanged = np.arange(N) ^ 1

    def predict_crops(model, card, store, **_):
        return np.nan_to_num(store.people.keypoints[exchanged][None])

    monkeypatch.setattr(evaluation, "predict_crops", predict_crops)

    def scores(table):
        return evaluate(weights_file(tmp_path, COCO), table, against=weights_file(tmp_path, COCO, seed=1), cache=tmp_path)

    alone, together, numbered = scores(apart), scores(both), scores(replace(both, image_ids=np.arange(N) // 2 + 7))
    assert alone["metrics"]["oks-ap"]["mean"] == 0 and together["metrics"]["oks-ap"]["mean"] > 0.8
    for part in ("metrics", "against"):
        assert plain(together[part]) == plain(numbered[part])
    assert plain(alone["metrics"]) == plain(scores(replace(apart, image_ids=np.arange(N) + 7))["metrics"])
    crowd = {"0.png": np.array([[0.0, 0, 80, 80, 6400, 1]])}
    assert replace(both, ignored=crowd).ignored_in_pictures().tolist() == [[0, 0, 0, 80, 80, 6400, 1]]
    assert both[[5, 4, 0]].picture_ids().tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "network, data, count",
    [(LSP, LSP, 14), (COCO, LSP, 12), (LSP, COCO, 12), (MPII, LSP, 14), (LSP, MPII, 14), (COCO, MPII, 12)],
)
def test_a_network_is_scored_over_the_joints_that_it_shares_with_the_data(tmp_path, monkeypatch, network, data, count):
    perfect(monkeypatch, network)
    result = evaluate(weights_file(tmp_path, network), people(tmp_path, data), cache=tmp_path)
    assert len(result["joints"]) == count and set(result["joints"]) == set(network.joints) & set(data.joints)
    block = result["metrics"]["pck@0.2·torso"]
    assert block["mean"] == 1 and list(block["joints"]) == result["joints"]
    assert f"({count} of the {data.name} skeleton" in block["definition"]
    assert block["labelled"] == count * N - (data.joints[0] in network.joints)


def test_the_studys_pck_divides_by_the_heatmap_in_picture_pixels(tmp_path, monkeypatch):
    # a box of 60 px, 1.25 times as wide a view: half of a tenth of 75 px is 3.75 px
    for off, found in ((3.7, 1.0), (3.8, 0.0)):
        perfect(monkeypatch, LSP, off)
        result = evaluate(weights_file(tmp_path, LSP), people(tmp_path, LSP), cache=tmp_path)
        assert result["metrics"]["pck@0.5·hm/10"]["mean"] == found


def test_skeletons_without_common_shoulders_and_hips_are_refused():
    face = Skeleton("face", ("nose", "left eye", "right eye"), (), (1.0, 1.0, 1.0))
    with pytest.raises(PosekitError, match="face"):
        common(face, COCO)
    shared = common(COCO, LSP)
    assert len(shared) == 12 and shared.joints[0] == LSP.joints[0] and len(shared.sigmas) == 12
    assert len(shared.limbs) == 12 and len(shared.mirrored) == 12


def test_two_networks_are_compared_on_the_same_people(tmp_path):
    one, other = weights_file(tmp_path, LSP), weights_file(tmp_path, COCO, seed=1)
    data = people(tmp_path, LSP)
    there, back = (evaluate(a, data, against=b, cache=tmp_path)["against"] for a, b in ((one, other), (other, one)))
    assert there["mean"] == pytest.approx(-back["mean"]) and there["low"] == pytest.approx(-back["high"])
    assert set(there["joints"]) == set(COCO.joints) & set(LSP.joints) and there["weights"] == "coco-1"
    same = evaluate(one, data, against=one, cache=tmp_path)["against"]
    assert (same["mean"], same["low"], same["high"]) == (0, 0, 0)


def test_people_and_their_crops_give_the_same_numbers(tmp_path):
    path, data = weights_file(tmp_path, LSP), people(tmp_path, LSP)
    heard = []
    a = evaluate(path, data, cache=tmp_path, progress=lambda *said: heard.append(said))
    b = evaluate(path, crops(data, 40, tmp_path))
    assert json.dumps(a) == json.dumps(b)
    assert heard[-1] == ("predicting", N, N) and ("cutting out", N, N) in heard


def test_the_table_says_everything_needed_to_read_it(tmp_path):
    result = evaluate(
        weights_file(tmp_path, COCO, stacks=2), people(tmp_path, LSP, left_out={"without picture": 3}),
        against=weights_file(tmp_path, LSP, seed=1), cache=tmp_path,
    )  # fmt: skip
    file = io.StringIO()
    print_table(result, Console(file=file, width=120))
    text = " ".join(file.getvalue().split())
    for words in (
        "coco-0 on toy@test: 6 people, 12 joints (without neck, head top, which the network lacks)",
        "left out: 3 without picture", "stack 1", "stack 2", "95 % interval", "left wrist",
        "pck@0.2·torso less that of lsp-1",
    ):  # fmt: skip
        assert words in text
    for block in result["metrics"].values():
        assert " ".join(block["definition"].split()) in text


def test_nothing_labelled_is_not_a_number_and_no_warning(tmp_path):
    data = people(tmp_path, LSP)
    data.keypoints[:, LSP.index("left shoulder")[0]] = np.nan, np.nan, 0
    data.keypoints[:, LSP.index("right shoulder")[0]] = np.nan, np.nan, 0
    result = evaluate(weights_file(tmp_path, LSP), data, cache=tmp_path)
    assert np.isnan(result["metrics"]["pck@0.2·torso"]["mean"]) and plain(result)["metrics"]["pck@0.2·torso"]["mean"] is None
    print_table(result, Console(file=io.StringIO()))


def test_a_loaded_network_is_scored_as_its_file_is(tmp_path):
    path, other, data = weights_file(tmp_path, LSP), weights_file(tmp_path, COCO, seed=1), people(tmp_path, LSP)
    of_files = evaluate(path, data, against=other, cache=tmp_path)
    assert json.dumps(evaluate(load(path), data, against=load(other), cache=tmp_path)) == json.dumps(of_files)


def test_scores_show_themselves_as_tables(tmp_path):
    scores = evaluate(weights_file(tmp_path, COCO), people(tmp_path, LSP), against=weights_file(tmp_path, LSP, seed=1), cache=tmp_path)
    shown = re.sub(r"<[^>]+>", " ", scores._repr_html_())
    for words in ("coco-0 on toy@test: 6 people", "without neck, head top", "left wrist", "less that of lsp-1"):
        assert words in shown
    assert f"{scores['metrics']['pck@0.2·torso']['mean']:.3f} (" in shown


def test_crops_that_are_too_small_for_the_network_are_refused(tmp_path):
    with pytest.raises(PosekitError, match=r"crops of 39 px are too small for lsp-0: .* of 40 px"):
        evaluate(weights_file(tmp_path, LSP), crops(people(tmp_path, LSP), 39, tmp_path))


def test_networks_of_two_skeletons_are_compared_joint_by_joint(tmp_path):
    one, other, data = weights_file(tmp_path, LSP), weights_file(tmp_path, COCO, seed=1), people(tmp_path, LSP)
    both = [joint for joint in LSP.joints if joint in COCO.joints]
    threshold = 0.2 * metrics.torso(data.keypoints, LSP)
    hits = []
    for path, skeleton in ((one, LSP), (other, COCO)):
        network = load(path)
        found = predict_crops(network.model, network.card, crops(data, 40, tmp_path))[-1]
        hits.append(metrics.hits(found[:, skeleton.index(*both)], data.keypoints[:, LSP.index(*both)], threshold))
    against = evaluate(one, data, against=other, cache=tmp_path)["against"]
    assert against["mean"] == pytest.approx(np.nanmean(hits[0]) - np.nanmean(hits[1]))
    assert against["own"] == pytest.approx(np.nanmean(hits[1]))
