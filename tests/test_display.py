"""What notebooks show of networks, cards and runs."""

import base64
import io
import json
import re

import numpy as np
import pytest
import tiny_data
import torch
from PIL import Image

from posekit import Card, Hourglass, HourglassConfig, Predictor
from posekit.data.crops import crops
from posekit.display.html import facts, scores, table
from posekit.display.overview import overview
from posekit.engine.backend import Backend
from posekit.hooks import hook_points, trace
from posekit.models import build
from posekit.models.deeppose import DeepPoseConfig
from posekit.models.feedback import FeedbackConfig
from posekit.models.parts import PartsConfig
from posekit.models.transpose import TransPoseConfig
from posekit.workflow.runs import Run

CONFIG = HourglassConfig.narrow(16, joints=14, depth=2, stacks=2)
SQUEEZED = HourglassConfig.narrow(16, joints=14, depth=2, squeeze="linear", dimensions=3, code_side=4, code_noise=0.1)


@pytest.mark.parametrize("config", [CONFIG, SQUEEZED])
def test_overview_has_every_activation_as_it_is_traced(config):
    model, names = Hourglass(config).eval(), hook_points(Hourglass(config))
    with torch.no_grad(), trace(model, names) as activations:
        model(torch.zeros(1, 3, 64, 64))
    found = overview(model, 64)
    assert list(found["activation"]) == names
    assert list(found["shape"]) == [" x ".join(map(str, activations[name].shape[1:])) for name in names]
    assert found["parameters"].sum() == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "config",
    [DeepPoseConfig(joints=3), FeedbackConfig(3, ((0.0, 0.0),) * 3), TransPoseConfig(joints=3), PartsConfig(3, (-1, 0, 1))],
)
def test_overview_of_every_architecture(config):
    model = build(config)
    assert overview(model, 64)["parameters"].sum() == sum(p.numel() for p in model.parameters())


def test_overview_leaves_the_network_and_its_mode_alone():
    model = Hourglass(CONFIG).train()
    overview(model, 64)
    assert model.training and not any(m._forward_hooks for m in model.modules())


def cells(html):
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]


def test_a_network_shows_its_activations():
    model = Hourglass(CONFIG)
    rows = cells(model._repr_html_())
    assert rows[0] == ["activation", "shape", "parameters"] and rows[1][:2] == ["stem", "16 x 16 x 16"]
    assert [row[0] for row in rows[1:]] == hook_points(model)
    card = Card("tiny", CONFIG.to_dict(), "lsp", 32, "mse")
    shown = Predictor(model, card, Backend.plain())._repr_html_()
    assert "tiny, hourglass" in shown and cells(shown)[1][:2] == ["stem", "16 x 8 x 8"]


def test_a_squeezed_network_shows_the_only_size_that_it_takes():
    assert "64 x 64 pixels" in Hourglass(SQUEEZED)._repr_html_()


def test_a_card_shows_itself():
    metrics = {"data": "lspet@val", "epoch": 3, "metrics": {"pck": {"mean": 0.5, "low": 0.4, "high": 0.6, "people": 1000}}}
    card = Card("<b>", CONFIG.to_dict(), "lsp", 32, "mse", history=[{"epoch": 1}], seed=7, metrics=metrics)
    shown = dict(cells(card._repr_html_()))
    assert shown["name"] == "&lt;b&gt;" and shown["skeleton"] == "lsp, 14 joints" and shown["scored on"] == "lspet@val"
    assert shown["pck"] == "0.500 (0.400 to 0.600), 1,000 people" and "note" not in shown
    assert Card("bare", CONFIG.to_dict(), "lsp", 32, "mse")._repr_html_()


def test_a_run_shows_its_card(tmp_path):
    run = Run(str(tmp_path / "02_training"))
    run.folder.mkdir()
    shown = dict(cells(run._repr_html_()))
    assert list(shown) == ["run", "folder", "made"] and shown["run"] == "02_training" and shown["made"] == "not whole yet"
    run.write_metrics({"metrics": {"pck": {"mean": 0.5, "low": 0.4, "high": 0.6, "people": 10}, "more": {"a": 1}}})
    run.path("figures/loss.svg").touch()
    run.path("params.json").write_text(json.dumps({"parameters": {"stacks": 2, "start": None}}))
    facts = {"commit": "0123456789ab", "dirty": True, "started": "2026-01-01", "wall_seconds": 61.2, "hardware": {"processor": "one"}}
    run.path("provenance.json").write_text(json.dumps(facts))
    shown = dict(cells(run._repr_html_()))
    assert shown["parameters"] == "stacks = 2, start = None" and shown["figures"] == "loss"
    assert shown["pck"].startswith("0.500") and "more" not in shown
    assert shown["made"] == "2026-01-01, in 61 s" and shown["commit"] == "012345678 and changes" and shown["by"] == "one"


def test_a_run_whose_metrics_are_no_scores_shows_none():
    assert scores({"metrics": None, "people": {"mean": None}, "joints": ["a"], "levels": {"mean": {}, "low": 1}}) == {}


def test_what_is_not_there_is_left_out():
    assert cells(facts({"seed": 0, "note": "", "on": None})) == [["seed", "0"]]
    assert cells(table([], ["a", "b"])) == [["a", "b"]]


def test_crops_show_the_first_of_them(tmp_path):
    stored = crops(tiny_data.people(3), 150, tmp_path)
    html = stored._repr_html_()
    assert "3 people" in html
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", html)[1]))).convert("RGB"))
    assert shown.shape == (150, 450, 3)
    unlabelled = stored.select([0])
    unlabelled.keypoints[..., 2] = 0
    alone = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", unlabelled._repr_html_())[1])))
    assert np.abs(np.asarray(alone.convert("RGB")).astype(int) - unlabelled[0]).mean() < 8  # what the compression leaves
