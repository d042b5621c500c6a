"""The figures of the theory chapters are drawn from whatever they are given, and say it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from posekit.plots import theory as draw

RANDOM = np.random.default_rng(0)
LINE = np.linspace(0.1, 1, 5)
PLANE = RANDOM.random((5, 2))
SQUARE = RANDOM.random((8, 8))
FIGURES = {
    "decoding": lambda: draw.decoding(LINE, {"argmax": LINE}, LINE, {"argmax": LINE}),
    "trap": lambda: draw.trap(np.array([1, 2, 4, 8, 16]), {"mse": LINE}, LINE, {"mse": LINE}),
    "optimisers": lambda: draw.optimisers({"SGD": PLANE}, SQUARE, (-1, 1, -1, 1), {"SGD": LINE}),
    "schedule": lambda: draw.schedule({"constant": LINE}, {"constant": LINE, "constant, averaged": LINE}),
    "generalisation": lambda: draw.generalisation((LINE, LINE), LINE, LINE, {3: LINE}, np.arange(5), LINE, LINE),
    "pictures": lambda: draw.pictures({"one": SQUARE, "signed": SQUARE - 0.5}, 2, {"signed": np.eye(3)}),
    "receptive": lambda: draw.receptive({"stem": 29, "heatmaps": 961}, {"heatmaps": 60}, 8, {"heatmaps": SQUARE}, {"heatmaps": 3.5}),
    "depth": lambda: draw.depth({"plain": LINE}, {"plain": LINE}),
    "planted": lambda: draw.planted(LINE[::-1], LINE[::-1], 2, LINE, LINE, 0.5),
    "two clusters": lambda: draw.two_clusters({"one": (PLANE, np.array([0, 1, 0, 1, 0]), LINE)}, {"one": "a title"}),
    "coverage": lambda: draw.coverage({"people": np.array([[0.1, 0.2], [0.3, 0.9]])}, 0.5, {"people": "half"}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_and_labelled(name):
    figure = FIGURES[name]()
    figure.canvas.draw()
    labels = [ax.get_xlabel() + ax.get_title() for ax in figure.axes]
    assert any(labels)
    plt.close(figure)


def test_intervals_that_miss_are_drawn_otherwise():
    figure = draw.coverage({"people": np.array([[0.1, 0.2], [0.3, 0.9]])}, 0.5, {"people": "half"})
    missing, holding, truth = figure.axes[0].lines
    assert missing.get_linewidth() > holding.get_linewidth()
    assert missing.get_color() != holding.get_color()
    assert truth.get_xdata()[0] == 50
    plt.close(figure)
