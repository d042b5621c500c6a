"""Principal components: parity with scikit-learn, closed forms, merging, noise floor, stability."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from posekit.cli.hardware import bench_components
from posekit.errors import PosekitError
from posekit.interpret.analysis import components
from posekit.interpret.analysis.components import (
    Moments,
    batches_of,
    count_above_floor,
    jackknife,
    moments_of,
    noise_floor,
    pca,
    pca_of,
    stability,
)  # fmt: skip


def cloud(people=400, dimensions=24, mean=0.0, seed=0):
    """Codes (N, D) float32 whose variances fall by a third from one direction to the next, and never below 0.01."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0]
    spread = np.sqrt(np.maximum(10 * 0.66 ** np.arange(dimensions), 0.01))
    return (mean + random.normal(size=(people, dimensions)) * spread @ basis).astype(np.float32)


def components_of(codes, k=None, rows=100):
    return pca(moments_of(batches_of(codes, rows=37), rows), k)


@pytest.mark.parametrize("mean", [0.0, 1e3])
@pytest.mark.parametrize("people", [400, 15])
def test_equals_scikit_learn(mean, people):
    codes = cloud(people, mean=mean)
    ours, theirs = components_of(codes, 8), PCA(8, svd_solver="full").fit(codes.astype(float))
    assert np.allclose(ours.mean, theirs.mean_, atol=1e-6)
    assert np.allclose(ours.variances, theirs.explained_variance_, rtol=1e-4)
    assert np.allclose(ours.shares[:8], theirs.explained_variance_ratio_, rtol=1e-4)
    assert np.allclose(ours.directions, theirs.components_, atol=1e-4)  # the sign is the same rule
    assert np.allclose(ours.transform(codes), theirs.transform(codes.astype(float)), atol=1e-2 if mean else 1e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) > 1),
    st.floats(-1e4, 1e4),
    st.integers(0, 2**16),
)
def test_moments_do_not_depend_on_how_people_are_shared_out(sizes, mean, seed):
    codes = np.random.default_rng(seed).normal(mean, 1, (sum(sizes), 5)).astype(np.float32)
    one, merged = Moments.none(5), Moments.none(5)
    for part in np.split(codes, np.cumsum(sizes)[:-1]):
        one.add(torch.from_numpy(part))
        other = Moments.none(5)
        other.add(torch.from_numpy(part))
        merged.merge(other)
    exact = codes.astype(float) - codes.mean(0, dtype=float)
    for moments in (one, merged):
        assert moments.count == len(codes)
        assert np.allclose(moments.mean, codes.mean(0, dtype=float), rtol=1e-9, atol=1e-6)
        assert np.allclose(moments.scatter, exact.T @ exact, rtol=1e-5, atol=1e-5 * np.square(exact).sum())


def test_a_hundred_small_batches_lose_no_digits():
    codes = cloud(2000, 16, mean=5e3)
    small, whole = components_of(codes, rows=1), components_of(codes.astype(np.float64), rows=10_000)
    assert np.allclose(small.spectrum, whole.spectrum, rtol=1e-4)


def test_transform_and_inverse_are_inverse_to_each_other():
    codes = cloud()
    every = components_of(codes)
    assert np.allclose(every.inverse(every.transform(codes)), codes, atol=1e-4)
    scores = np.random.default_rng(1).normal(size=(7, 5))
    assert np.allclose(every.first(5).transform(every.first(5).inverse(scores)), scores)


def test_dimensionality_in_closed_form():
    """Two directions of variances 3 and 1, one that never changes."""
    a, b = np.sqrt(3) * np.array([1, 1, -1, -1]), np.array([1, -1, 1, -1])
    codes = np.stack([a, b, np.full(4, 7.0)], 1).astype(np.float32)
    found = components_of(codes)
    assert np.allclose(found.spectrum, np.array([3, 1]) * 4 / 3)
    assert found.participation_ratio == pytest.approx(16 / 10)
    assert [found.components_for(share) for share in (0.5, 0.75, 0.8, 1.0)] == [1, 1, 2, 2]
    assert np.allclose(found.directions, [[1, 0, 0], [0, 1, 0]])
    assert len(found) == 2


@pytest.mark.parametrize(
    "codes, k, said",
    [
        (np.zeros((1, 4)), None, "at least two people"),
        (np.full((30, 4), 1234.567), None, "the same"),
        (np.zeros((30, 4)), 2, "the same"),
        (cloud(6, 24), 6, "ask for 1 to 5"),
        (cloud(), 25, "ask for 1 to 24"),
        (np.full((5, 4), np.nan), None, "not finite"),
    ],
)
def test_what_has_no_components_is_refused(codes, k, said):
    with pytest.raises(PosekitError, match=said):
        components_of(codes, k)


def test_nobody_is_refused():
    with pytest.raises(PosekitError, match="nobody"):
        moments_of([])


def test_noise_floor_finds_the_planted_components():
    random = np.random.default_rng(0)
    codes = random.normal(size=(600, 30)) + 2 * random.normal(size=(600, 3)) @ random.normal(size=(3, 30))
    floor = noise_floor(codes, permutations=10)
    assert count_above_floor(components_of(codes).spectrum, floor) == 3
    # It is the spectrum of codes with as much variance, which no component has more of than the others but by chance.
    assert floor.sum() == pytest.approx(codes.var(0, ddof=1).sum(), rel=0.05)


def test_noise_has_no_component_above_the_floor():
    codes = np.random.default_rng(3).normal(size=(500, 40))
    assert count_above_floor(components_of(codes).spectrum, noise_floor(codes)) <= 1


def test_noise_floor_in_parts_is_that_of_the_whole():
    codes = cloud(3000, 20)
    whole, parts = noise_floor(codes, rows=3000), noise_floor(codes, rows=500)
    assert np.allclose(whole, parts, rtol=0.03)
    assert noise_floor(codes, permutations=2, rows=5).sum() == pytest.approx(whole.sum(), rel=0.02)  # of five, each loses a fifth
    ordered = codes[np.argsort(codes[:, 0])]  # people in an order that is anything but random
    assert np.allclose(whole, noise_floor(ordered, rows=500), rtol=0.03)


def test_jackknife_of_a_variance_covers_it_as_often_as_it_should():
    """Of normal numbers the variance's standard error is known: σ² √(2 / (N − 1))."""
    widths, covered = [], []
    for seed in range(40):
        codes = np.random.default_rng(seed).normal(0, 2, (300, 1)).astype(np.float32)
        found = jackknife(codes, {"variance": lambda components: components.variances[0]}, seed=seed)["variance"]
        widths.append((found["high"] - found["low"]) / 2)
        covered.append(found["low"] <= 4 <= found["high"])
    assert np.mean(widths) == pytest.approx(1.96 * 4 * np.sqrt(2 / 299), rel=0.15)
    assert np.mean(covered) > 0.85


def test_halves_agree_on_what_is_there_and_not_on_noise():
    random = np.random.default_rng(0)
    codes = np.concatenate([cloud(1000, 6), 0.001 * random.normal(size=(1000, 1)), random.normal(size=(1000, 40))], 1)
    found = stability(codes, 12, splits=4)
    assert found.cosines.shape == found.angles.shape == (4, 12)
    assert (found.cosines[:, 0] > 0.95).all() and (found.cosines[:, :3] > 0.85).all()
    assert found.cosines[:, -3:].mean() < 0.8 and (found.angles[:, -1] > 45).all()


def test_people_of_one_picture_are_in_one_half():
    codes = cloud(200)
    once, twice = stability(codes, 5, splits=3), stability(np.repeat(codes, 2, 0), 5, splits=3, pictures=np.repeat(np.arange(200), 2))
    assert np.allclose(once.cosines, twice.cosines, atol=1e-5) and np.allclose(once.angles, twice.angles, atol=0.1)
    assert stability(np.repeat(codes, 2, 0), 5, splits=3).cosines.mean() > once.cosines.mean()


def test_halves_with_too_few_people_are_refused():
    with pytest.raises(PosekitError, match="half of 20 people have 9 components, not 12"):
        stability(cloud(20), 12)


def test_principal_angles_are_scipys():
    codes = cloud(200)
    found = stability(codes, 5, splits=1, seed=4)
    dealt = np.random.default_rng(4).permutation(200)
    assert found.chance_angles[-1] > found.angles[0, 0]
    one, other = (components_of(codes[half], 5).directions for half in (dealt[:100], dealt[100:]))
    assert np.allclose(found.angles[0], [np.degrees(subspace_angles(one[:m].T, other[:m].T)[0]) for m in range(1, 6)], atol=1e-3)


def test_two_processes_find_the_moments_of_all(tmp_path):
    codes = cloud(101, 6, mean=50)
    np.save(tmp_path / "codes.npy", codes)
    (tmp_path / "worker.py").write_text(
        "import numpy as np, torch\n"
        "from posekit.engine.learning import parallel\n"
        "from posekit.interpret.analysis.components import Moments\n"
        "codes = torch.from_numpy(np.load('codes.npy'))\n"
        "rank, moments = parallel.world().rank, Moments.none(6)\n"
        "moments.add(codes[:30] if rank == 0 else codes[30:])\n"
        "moments = moments.summed()\n"
        "np.savez(f'{rank}.npz', count=moments.count, mean=moments.mean, scatter=moments.scatter)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "worker.py"]
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    exact = codes.astype(float) - codes.mean(0, dtype=float)
    for rank in range(2):
        with np.load(tmp_path / f"{rank}.npz") as found:
            assert found["count"] == 101
            assert np.allclose(found["mean"], codes.mean(0, dtype=float))
            assert np.allclose(found["scatter"], exact.T @ exact, rtol=1e-5, atol=1e-3)


def test_a_process_with_nobody_adds_nothing():
    moments = Moments.none(6)
    moments.merge(Moments.none(6))
    assert moments.count == 0 and not moments.scatter.any() and moments.summed() is moments


@pytest.mark.parametrize("method", bench_components.METHODS)
def test_benchmark_recovers_the_spectrum_that_it_drew(method):
    found = bench_components.measure(method, 3000, 64)
    assert found["variance_error"] < 2 * found["expected_error"] and found["least_cosine"] > 0.97
    assert found["gb"] > 0.05


def test_benchmark_measures_in_a_process_of_its_own():
    filled = np.ones(100_000_000)  # 0.8 GB that a fresh process does not have
    found = bench_components._apart("streamed", 200, 24)
    assert filled.nbytes == 8e8 and found["gb"] < 0.7 and found["people"] == 200


def test_benchmark_says_which_measurement_failed(monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(PosekitError, match="streamed for 200 codes of 24 numbers: killed"):
        bench_components._apart("streamed", 200, 24)


def test_the_count_above_the_floor_has_an_interval_over_people():
    """Strong directions are counted by everybody alike; one at the floor's height is not."""
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(40, 40)))[0]
    marginal = random.normal(size=(300, 40)) * np.concatenate([[6, 6, 6], np.linspace(3, 1, 37)]) @ basis
    strong = random.normal(size=(300, 40)) * np.concatenate([[6, 6, 6], np.ones(37)]) @ basis
    widths = []
    for codes in (strong, marginal):
        floor = noise_floor(codes, seed=0)
        block = jackknife(codes, {"count": lambda c, floor=floor: count_above_floor(c.spectrum, floor)})["count"]
        assert block["low"] <= block["mean"] <= block["high"]
        widths.append(block["high"] - block["low"])
        assert block["mean"] >= 3
    assert widths[0] == 0 < widths[1]


def test_codes_of_more_numbers_than_people_are_analysed_alike(monkeypatch):
    """By the products of people; against numpy's covariances of numbers, and against the path by moments."""
    codes, index = cloud(24, 60, mean=3.0), np.arange(0, 24, 2)
    ours, theirs = pca_of(codes, index=index), PCA(svd_solver="full").fit(codes[index].astype(float))
    assert len(ours) == 11 and np.allclose(ours.variances, theirs.explained_variance_[:11], rtol=1e-5)
    assert np.allclose(np.abs((ours.directions * theirs.components_[:11]).sum(1)), 1, atol=1e-6) and np.allclose(ours.mean, theirs.mean_)

    random, spectra = np.random.default_rng(7), []
    for _ in range(5):
        random.permutation(24)
        spectra.append(np.linalg.eigvalsh(np.cov(random.permuted(codes, axis=0), rowvar=False))[::-1][:23])
    assert np.allclose(noise_floor(codes, permutations=5, seed=7), np.quantile(spectra, 0.95, axis=0), rtol=1e-4, atol=1e-6)

    measures = {"ratio": lambda c: c.participation_ratio, "first": lambda c: c.variances[0]}
    agreed, intervals = stability(codes, 3, splits=2), jackknife(codes, measures)
    monkeypatch.setattr(components, "pca_of", lambda codes, k=None, index=None: pca(moments_of(batches_of(codes, index)), k))
    assert np.allclose(stability(codes, 3, splits=2).cosines, agreed.cosines, atol=1e-4)
    for name, block in jackknife(codes, measures).items():
        assert intervals[name] == pytest.approx(block, rel=1e-3)


def test_wide_codes_take_no_matrix_of_their_numbers():
    """Ten thousand numbers: their products would be 0.8 GB, and hours of eigenvectors."""
    codes = np.random.default_rng(0).normal(size=(30, 10_000)).astype(np.float32)
    assert len(pca_of(codes)) == 29 and len(noise_floor(codes, permutations=2)) == 29
    assert np.isfinite(jackknife(codes, {"ratio": lambda c: c.participation_ratio})["ratio"]["low"])
    assert stability(codes, 3, splits=1).cosines.max() < 0.5


def test_constant_wide_codes_are_refused():
    with pytest.raises(PosekitError, match="codes of all 5 people are the same"):
        pca_of(np.full((5, 40), 1 / 3, np.float32))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("people", [10, 60])
def test_a_value_that_is_not_finite_is_refused_in_a_line_whatever_the_shape(people, wrong):
    codes = np.random.default_rng(0).normal(size=(people, 30)).astype(np.float32)
    codes[3, 4] = wrong
    for ask in (pca_of, noise_floor, lambda codes: stability(codes, 2), lambda codes: jackknife(codes, {"rank": len})):
        with pytest.raises(PosekitError, match="a value is not finite") as caught:
            ask(codes)
        assert "\n" not in str(caught.value)


@given(st.integers(6, 30), st.integers(1, 60))
@settings(max_examples=10, deadline=None)
def test_a_mask_chooses_people_as_their_rows_do(people, numbers):
    random = np.random.default_rng(people + 100 * numbers)
    codes, mask = random.normal(size=(people, numbers)), np.arange(people) % 3 > 0
    by_mask, by_row = pca_of(codes, index=mask), pca_of(codes, index=np.flatnonzero(mask))
    assert by_mask.count == mask.sum()
    np.testing.assert_allclose(by_mask.variances, by_row.variances)


@pytest.mark.parametrize("share", [95, 0, -0.5, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    found = pca_of(np.random.default_rng(0).normal(size=(40, 5)))
    with pytest.raises(PosekitError, match=f"share is {share}; it lies above 0 and is 1 at most"):
        found.components_for(share)
    assert found.components_for(1) == 5
