"""Linear CKA: its closed forms, its invariances, and what chance gives."""

import itertools

import numpy as np
import outside
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import posekit
from posekit.errors import PosekitError
from posekit.interpret.activations.codes import collect
from posekit.interpret.analysis.cka import cka, cka_table, gram, interval, layers, of_grams
from posekit.interpret.analysis.rotation import turned

seeds = st.integers(0, 2**32 - 1)


def codes_of(seed, people=12, numbers=5):
    return np.random.default_rng(seed).normal(size=(people, numbers))


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0.01, 100), st.booleans())
def test_turning_scaling_and_moving_a_layer_changes_nothing(seed, scale, unbiased):
    codes = codes_of(seed)
    turn = np.linalg.qr(np.random.default_rng(seed + 1).normal(size=(7, 5)))[0]  # into more numbers, lengths kept
    assert cka(codes, scale * codes @ turn.T + 3, unbiased=unbiased) == pytest.approx(1, abs=1e-9)
    other = codes_of(seed + 2, numbers=3)
    assert cka(codes, other, unbiased=unbiased) == pytest.approx(cka(other, scale * codes @ turn.T - 1, unbiased=unbiased), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_biased_cka_is_that_of_cross_products_of_features(seed):
    """Kornblith et al. (2019), eq. 5: ‖Y'X‖² / (‖X'X‖ ‖Y'Y‖) of centred codes."""
    x, y = codes_of(seed), codes_of(seed + 1, numbers=3)
    x0, y0 = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(y0.T @ x0) ** 2 / np.linalg.norm(x0.T @ x0) / np.linalg.norm(y0.T @ y0)
    assert cka(x, y, unbiased=False) == pytest.approx(expected, abs=1e-12)


def test_of_one_number_each_it_is_the_squared_correlation():
    x, y = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 30).T
    assert cka(x[:, None], y[:, None], unbiased=False) == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_the_unbiased_estimate_is_the_u_statistic_over_all_quadruples():
    """Each four different people: K_ij (L_ij + L_qr − 2 L_iq), averaged (Song et al., 2012, eq. 6)."""
    one, other = gram(codes_of(0, people=6)), gram(codes_of(1, people=6, numbers=3))

    def hsic(k, m):
        fours = list(itertools.permutations(range(6), 4))
        return np.mean([k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in fours])

    assert of_grams(one, other) == pytest.approx(hsic(one, other) / np.sqrt(hsic(one, one) * hsic(other, other)), abs=1e-12)


def test_unrelated_layers_give_nothing_where_the_common_estimate_gives_much():
    pairs = [(codes_of(seed, 40, 300), codes_of(seed + 100, 40, 300)) for seed in range(30)]
    unbiased = np.array([cka(*pair) for pair in pairs])
    assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(30)
    assert min(cka(*pair, unbiased=False) for pair in pairs) > 0.8


def test_parts_of_a_wide_code_and_its_shape_change_nothing(monkeypatch):
    wide = np.random.default_rng(0).normal(size=(8, 3, 4, 5)).astype(np.float32)
    whole = gram(wide)
    monkeypatch.setattr("posekit.interpret.analysis.cka.COLUMNS", 7)
    np.testing.assert_allclose(gram(wide.reshape(8, -1)), whole, atol=1e-9)


def test_a_table_has_each_pair_of_layers():
    layers = {name: codes_of(seed, numbers=seed + 2) for seed, name in enumerate("abc")}
    table = cka_table(layers, layers)
    np.testing.assert_allclose(np.diag(table), 1)
    np.testing.assert_allclose(table, table.T)
    assert cka_table({"a": layers["a"]}, layers)[0] == pytest.approx(table[0])


def test_an_interval_covers_what_many_people_give():
    def draw(seed, people):
        random = np.random.default_rng(seed)
        shared = random.normal(size=(people, 3))
        return (np.hstack([shared, random.normal(size=(people, 3))]) for _ in range(2))

    truth = cka(*draw(99, 2000))
    found = [interval(*draw(seed, 80), permutations=0) for seed in range(40)]
    assert sum(one["low"] <= truth <= one["high"] for one in found) >= 33
    assert all(one["low"] < one["mean"] < one["high"] for one in found)


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (codes_of(0, 6), codes_of(0, 5), "6 and of 5 people"),
        (codes_of(0, 3), codes_of(1, 3), "needs 4 people, and there are 3"),
        (codes_of(0, 6), np.full((6, 2), np.nan), "not finite"),
        (codes_of(0, 6), np.full((6, 2), np.inf), "not finite"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_compared_is_refused(one, other, says):
    with pytest.raises(PosekitError, match=says):
        cka(one, other)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1])
def test_a_layer_that_is_the_same_for_everybody_has_nothing_in_common_with_any(value):
    still = np.full((9, 4), value)
    assert cka(still, codes_of(1, 9)) == cka(still, still) == 0
    assert cka_table({"still": still}, {"still": still, "other": codes_of(1, 9)}).tolist() == [[0, 0]]


def test_chance_lies_below_what_layers_share_and_about_what_strangers_do():
    shared = codes_of(0, 60, 4)
    found = interval(*(np.hstack([shared, codes_of(seed, 60, 4)]) for seed in (1, 2)))
    assert found["chance"] < found["low"] < found["mean"]
    strangers = interval(codes_of(3, 60, 400), codes_of(4, 60, 400))
    assert strangers["mean"] < max(3 * strangers["chance"], 0.1) and -0.1 < strangers["chance"] < 0.2


def test_of_few_people_there_is_no_interval():
    found = interval(codes_of(0, 7), codes_of(1, 7), permutations=0)
    assert np.isfinite(found["mean"]) and np.isnan([found["low"], found["high"], found["chance"]]).all()


def test_layers_are_of_people_cut_for_the_network_and_tokens_are_no_map(tmp_path):
    """Of tokens (N, T, C), neighbours are no neighbours: nothing is averaged."""

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.layer = nn.Conv2d(3, 40, 8, stride=8), nn.Linear(40, 17)

        def forward(self, pictures):
            maps = self.patches(pictures)
            return self.layer(maps.flatten(2).mT).mT.unflatten(2, maps.shape[2:])

    network = posekit.adapt(Tokens(), "coco", (64, 48), report=None, backend=posekit.Backend.plain())
    people = outside.people(4, outside.MOVED)
    store = posekit.crops(people, 80, tmp_path, aspect=network.card.aspect)
    found = layers(network.model, network.card, store, ["patches", "layer"], side=4, backend=network.backend)
    assert found["patches"].shape == (4, 40, 4, 4)
    whole = collect(network.model, network.card, store, "layer", backend=network.backend)
    np.testing.assert_allclose(found["layer"].reshape(4, -1), whole)
    square = posekit.crops(people, 80, tmp_path)
    for ask in (lambda: layers(network.model, network.card, square, ["layer"]), lambda: turned(network.model, network.card, square, 0.0)):
        with pytest.raises(PosekitError, match="crops were cut for an input whose width is 1 of its height"):
            ask()
