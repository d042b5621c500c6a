"""Single cells of an activation: where joints are and elsewhere, and those that a feature answers most to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posekit.data.people import iterate
from posekit.engine.inference.prediction import Predictor, by_modules
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.hooks import edit, trace
from posekit.interpret.activations.patching import block, stage_answers
from posekit.interpret.analysis.sparse import Dictionary, atom_detection, atom_stability, without_atom
from posekit.stats import Interval, over_people, over_seeds

BATCH = 32
SHARE = 1 / 4  # of the view's side: the side of the patch that is shown of a cell


@dataclass(frozen=True)
class Cells:
    """M cells of N people.

    Attributes:
        values: (M, C) float32, the activation's channels.
        marked: (M, K) bool, which joints lie in the cell.
        person: (M,) row of the person.
    """

    values: np.ndarray
    marked: np.ndarray
    person: np.ndarray


def sampled(
    network: Predictor, pictures: Tensor, hook_point: str, joints: np.ndarray, *, elsewhere: int = 24, seed: int = 0, batch: int = BATCH
) -> Cells:  # fmt: skip
    """The cells in which joints lie, and some others drawn at random.

    Args:
        pictures: (N, 3, R, R) in [0, 1].
        joints: (N, K, 2) in pixels of the pictures, NaN where not known; those outside of the picture are in no cell.
        elsewhere: cells drawn from each person beside.

    Raises:
        PosekitError: no such hook point, or its activation is no map.
    """
    random, found = np.random.default_rng(seed), []
    for index, activation in _maps(network, pictures, hook_point, batch):
        height, width = activation.shape[-2:]
        for person, values in zip(index, activation.movedim(1, -1).flatten(1, 2).cpu().numpy(), strict=True):
            column, row = _cell(joints[person], width, height, network.card)
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            where = np.where(inside, row * width + column, -1).astype(int)
            drawn = random.choice(height * width, min(elsewhere, height * width), replace=False)
            chosen = np.unique(np.concatenate([where[inside], drawn]))
            found.append((values[chosen], chosen[:, None] == where[None], np.full(len(chosen), person)))
    values, marked, who = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Cells(values.astype(np.float32), marked, who)


def compared_sets(
    cells: Cells, sets: Mapping[str, Sequence[Dictionary]], halves: np.ndarray, joints: Sequence[str], *, seed: int = 0
) -> tuple[dict[str, Any], np.ndarray]:
    """Sets of dictionaries (`sparse.dictionaries`) compared on cells; features are chosen on people of half 0 and measured on the others.

    Args:
        halves: (N,) of each person, 0 or 1.
        joints: (K,) names of the marks.

    Returns:
        By name, how many `cells` there are, the `joints` that are marked in both halves (J), and by kind of dictionary the share of the
        variance `explained` and `stability`; the share of `dead` atoms; `areas` under the ROC curve, of J joints each; and `more`, the
        autoencoder's less the components', with Student's interval over joints. Then the autoencoder's best atom of each joint (J,).
    """
    first = halves[cells.person] == 0
    marks = [k for k in range(len(joints)) if cells.marked[first, k].any() and cells.marked[~first, k].any()]
    marked = {name: atom_detection(kind[0].code(cells.values), cells.marked[:, marks], first) for name, kind in sets.items()}
    areas = {name: area for name, (_, area) in marked.items()}
    return {
        "cells": len(cells.values),
        "joints": [joints[k] for k in marks],
        "explained": {name: kind[0].explained(cells.values) for name, kind in sets.items()},
        "dead": sets["sparse autoencoder"][0].dead(cells.values),
        "stability": {name: atom_stability([one.atoms for one in kind], seed=seed) for name, kind in sets.items()},
        "areas": areas,
        "more": block(over_seeds(areas["sparse autoencoder"] - areas["principal components"])),
    }, marked["sparse autoencoder"][0]


@dataclass(frozen=True)
class Strongest:
    """The P pictures in which a feature is largest, at most one cell of each, the largest first."""

    atom: int
    values: np.ndarray  # (P,)
    people: np.ndarray  # (P,) rows of the pictures
    patches: np.ndarray  # (P, S, S, 3) uint8, round the cell; black outside of the picture


def strongest(
    network: Predictor, pictures: Tensor, hook_point: str, dictionary: Dictionary, atoms: Sequence[int], *, count: int = 8,
    batch: int = BATCH,
) -> list[Strongest]:  # fmt: skip
    """What each of some atoms answers most to in pictures (N, 3, R, R)."""
    peaks, cells, shape = [], [], (1, 1)
    for _, activation in _maps(network, pictures, hook_point, batch):
        shape = activation.shape[-2:]
        flat = activation.movedim(1, -1).reshape(-1, activation.shape[1]).cpu().numpy()
        values = dictionary.coefficients(flat)[:, list(atoms)].reshape(len(activation), math.prod(shape), len(atoms))
        peaks.append(values.max(1))
        cells.append(values.argmax(1))
    value, cell = np.concatenate(peaks), np.concatenate(cells)
    shown = (pictures.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    side = round(SHARE * shown.shape[1])
    padded = np.pad(shown, [(0, 0), (side, side), (side, side), (0, 0)])
    (left, top, width, height), found = network.card.window, []
    for i, atom in enumerate(atoms):
        best = np.argsort(-value[:, i], kind="stable")[:count]
        rows, columns = np.divmod(cell[best, i], shape[1])
        xs = np.round(left + (columns + 0.5) * width / shape[1] + side / 2).astype(int)
        ys = np.round(top + (rows + 0.5) * height / shape[0] + side / 2).astype(int)
        patches = np.stack([padded[p, y : y + side, x : x + side] for p, x, y in zip(best, xs, ys, strict=True)])
        found.append(Strongest(int(atom), value[best, i], best, patches))
    return found


def ablate_atoms(
    network: Predictor, pictures: Tensor, hook_point: str, dictionary: Dictionary, atoms: Mapping[str, int], *, controls: int = 20,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:  # fmt: skip
    """How far joints move when the atom that marks one is taken out of every cell, in shares of the pictures' side.

    Args:
        atoms: by joint, the atom that marks it.
        controls: how many random directions are drawn, the same for every joint.

    Returns:
        By joint, the distances that it moves itself, `its joint`; that the `other joints` move; how much farther it moves than they do,
        `more than others`; `its joint, random direction`, where as much is taken along one, in the mean of the `controls`; and how much
        farther it moves than that, `more than a random direction`. Last the `mean of these` joints. Intervals are over people.
    """
    if controls < 1:
        raise PosekitError(f"controls is {controls}; at least one random direction is needed to compare an atom with")
    names = network.skeleton.joints
    drawn = np.random.default_rng(seed).normal(size=(controls, dictionary.atoms.shape[1]))
    directions = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    intact, ones = stage_answers(network, pictures), np.ones(len(pictures))

    def moved(atom: int, direction: np.ndarray | None = None) -> np.ndarray:
        with edit(network.model, {hook_point: without_atom(dictionary, atom, direction)}):
            return np.linalg.norm(stage_answers(network, pictures)[..., :2] - intact[..., :2], axis=-1) / pictures.shape[-1]

    found: dict[str, dict[str, np.ndarray]] = {}
    for joint, atom in atoms.items():
        k, way = names.index(joint), moved(atom)
        own, rest = way[:, k], np.delete(way, k, 1).mean(1)
        chance = np.mean([moved(atom, direction)[:, k] for direction in directions], axis=0)
        found[joint] = {
            "its joint": own, "other joints": rest, "more than others": own - rest,
            "its joint, random direction": chance, "more than a random direction": own - chance,
        }  # fmt: skip
    if found:
        columns = list(found.values())
        found["mean of these"] = {name: np.mean([column[name] for column in columns], axis=0) for name in columns[0]}
    return {joint: {name: over_people(column, ones, seed=seed) for name, column in by.items()} for joint, by in found.items()}


def _cell(joints: np.ndarray, columns: int, rows: int, card: Card) -> tuple[np.ndarray, np.ndarray]:
    """Column and row (K,) of the cell in which each joint (K, 2) lies; −1 where it is not known."""
    left, top, width, height = card.window
    inside = np.nan_to_num(joints, nan=-1e6) + 0.5 - np.array([left, top])
    column, row = np.floor(inside * np.array([columns / width, rows / height])).T
    return column, row


def _maps(network: Predictor, pictures: Tensor, hook_point: str, batch: int):
    network.card.check_pictures(pictures)
    run = by_modules(network.model, network.backend)
    for index in iterate(len(pictures), batch):
        with trace(network.model, [hook_point]) as activations, torch.inference_mode():
            run(network.card.centred(pictures[index].to(network.backend.device)))
        activation = activations[hook_point].float()
        if activation.ndim != 4:
            raise PosekitError(f"{hook_point}: an activation of shape {tuple(activation.shape)} is no map (N, C, h, w)")
        yield index, activation
