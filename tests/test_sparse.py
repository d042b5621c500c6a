"""Sparse features: planted atoms are found, random ones are called unstable, and noise has no meaning."""

import numpy as np
import pytest
import torch
from torch import nn

import posekit
from posekit import PosekitError, Skeleton, adapt
from posekit.hooks import edit
from posekit.interpret.activations.patching import stage_answers
from posekit.interpret.analysis import sparse
from posekit.interpret.analysis.cells import ablate_atoms, sampled, strongest
from posekit.interpret.analysis.decodability import pooled
from posekit.interpret.analysis.probes import probe

CHANNELS, ATOMS = 16, 20


def planted(count=4000, active=2, seed=0, noise=0.01):
    """Cells that are sums of a few of ATOMS planted atoms; the atoms; and who has which."""
    random = np.random.default_rng(seed)
    atoms = np.random.default_rng(99).normal(size=(ATOMS, CHANNELS))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    has = np.zeros((count, ATOMS), bool)
    np.put_along_axis(has, random.random((count, ATOMS)).argsort(1)[:, :active], True, axis=1)
    cells = (has * random.uniform(1, 2, has.shape)) @ atoms + noise * random.normal(size=(count, CHANNELS))
    return cells.astype(np.float32), atoms, has


@pytest.fixture(scope="module")
def found():
    cells, _, _ = planted()
    return [sparse.autoencoder(cells, ATOMS, 2, seed=seed, steps=200) for seed in range(3)]


def test_planted_atoms_are_found_and_stable(found):
    cells, atoms, _ = planted()
    assert np.median(sparse.matched(found[0].atoms, atoms)) > 0.95
    stable = sparse.atom_stability([one.atoms for one in found])
    assert stable["least"] > stable["chance"] + 0.1 and stable["mean"] > 0.8
    assert found[0].explained(cells) > 0.9 and (found[0].coefficients(cells) != 0).sum(1).max() <= 2


def test_planted_atoms_need_fewer_coefficients_than_components(found):
    cells, _, _ = planted()
    assert found[0].explained(cells) > sparse.components(cells, 2).explained(cells) + 0.1


def test_an_atom_marks_what_it_was_planted_for(found):
    cells, _, has = planted()
    fitted = np.arange(len(cells)) < 2000
    best, by_atoms = sparse.atom_detection(found[0].code(cells), has, fitted)
    _, by_components = sparse.atom_detection(sparse.components(cells, 2).code(cells), has, fitted)
    assert np.median(by_atoms) > 0.95 and by_atoms.mean() > by_components.mean() + 0.05
    assert len(set(best.tolist())) > ATOMS * 0.7


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("atoms, channels", [(20, 12), (64, 16), (16, 64)])
def test_random_atoms_are_called_unstable(seed, atoms, channels):
    drawn = np.random.default_rng(seed).normal(size=(3, atoms, channels))
    found = sparse.atom_stability(list(drawn), seed=seed + 100)
    assert found["mean"] < found["chance"] * 1.05 and found["least"] <= found["chance"]


def test_atoms_of_cells_without_structure_are_called_unstable():
    """Two trainings on halves of Gaussian noise agree no more than random atoms do."""
    cells = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    found = [sparse.autoencoder(half, 20, 2, seed=i, steps=100, batch=128).atoms for i, half in enumerate(np.split(cells, 2))]
    agreed = sparse.atom_stability(found)
    assert agreed["least"] < agreed["chance"] * 1.1


def test_the_same_atoms_in_another_order_and_sign_are_stable():
    atoms = np.random.default_rng(0).normal(size=(20, 12))
    other = -atoms[np.random.default_rng(1).permutation(20)]
    found = sparse.atom_stability([atoms, other])
    assert found["mean"] == pytest.approx(1) and found["least"] > found["chance"]


def test_noise_has_no_meaning_and_chosen_features_are_judged_on_other_cells():
    """Of 256 features of noise the best on one half looks like something; on the other half it is nothing."""
    random = np.random.default_rng(0)
    features, marked = random.normal(size=(2000, 256)), random.random((2000, 10)) < 0.05
    fitted = np.arange(2000) < 1000
    best, judged = sparse.atom_detection(features, marked, fitted)
    chosen = sparse.areas(features[fitted], marked[fitted])[best, np.arange(10)]
    assert np.abs(chosen - 0.5).mean() > 0.1 and abs(judged.mean() - 0.5) < 0.05


def test_areas_in_closed_form():
    features = np.array([[0.0, 3], [1, 2], [2, 1], [3, 0]])
    marked = np.array([[0, 1], [0, 0], [1, 0], [1, 0]], bool)
    np.testing.assert_allclose(sparse.areas(features, marked), [[1, 0], [0, 1]])
    assert np.isnan(sparse.areas(features, np.zeros((4, 1), bool))).all()
    np.testing.assert_allclose(sparse.areas(np.ones((4, 1)), marked), [[0.5, 0.5]])


def test_components_at_full_sparsity_explain_everything_and_noise_has_no_dead_ones():
    cells = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    whole = sparse.components(cells, 8)
    assert whole.explained(cells) == pytest.approx(1, abs=1e-5) and whole.dead(cells) == 0
    shares = [sparse.components(cells, k).explained(cells) for k in range(1, 9)]
    assert shares == sorted(shares)


def test_nmf_finds_parts():
    random = np.random.default_rng(0)
    parts = np.kron(np.eye(3), np.ones(4))
    cells = (random.exponential(size=(1500, 3)) @ parts).astype(np.float32)
    fitted = sparse.nmf(cells, 3, atoms=3)
    assert sparse.matched(fitted.atoms, parts).min() > 0.95 and fitted.explained(cells) > 0.95


def test_dead_atoms_are_counted():
    atoms = np.eye(4, dtype=np.float32)
    one = sparse.Dictionary("planted", atoms, np.zeros(4), 1, lambda cells: cells @ atoms.T)
    assert one.dead(np.array([[3.0, 1, 0, 0], [0, 2, 1, 0]])) == 0.5


def test_what_is_no_cells_is_refused():
    cells = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    for said, call in {
        "30, 4.*64 atoms need .* 64 or more; take more people": lambda: sparse.autoencoder(cells, 64, 4),
        "k is 9; a cell has 1 to 8 of 8 atoms": lambda: sparse.autoencoder(cells, 8, 9),
        "k is 0": lambda: sparse.autoencoder(cells, 8, 0),
        "all the same or not finite": lambda: sparse.components(0 * cells),
        "the same or not finite; take another": lambda: sparse.nmf(cells * np.nan),
        "two or more dictionaries of one shape": lambda: sparse.atom_stability([cells]),
        r"of one shape, not .*\(30, 4\)": lambda: sparse.atom_stability([cells, cells[:5]]),
    }.items():
        with pytest.raises(PosekitError, match=said):
            call()


class Colours(nn.Module):
    """Cells are the mean colours of 4 x 4 pixels."""

    def __init__(self):
        super().__init__()
        self.cells, self.head = nn.AvgPool2d(4), nn.Conv2d(3, 2, 1)

    def forward(self, pictures):
        return self.head(self.cells(pictures))


def colours(size=32):
    skeleton = Skeleton("wrists", ("left wrist", "right wrist"))
    return adapt(Colours(), skeleton, size, backend=posekit.Backend.plain(), report=None)


def dotted(count=24, size=(32, 32)):
    """Pictures with a blue square in one cell each, of those that an input of a size (H, W) holds, and where it is: (N, 1, 2)."""
    height, width = (np.array(size) // 4).tolist()
    at = np.random.default_rng(0).integers(0, (width, height), (count, 2)) + np.array([8 - width, 8 - height]) // 2
    pictures = torch.zeros(count, 3, 32, 32)
    for picture, (x, y) in zip(pictures, at, strict=True):
        picture[2, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4] = 1
    return pictures, 4 * at[:, None] + 1.5


@pytest.mark.parametrize("size", [(32, 32), (32, 16), (16, 32)])
def test_cells_are_where_joints_are_and_atoms_answer_there(size):
    network = colours(size)
    pictures, places = dotted(size=size)
    cells = sampled(network, pictures, "cells", places, elsewhere=5)
    assert cells.marked.sum() == len(pictures) and np.array_equal(cells.values[:, 2] == 1, cells.marked[:, 0])
    assert np.array_equal(np.bincount(cells.person) >= 5, np.ones(len(pictures), bool))
    gone = np.where(np.arange(len(pictures))[:, None, None] < 3, np.nan, places)
    assert sampled(network, pictures, "cells", gone).marked.sum() == len(pictures) - 3
    blue = sparse.Dictionary("planted", np.eye(3, dtype=np.float32), np.zeros(3), 3, lambda given: given)
    shown = strongest(network, pictures, "cells", blue, [2], count=4)[0]
    assert shown.values.tolist() == [1] * 4 and shown.patches.shape == (4, 8, 8, 3)
    assert (shown.patches[:, 2:6, 2:6, 2] == 255).all()


def test_an_atom_taken_out_takes_its_part_alone():
    blue = sparse.Dictionary("planted", np.eye(3, dtype=np.float32), np.zeros(3), 3, lambda given: given)
    activation = torch.rand(2, 3, 4, 4)
    edited = sparse.without_atom(blue, 2)(activation)
    assert torch.equal(edited[:, :2], activation[:, :2]) and edited[:, 2].abs().max() < 1e-6
    control = sparse.without_atom(blue, 2, np.array([1.0, 0, 0]))(activation)
    assert torch.allclose(activation[:, 0] - control[:, 0], activation[:, 2]) and torch.equal(control[:, 1:], activation[:, 1:])


def test_a_joint_that_rests_on_an_atom_moves_when_it_is_taken_out():
    """The left wrist is where the picture is blue; the right one where it is red. Without the blue atom only the left one is lost."""
    network, _ = colours(), torch.manual_seed(0)
    with torch.no_grad():
        network.model.module.head.weight[:] = torch.tensor([[0.0, 0, 1], [1, 0, 0]]).view(2, 3, 1, 1)
        network.model.module.head.bias.zero_()
    pictures, _ = dotted()
    pictures[:, 0] = pictures[:, 2].flip(-1)
    primary = sparse.Dictionary("planted", np.eye(3, dtype=np.float32), np.zeros(3), 3, lambda given: given)
    found = ablate_atoms(network, pictures, "cells", primary, {"left wrist": 2, "right wrist": 1})
    assert found["left wrist"]["more than others"].low > 0.1 and found["left wrist"]["other joints"].mean < 1e-6
    assert found["right wrist"]["its joint"].mean < 1e-6  # nothing is green
    both = [found[joint]["its joint"].mean - found[joint]["its joint, random direction"].mean for joint in ("left wrist", "right wrist")]
    assert found["mean of these"]["more than a random direction"].mean == pytest.approx(np.mean(both))


def test_an_atom_is_compared_with_the_mean_of_its_controls():
    network, _ = colours(), torch.manual_seed(0)
    pictures, _ = dotted()
    primary = sparse.Dictionary("planted", np.eye(3, dtype=np.float32), np.zeros(3), 3, lambda given: given)
    chance = []
    for seed in range(2):
        drawn = np.random.default_rng(0).normal(size=(2, 3))[seed]
        edited = sparse.without_atom(primary, 2, drawn / np.linalg.norm(drawn))
        intact = stage_answers(network, pictures)
        with edit(network.model, {"cells": edited}):
            chance.append(np.linalg.norm(stage_answers(network, pictures)[:, 0, :2] - intact[:, 0, :2], axis=-1).mean() / 32)
    found = ablate_atoms(network, pictures, "cells", primary, {"left wrist": 2}, controls=2, seed=0)
    assert found["left wrist"]["its joint, random direction"].mean == pytest.approx(np.mean(chance), rel=1e-4)
    with pytest.raises(PosekitError, match="controls is 0"):
        ablate_atoms(network, pictures, "cells", primary, {}, controls=0)


def test_a_place_is_read_where_it_is_and_not_from_noise():
    network = colours()
    pictures, places = dotted(200)
    values = pooled(network, pictures, ["cells", "head"], cells=8)["cells"]
    assert values.shape == (200, 3 * 64)
    assert probe("x", values, places[:, 0, 0], permutations=5).r2 > 0.9
    assert probe("noise", values, np.random.default_rng(5).normal(size=200), permutations=5).r2 < 0.1
    assert pooled(network, pictures, ["cells", "cells"], cells=2)["cells"].shape == (200, 12), "named twice, it is looked at once"


CELLS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


@pytest.mark.parametrize("k", [0, -1, 9, 2.0, None])
@pytest.mark.parametrize("make", [lambda k: sparse.autoencoder(CELLS, 8, k, steps=1), lambda k: sparse.components(CELLS, k),
                                  lambda k: sparse.nmf(CELLS, k)])  # fmt: skip
def test_a_cell_has_some_of_the_atoms_that_there_are(make, k):
    with pytest.raises(PosekitError, match=f"k is {k}; (a cell has 1 to|it must be a whole number)"):
        make(k)


def test_nothing_to_explain_is_no_share():
    found = sparse.components(CELLS, 2)
    assert np.isnan(found.explained(CELLS[:0])) and np.isnan(found.explained(np.ones_like(CELLS)))
    for atom in (-1, 6):
        with pytest.raises(PosekitError, match=f"no atom {atom}; principal components has 6"):
            sparse.without_atom(found, atom)


def test_cells_of_one_channel_have_one_component():
    cells = np.random.default_rng(0).normal(size=(30, 1))
    found = sparse.components(cells, 1)
    assert np.abs(found.atoms).tolist() == [[1.0]] and found.explained(cells) == pytest.approx(1)
