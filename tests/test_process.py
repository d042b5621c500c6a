"""What the library leaves as it was: the caller's random state, settings, environment and handlers; after an error too."""

import dataclasses
import logging
import os
import random
import signal
import sys
import warnings

import numpy as np
import pytest
import torch
from planted import RECIPE, planted

import posekit
from posekit import Backend, HourglassConfig, PosekitError, process
from posekit.engine import evaluation

CONFIG = HourglassConfig.narrow(8, joints=14, depth=1)
ONCE = dataclasses.replace(RECIPE, epochs=1)
PLAIN = {"backend": Backend.plain()}


def state():
    """All that a library can change of its process and that its caller may go by."""
    return {
        "torch's draws": torch.get_rng_state().tolist(),
        "NumPy's draws": [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],  # noqa: NPY002
        "Python's draws": random.getstate(),
        "threads": torch.get_num_threads(),
        "kind of numbers": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision of products": torch.get_float32_matmul_precision(),
        "NumPy's errors": np.geterr(),
        "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "folder": os.getcwd(),
        "handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "warnings": list(warnings.filters),
        "log": (logging.getLogger().level, list(logging.getLogger().handlers), logging.root.manager.disable),
        "imports that are forbidden": sorted(name for name, module in sys.modules.items() if module is None),
        "way of importing": (list(sys.path), list(sys.meta_path)),
        "main": sys.modules["__main__"],
    }


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """People; trained on once, for what other libraries do when they are imported is theirs."""
    found = planted(tmp_path_factory.mktemp("crops"))
    posekit.fit(CONFIG, ONCE, *found, tmp_path_factory.mktemp("first"), **PLAIN)
    return found


@pytest.fixture
def untouched(monkeypatch, crops):
    """The state is the same afterwards, and nobody asked the C library to keep memory."""

    def refuse(*_):
        raise AssertionError("the library asked the C library to keep memory")

    monkeypatch.setattr(process, "keep_memory", refuse)
    monkeypatch.setattr(process.ctypes, "CDLL", refuse)
    torch.manual_seed(1)  # none of the seeds that the library uses
    torch.rand(3)
    before = state()
    yield
    after = state()
    assert {name: (before[name], after[name]) for name in before if before[name] != after[name]} == {}


def stopping(how):
    def report(_):
        how()

    return report


def fail():
    raise RuntimeError("told to")


def test_importing_and_predicting(untouched, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    network = posekit.load("mannequins-hg1", device="cpu")
    assert len(network.predict(picture, boxes=[[5, 5, 30, 40]], flip=True)) == 1
    with pytest.raises(PosekitError):
        network.predict(tmp_path / "nothing.jpg")


def test_scoring(untouched, tmp_path):
    assert (
        evaluation.evaluate("lspet-hg1", posekit.load_people("mannequins:10,size=64@all", cache=tmp_path), cache=tmp_path, **PLAIN)[
            "people"
        ]
        == 10
    )


def test_training(untouched, crops, tmp_path):
    posekit.fit(CONFIG, ONCE, *crops, tmp_path, **PLAIN)


@pytest.mark.parametrize(("how", "error"), [(fail, RuntimeError), (lambda: signal.raise_signal(signal.SIGINT), KeyboardInterrupt)])
def test_training_that_stops(untouched, crops, tmp_path, how, error):
    with pytest.raises(error):
        posekit.fit(CONFIG, RECIPE, *crops, tmp_path, report=stopping(how), **PLAIN)


def test_training_that_is_refused(untouched, crops, tmp_path):
    with pytest.raises(PosekitError):
        posekit.fit(CONFIG, dataclasses.replace(ONCE, batch=0), *crops, tmp_path, **PLAIN)


def test_what_the_caller_drew_before_makes_no_other_training(crops, tmp_path):
    found = []
    for number in (0, 12345):
        torch.manual_seed(number)
        path = posekit.fit(CONFIG, ONCE, *crops, tmp_path / str(number), **PLAIN)
        found.append(torch.cat([parameter.flatten() for parameter in posekit.load(path).model.parameters()]))
    assert torch.equal(*found)
