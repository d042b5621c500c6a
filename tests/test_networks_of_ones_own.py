"""A network of one's own in a Python file, wherever weights stand."""

import sys

import pytest

import posekit
from posekit import PosekitError

OWN = """
import torch, posekit

def network():
    return posekit.adapt(torch.nn.Conv2d(3, 17, 8, stride=8), "coco", 64, name="mine", report=None)

def other():
    return torch.nn.Identity()
"""


def test_a_file_of_ones_own_stands_wherever_weights_do(tmp_path):
    file = tmp_path / "my network.py"
    file.write_text(OWN)
    predictor = posekit.load(f"{file}:network")
    assert predictor.card.name == "mine" and predictor.card.stride == 8
    scores = posekit.evaluate(f"{file}:network", "mannequins:4,size=64@all", cache=tmp_path)
    assert scores["weights"] == "mine" and scores["people"] == 4
    for name, said in ((f"{file}:nothing", "has no function nothing"), (f"{file}:other", "other gives a Identity; let it return"),
                       (f"{tmp_path}/none.py:network", "none.py: no such Python file")):  # fmt: skip
        with pytest.raises(PosekitError, match=said):
            posekit.load(name)


def test_a_file_of_ones_own_imports_what_lies_beside_it(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "beside_a_network.py").write_text(OWN)
    (folder / "mine.py").write_text("from beside_a_network import network\n")
    before = list(sys.path)
    assert posekit.load(f"{folder}/mine.py:network").card.name == "mine" and sys.path == before
    (folder / "broken.py").write_text("from beside_a_network import nothing\n")
    with pytest.raises(PosekitError, match=r"broken\.py, line 1: ImportError: cannot import name 'nothing'") as caught:
        posekit.load(f"{folder}/broken.py:network")
    assert isinstance(caught.value.__cause__, ImportError)
    assert sys.path == before


def test_a_run_of_a_network_of_ones_own_is_stale_when_its_file_changes(tmp_path):
    from posekit.workflow.staleness import _data

    file = tmp_path / "mine.py"
    file.write_text(OWN)
    before = _data(f"{file}:network")
    file.write_text(OWN.replace("17", "14"))
    assert before and before != _data(f"{file}:network")
