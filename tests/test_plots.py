"""What figures decide by themselves: the ink on a colour, where an axis ends, where crowded dots lie."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

import posekit
from posekit import plots
from posekit.plots.comparisons.spread import APART, side_by_side

part = st.floats(0, 1)
WHITE, BLACK = (1, 1, 1), (0, 0, 0)


def test_contrast_is_that_of_wcag():
    assert plots.contrast(WHITE, BLACK) == pytest.approx(21)
    assert plots.contrast(WHITE, WHITE) == 1
    assert plots.contrast((1, 0, 0), BLACK) == pytest.approx(0.2626 / 0.05)
    assert plots.contrast(to_rgb("#767676"), WHITE) == pytest.approx(4.54, abs=0.005)  # WCAG's own lightest grey for text
    assert plots.contrast((0, 0, 0, 0.0), BLACK) == pytest.approx(21)  # what lets all through is white


@given(st.tuples(part, part, part, part))
def test_ink_stands_out_more_than_the_other(ground):
    chosen = plots.ink(ground)
    other = {"black": "white", "white": "black"}[chosen]
    assert plots.contrast(to_rgb(chosen), ground) >= plots.contrast(to_rgb(other), ground)
    assert plots.contrast(to_rgb(chosen), ground) > 4


def test_figures_are_drawn_without_the_book_s_style():
    skeleton = posekit.SKELETONS["coco"]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        plt.close(plots.people([np.zeros((8, 8, 3), np.uint8)] * 2, np.full((2, len(skeleton), 3), np.nan), skeleton, titles=["a", "b"]))
        figure, _ = plt.subplots(1, 2)
        plots.part_columns(figure)
        figure.canvas.draw()
        plt.close(figure)


@pytest.mark.parametrize("values", [[63.0, 66.0], [0.0, 0.0], [np.nan, np.nan]])
def test_an_axis_from_zero_has_room_above_the_highest_value(values):
    figure, ax = plt.subplots()
    ax.plot(values)
    plots.from_zero(ax)
    low, high = ax.get_ylim()
    assert low == 0 and high > 1.04 * np.nan_to_num(max(values))
    plt.close(figure)


def test_the_lowest_panel_of_each_column_has_numbers():
    figure, axes = plt.subplots(2, 3, sharex=True)
    plots.blank_rest(axes, 4)
    numbered = [ax.xaxis.get_tick_params()["labelbottom"] for ax in axes.flat]
    assert numbered[:4] == [False, True, True, True]
    assert [ax.axison for ax in axes.flat] == [True] * 4 + [False] * 2
    plt.close(figure)


@given(st.lists(st.floats(1, 100), min_size=1, max_size=20))
def test_dots_side_by_side_keep_their_order_and_their_distance(costs):
    costs = np.array(costs)
    places, order = side_by_side(costs), np.argsort(costs, kind="stable")
    apart = APART * np.ptp(costs)
    assert (np.diff(places[order]) >= apart - 1e-9).all()
    assert places.mean() == pytest.approx(costs.mean())
    if (np.diff(costs[order]) >= apart).all():
        assert places == pytest.approx(costs)
