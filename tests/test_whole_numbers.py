"""Whole numbers: every exported function that takes one refuses what is none in a line that names the parameter, before it works."""

import inspect
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import posekit
from posekit import PosekitError
from posekit.data.mannequins.pairs import counterfactuals, unpaired
from posekit.errors import whole
from posekit.interpret.activations import walks
from posekit.interpret.analysis import cka, clusters, components, embedding, sparse
from posekit.interpret.attribution import dependency, maximisation, patches, sanity, shapley
from posekit.workflow import parameters

NETWORK = "mannequins-hg1"
CONFIG = posekit.HourglassConfig.narrow(4, joints=17, depth=1)
LEFT = {  # parameters that hold a record and compute nothing, or torch's own
    "Card": "a record of what was trained", "Crops": "made by posekit.crops", "People": "made by posekit.load_people", "Poses": "an answer",
    "Recipe.lr_at": "called by training", "Backend.worth_compiling": "called by fit",
}  # fmt: skip
KINDS = (int, int | None, int | tuple[int, int])


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """By export and parameter, a call that is sound but for that parameter."""
    cache = tmp_path_factory.mktemp("data")
    people = posekit.load_people("mannequins:2,size=40", cache=cache)
    cut = posekit.crops(people, 40, cache)
    pictures = torch.zeros(1, 3, 128, 128)

    def fit(**given):
        return posekit.fit(CONFIG, posekit.Recipe(**{"resolution": 32, "epochs": 1, "batch": 2} | given), cut, cut, cache / "fitted")

    network = posekit.load(NETWORK)
    hourglass = posekit.Hourglass(CONFIG)
    table = {
        ("audit", "seed"): lambda **x: posekit.audit(people, NETWORK, cache=cache, **x),
        ("evaluate", "seed"): lambda **x: posekit.evaluate(NETWORK, people, cache=cache, **x),
        ("errors_of", "seed"): lambda **x: posekit.errors_of(NETWORK, people, cache=cache, **x),
        ("robustness", "seed"): lambda **x: posekit.robustness(NETWORK, people, cache=cache, **x),
        ("predict_crops", "batch"): lambda **x: posekit.predict_crops(network.model, network.card, posekit.crops(people, 160, cache), **x),
        ("load_people", "workers"): lambda **x: posekit.load_people("mannequins:2,size=40", cache=cache, **x),
        ("adapt", "size"): lambda size: posekit.adapt(torch.nn.Conv2d(3, 17, 8, stride=8), "coco", size, report=None),
        ("adapt", "stride"): lambda stride: posekit.adapt(torch.nn.Conv2d(3, 17, 8, stride=8), "coco", 64, stride=stride, report=None),
        ("People.at_most", "count"): people.at_most,
        ("People.at_most", "seed"): lambda **x: people.at_most(1, **x),
        ("Hourglass.code_hook_point", "stack"): hourglass.code_hook_point,
        ("Hourglass.layers", "stage"): hourglass.layers,
        ("HourglassConfig.narrow", "features"): posekit.HourglassConfig.narrow,
    }  # fmt: skip
    table |= {("calibrate", name): lambda **x: posekit.calibrate(NETWORK, people, cache=cache, **x) for name in ("most", "seed")}
    table |= {("patch", name): lambda **x: posekit.patch(network, pictures, pictures, ["stem"], **x) for name in ("stage", "batch")}
    fitted = ("resolution", "mixtures", "seed")
    table |= {("fit_parts", name): lambda **x: posekit.fit_parts(cut, cut, cache / "parts", **x) for name in fitted}
    table |= {("crops", name): lambda **x: posekit.crops(people, **{"size": 40, "cache": cache} | x) for name in ("size", "workers")}
    table |= {("Recipe", name): fit for name in ("resolution", "epochs", "batch", "seed")}
    counts = [name for name, field in inspect.signature(posekit.HourglassConfig).parameters.items() if field.annotation is int]
    return table | {("HourglassConfig", name): posekit.HourglassConfig for name in counts}


def wanted():
    """(name, parameter) of each parameter of an export, or of a method of its own, that is a whole number or may be left out."""
    found = []
    for name in posekit.EXPORTS:
        export = getattr(posekit, name)
        if not callable(export) or name == "PosekitError":
            continue
        functions = {} if name in LEFT else {name: export}
        if inspect.isclass(export):
            functions |= {f"{name}.{method}": getattr(export, method) for method in vars(export) if not method.startswith("_")}
        for label, function in functions.items():
            if callable(function) and label not in LEFT:
                found += [(label, p.name) for p in inspect.signature(function).parameters.values() if p.annotation in KINDS]
    return found


def test_every_whole_number_of_the_public_functions_is_here(calls):
    assert sorted(calls) == sorted(wanted())


@pytest.mark.parametrize(("export", "parameter"), wanted())
@pytest.mark.parametrize("value", [0.5, 2.0, np.float32(3), float("nan"), True, "3", [1]], ids=str)
def test_what_is_no_whole_number_is_refused_by_name(calls, export, parameter, value):
    with pytest.raises(PosekitError, match=rf"(^|: ){parameter} is {re.escape(repr(value))}; (it|give) .*whole") as caught:
        calls[export, parameter](**{parameter: value})
    assert "\n" not in str(caught.value)


@given(st.integers(-9, 9), st.sampled_from([int, np.int8, np.int64, np.array]), st.sampled_from([None, -2, 0, 1]))
def test_a_whole_number_of_any_kind_is_taken_from_the_least_on(number, kind, least):
    if least is None or number >= least:
        assert whole("n", kind(number), least) == number and type(whole("n", kind(number), least)) is int
    else:
        with pytest.raises(PosekitError, match=f"; it must be a whole number from {least}$"):
            whole("n", kind(number), least)


def test_numbers_of_numpy_are_taken(calls):
    assert len(calls["People.at_most", "count"](np.int64(1), np.int32(3))) == 1
    assert posekit.HourglassConfig.narrow(np.int64(4), depth=np.int8(1)) == posekit.HourglassConfig.narrow(4, depth=1)
    recipe = posekit.Recipe(epochs=np.int64(2), seed=np.uint8(1))
    assert recipe == posekit.Recipe(epochs=2, seed=1) and type(recipe.seed) is int, "as a card holds it"


@pytest.mark.parametrize("text", ["0.5", "true", "nan", "many"])
@pytest.mark.parametrize("name", ["seed", "people"])
def test_a_parameter_of_a_notebook_is_refused_by_name(tmp_path, text, name):
    notebook = tmp_path / "01_own.py"
    notebook.write_text(f'# %% tags=["parameters"]\n{name} = 3  # a whole number\n')
    with pytest.raises(PosekitError, match=rf"{name}.*{text}") as caught:
        parameters.parse(notebook, {name: text})
    assert "\n" not in str(caught.value)


POINTS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
NETWORK_AND_PEOPLE = (None, None, None)  # what is refused at once looks at neither
INSIDE = {  # of functions that are not exported, by module
    ("kmeans", "k"): lambda value: clusters.kmeans(POINTS, value),
    ("kmeans", "restarts"): lambda value: clusters.kmeans(POINTS, 2, restarts=value),
    ("kmeans", "seed"): lambda value: clusters.kmeans(POINTS, 2, seed=value),
    ("cluster_stability", "pairs"): lambda value: clusters.cluster_stability(POINTS, 2, pairs=value),
    ("rand_index", "groups"): lambda value: clusters.rand_index(POINTS[:, 0] > 0, POINTS[:, 1] > 0, groups=value),
    ("dense", "smallest"): lambda value: clusters.dense(POINTS, value),
    ("pca_of", "k"): lambda value: components.pca_of(POINTS, value),
    ("noise_floor", "permutations"): lambda value: components.noise_floor(POINTS, permutations=value),
    ("stability", "k"): lambda value: components.stability(POINTS, value),
    ("stability", "splits"): lambda value: components.stability(POINTS, 2, splits=value),
    ("umap", "neighbours"): lambda value: embedding.umap(POINTS, neighbours=value),
    ("disparity", "resamples"): lambda value: embedding.disparity(POINTS[:, :2], POINTS[:, 1:3], resamples=value),
    ("cka.interval", "groups"): lambda value: cka.interval(POINTS, POINTS, groups=value),
    ("cka.interval", "permutations"): lambda value: cka.interval(POINTS, POINTS, permutations=value),
    ("autoencoder", "atoms"): lambda value: sparse.autoencoder(POINTS, value, 2, steps=2),
    ("autoencoder", "k"): lambda value: sparse.autoencoder(POINTS, 16, value, steps=2),
    ("autoencoder", "steps"): lambda value: sparse.autoencoder(POINTS, 16, 2, steps=value),
    ("nmf", "atoms"): lambda value: sparse.nmf(POINTS, 2, atoms=value),
    ("nearest", "count"): lambda value: walks.nearest(POINTS, POINTS[:2], value),
    ("random_directions", "count"): lambda value: walks.random_directions(value, np.eye(6), np.ones(6)),
    ("counterfactuals", "n"): lambda value: counterfactuals("light", value, size=16),
    ("counterfactuals", "seed"): lambda value: counterfactuals("light", 1, value, size=16),
    ("counterfactuals", "size"): lambda value: counterfactuals("light", 1, size=value),
    ("jackknife", "groups"): lambda value: components.jackknife(POINTS, {"rank": len}, groups=value),
    ("faithfulness", "neighbours"): lambda value: embedding.faithfulness(POINTS, POINTS[:, :2], neighbours=value),
    ("draw_cases", "people"): lambda value: sanity.draw_cases(*NETWORK_AND_PEOPLE, people=value),
    ("draw_cases", "seed"): lambda value: sanity.draw_cases(*NETWORK_AND_PEOPLE, seed=value),
    ("dependency", "seed"): lambda value: dependency.dependency(*NETWORK_AND_PEOPLE, seed=value),
    ("shapley", "seed"): lambda value: shapley.shapley(*NETWORK_AND_PEOPLE, seed=value),
    ("top_patches", "count"): lambda value: patches.top_patches(*NETWORK_AND_PEOPLE, "stem", [0], count=value),
    ("maximise", "steps"): lambda value: maximisation.maximise(*NETWORK_AND_PEOPLE[:2], [], steps=value),
    ("maximise", "seed"): lambda value: maximisation.maximise(*NETWORK_AND_PEOPLE[:2], [], seed=value),
    ("channel", "number"): lambda value: maximisation.channel("stem", value),
    ("unpaired", "n"): lambda value: unpaired(value, size=16),
}


@pytest.mark.parametrize(("name", "parameter"), INSIDE)
@pytest.mark.parametrize("value", [2.5, True, "3", -1], ids=str)
def test_the_analyses_refuse_what_is_no_count_by_name(name, parameter, value):
    with pytest.raises(PosekitError, match=rf"\b{parameter} is {re.escape(repr(value))}; it must be a whole number") as caught:
        INSIDE[name, parameter](value)
    assert "\n" not in str(caught.value)
