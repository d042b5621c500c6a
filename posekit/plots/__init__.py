"""Every figure of the book. Functions draw and return a matplotlib figure; they compute nothing that a test should see.

Imports `interpret` and what lies below; notebooks, `workflow` and `studies` import it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from posekit.display.drawing import COLOURS, draw, joint_colours
from posekit.errors import extra
from posekit.models.hourglass import HourglassConfig
from posekit.skeleton import Skeleton

with extra("plots", "drawing figures"):
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

PALETTE = sns.color_palette("colorblind")
LEFT, RIGHT, MIDDLE = COLOURS["left leg"], COLOURS["right leg"], "0.35"
SHADES = [*(PALETTE[i] for i in (0, 1, 2, 3, 4, 5, 9, 7)), (0.1, 0.1, 0.1)]  # of lines and marks: without the pale ones
PALE = "0.35"  # numbers that are not sure


def style() -> None:
    """One look for all figures: vector graphics, colours safe for the colour-blind, no frame where it says nothing."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind", rc={
        "figure.dpi": 110, "savefig.dpi": 160, "axes.spines.top": False, "axes.spines.right": False,
        "font.size": 11, "axes.titlesize": 11, "axes.labelsize": 11, "legend.frameon": False, "svg.hashsalt": "posekit",
        "figure.constrained_layout.use": True,
    })  # fmt: skip
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")
    except ImportError:
        pass  # no notebook


def side(joint: str) -> str:
    """The colour of a joint: left, right or neither."""
    return LEFT if joint.startswith("left") else RIGHT if joint.startswith("right") else MIDDLE


def ink(ground: Sequence[float] | np.ndarray) -> str:
    """The colour of letters on a ground (3,) or (4,) in [0, 1]: "black" or "white", whichever has more `contrast`: 4.5 at least.

    >>> ink((1.0, 1.0, 1.0)), ink((0.0, 0.0, 0.5))
    ('black', 'white')
    """
    return max(("black", "white"), key=lambda letters: contrast(plt.matplotlib.colors.to_rgb(letters), ground))


def signed(value: float, digits: int) -> str:
    """A change as a figure shows it: `+0.5`, `−3.1`, and `0.0`, which has no sign."""
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def contrast(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> float:
    """Contrast of two colours (3,) or (4,) in [0, 1] by WCAG, from 1 to 21; what is not opaque lies on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Sequence[float] | np.ndarray) -> float:
    rgb, opaque = np.asarray(colour[:3], float), colour[3] if len(colour) > 3 else 1.0
    rgb = opaque * rgb + 1 - opaque
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def from_zero(ax: plt.Axes) -> None:
    """Let the vertical axis begin at 0 and end a little above what is drawn."""
    ax.update_datalim([(0, 0)], updatex=False)
    ax.autoscale_view(scalex=False)
    ax.set_ylim(bottom=0)


def blank_rest(axes: np.ndarray, count: int) -> None:
    """Of panels (R, C) that share their axes show `count`; the lowest of each column has the numbers of the horizontal axis."""
    for ax in axes.flat[count:]:
        ax.axis("off")
    for ax in axes.flat[max(count - axes.shape[1], 0) : count]:
        ax.tick_params(labelbottom=True)


def part_columns(figure: Figure) -> None:
    """Room between columns of panels, so that the last number below one does not run into the first below the next."""
    figure.set_layout_engine("constrained", wspace=0.08)


def _gap(figure: Figure, pad: float) -> None:
    """How much room the axes of a figure leave between them."""
    figure.set_layout_engine("constrained", w_pad=pad, h_pad=pad, wspace=pad, hspace=pad)


def people(
    pictures: Sequence[np.ndarray], keypoints: Sequence[np.ndarray], skeleton: Skeleton, columns: int = 8,
    titles: Sequence[str] | None = None, annotated: bool = False,
) -> Figure:  # fmt: skip
    """A sheet of people (each (H, W, 3) uint8) with their skeletons (K, 3) drawn on, `annotated` or predicted."""
    shown = [draw(p, k, skeleton, annotated=annotated) for p, k in zip(pictures, keypoints, strict=True)]
    return _sheet(shown, columns, titles)


def pairs(above: Sequence[tuple], below: Sequence[tuple]) -> Figure:
    """Two rows of people, each (picture, keypoints (K, 3), skeleton): who stand below one another belong together."""
    shown = [draw(picture, keypoints, skeleton, annotated=True) for picture, keypoints, skeleton in (*above, *below)]
    return _sheet(shown, len(above), None)


def _sheet(pictures: Sequence, columns: int, titles: Sequence[str] | None) -> Figure:
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    width = 9.0
    cell = width / columns
    figure, axes = plt.subplots(rows, columns, figsize=(width, rows * (cell + (0.22 if titles else 0.0))), squeeze=False)
    _gap(figure, 0.01)
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, picture) in enumerate(zip(axes.flat, pictures, strict=False)):
        ax.imshow(np.asarray(picture), interpolation="bilinear")
        if titles:
            ax.set_title(titles[i], fontsize=9, pad=4)
    return figure


def labels(keypoints: np.ndarray, skeleton: Skeleton) -> Figure:
    """Per joint, the share of people (N, K, 3) in whom it is visible, hidden, or not labelled."""
    flags = keypoints[..., 2]
    shares = [(flags == flag).mean(0) for flag in (2, 1, 0)]
    figure, ax = plt.subplots(figsize=(7, 0.27 * len(skeleton) + 1))
    start = np.zeros(len(skeleton))
    for share, name, colour in zip(shares, ("visible", "labelled, hidden", "not labelled"), (PALETTE[0], PALETTE[8], "0.85"), strict=True):
        if share.any():
            ax.barh(skeleton.joints, share, left=start, label=name, color=colour, height=0.75)
        start = start + share
    ax.invert_yaxis()
    ax.set(xlabel="share of people", xlim=(0, 1))
    ax.tick_params(axis="y", length=0)
    ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure


def pose_cloud(normalised: np.ndarray, skeleton: Skeleton, limit: float = 3.0) -> Figure:
    """Where each joint lies: keypoints (N, K, 2) relative to the middle of the hips, in torso lengths."""
    shown = [j for j in skeleton.joints if not j.endswith(("eye", "ear", "hip"))]
    columns = 6
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 1.7 * rows), sharex=True, sharey=True, squeeze=False)
    blank_rest(axes, len(shown))
    for ax, joint in zip(axes.flat, shown, strict=False):
        xy = normalised[:, skeleton.joints.index(joint)]
        xy = xy[np.isfinite(xy).all(-1)]
        ax.hist2d(xy[:, 0], xy[:, 1], bins=40, range=[[-limit, limit]] * 2, cmap="rocket_r", rasterized=True)
        ax.plot(0, 0, "+", color=PALETTE[0], markersize=7)
        ax.set_title(joint, fontsize=10, pad=3)
        ax.set_aspect("equal")
    axes.flat[0].invert_yaxis()
    figure.supxlabel("torso lengths to the right in the picture", fontsize=10)
    figure.supylabel("downwards", fontsize=10)
    return figure


def directions(angles: np.ndarray) -> Figure:
    """Rose of directions (N,) in radians, 0 upwards, clockwise as seen."""
    figure, ax = plt.subplots(figsize=(4.2, 4.2), subplot_kw={"projection": "polar"})
    count, edges = np.histogram(angles % (2 * np.pi), bins=24, range=(0, 2 * np.pi))
    share = count / max(count.sum(), 1)
    # Area, not radius, shows the share.
    ax.bar((edges[1:] + edges[:-1]) / 2, np.sqrt(share), width=np.diff(edges) * 0.92, color=PALETTE[0])
    assert isinstance(ax, PolarAxes)
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    ax.set_xticks(np.deg2rad([0, 90, 180, 270]), ["head up", "right", "head down", "left"])
    ax.tick_params(axis="x", pad=6)
    ticks = [0.1, 0.3]
    ax.set_yticks(np.sqrt(ticks), [f"{100 * tick:.0f} %" for tick in ticks], fontsize=8)
    return figure


def history(runs: Mapping[str, Sequence[dict]], uniform_peak: float | None = None) -> Figure:
    """Loss, score and heatmap peak over the epochs, one line a run."""
    figure, (loss, pck, peak) = plt.subplots(1, 3, figsize=(9, 3))
    mark = {"marker": "o", "markersize": 4} if min(map(len, runs.values())) < 10 else {}
    for i, (name, lines) in enumerate(runs.items()):
        epochs = [line["epoch"] for line in lines]
        if len(runs) == 1:
            loss.plot(epochs, [line["loss"] for line in lines], color=PALETTE[7], label="training", **mark)
            loss.plot(epochs, _known(lines, "val_loss"), color=PALETTE[0], label="validation", **mark)
        else:
            losses = _known(lines, "val_loss")
            loss.plot(epochs, losses / losses[0], color=PALETTE[i], label=name, **mark)
        pck.plot(epochs, 100 * _known(lines, "pck"), color=PALETTE[i], **mark)
        peak.plot(epochs, _known(lines, "val_peak"), color=PALETTE[i], **mark)
    if uniform_peak:
        peak.axhline(uniform_peak, color="0.5", linestyle=":")
        peak.annotate("a flat map", (1, uniform_peak), xytext=(0, 4), textcoords="offset points", fontsize=9, color="0.4")
    loss.set(xlabel="epoch", title="loss" if len(runs) == 1 else "validation loss, relative")
    pck.set(xlabel="epoch", title="PCK@0.2·torso on validation (%)")
    peak.set(xlabel="epoch", title="mean height of the peak")
    for ax in (pck, peak):
        from_zero(ax)
    loss.legend(fontsize=9)
    for ax in (loss, pck, peak):
        ax.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _known(lines: Sequence[dict], name: str) -> np.ndarray:
    """A figure of each epoch, (E,), NaN where it is not defined."""
    return np.array([line[name] for line in lines], float)


def per_joint(scores: Mapping[str, Mapping], title: str) -> Figure:
    """Score by joint: name to {"mean", "low", "high", "joints"}; left and right of a joint on one line."""
    joints = next(iter(scores.values()))["joints"]
    kinds = list(dict.fromkeys(j.removeprefix("left ").removeprefix("right ") for j in joints))
    names = list(scores)
    sides = {joint.partition(" ")[0] if joint.startswith(("left ", "right ")) else "middle" for joint in joints}
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.6 * len(names) + 1.6, 0.36 * len(kinds) + 1.3), sharex=True, sharey=True, squeeze=False
    )
    for ax, name in zip(axes[0], names, strict=True):
        block = scores[name]
        ax.axvspan(100 * block["low"], 100 * block["high"], color="0.9")
        ax.axvline(100 * block["mean"], color="0.6", linewidth=1)
        for row, kind in enumerate(kinds):
            for prefix, marker in (("left ", "<"), ("right ", ">"), ("", "o")):
                value = block["joints"].get(prefix + kind)
                if value is not None:
                    ax.plot(100 * value, row, marker, color=side(prefix + kind), markersize=8)
        ax.set(xlabel=title, title=name if len(names) > 1 else "")
        ax.grid(axis="y", color="0.92")
    axes[0, 0].set_xlim(0, None)
    axes[0, 0].set_yticks(range(len(kinds)), kinds)
    axes[0, 0].invert_yaxis()
    handles = [plt.Line2D([], [], marker=m, color=c, linestyle="", label=name)
               for m, c, name in (("<", LEFT, "left"), (">", RIGHT, "right"), ("o", MIDDLE, "middle")) if name in sides]  # fmt: skip
    figure.legend(handles=handles, ncols=3, loc="outside upper center", fontsize=9)
    return figure


def threshold_curve(curves: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], thresholds: np.ndarray, label: str) -> Figure:
    """PCK over the threshold: name to mean, low and high, each (T,)."""
    figure, ax = plt.subplots(figsize=(6, 3.4))
    for i, (name, (mean, low, high)) in enumerate(curves.items()):
        ax.plot(thresholds, 100 * mean, color=PALETTE[i], label=name)
        ax.fill_between(thresholds, 100 * low, 100 * high, color=PALETTE[i], alpha=0.25, linewidth=0)
    ax.axvline(0.2, color="0.6", linestyle=":", linewidth=1)
    ax.set(xlabel=label, ylabel="joints within it (%)", ylim=(0, 100), xlim=(0, thresholds[-1]))
    if len(curves) > 1:
        ax.legend(loc="lower right")
    return figure


def heatmaps(picture: np.ndarray, maps: np.ndarray, joints: Sequence[str], columns: int = 5) -> Figure:
    """A picture (R, R, 3) in [0, 1] under each of its heatmaps (K, R/4, R/4); each map is scaled to its own peak, and black below 0."""
    rows = -(-len(joints) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 1.95 * rows), squeeze=False)
    _gap(figure, 0.02)
    size = picture.shape[0]
    grey = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
    for ax in axes.flat:
        ax.axis("off")
    for ax, joint, heatmap in zip(axes.flat, joints, maps, strict=False):
        ax.imshow(grey, extent=(-0.5, size - 0.5, size - 0.5, -0.5))
        strength = np.clip(heatmap / max(heatmap.max(), 1e-12), 0, 1)
        ax.imshow(strength, extent=(-0.5, size - 0.5, size - 0.5, -0.5), cmap="inferno", alpha=0.25 + 0.65 * strength,
                  interpolation="nearest")  # fmt: skip
        ax.set_title(f"{joint}  {heatmap.max():.2f}", fontsize=9, pad=4)
    return figure


def intervals(rows: Mapping[str, Mapping], label: str) -> Figure:
    """One dot with its interval a row: name to {"mean", "low", "high"}."""
    figure, ax = plt.subplots(figsize=(6.5, 0.38 * len(rows) + 0.9))
    for i, block in enumerate(rows.values()):
        ax.plot([100 * block["low"], 100 * block["high"]], [i, i], color=PALETTE[0], linewidth=3, alpha=0.5)
        ax.plot(100 * block["mean"], i, "o", color=PALETTE[0])
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=label, ylim=(len(rows) - 0.5, -0.5))
    ax.grid(axis="x", color="0.92")
    return figure


def opening(pictures: np.ndarray, maps: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton) -> Figure:
    """What goes in, what comes out, and what is read from it.

    `pictures` (N, R, R, 3) uint8, `maps` (N, K, R/4, R/4), `keypoints` (N, K, 3) in input pixels. The maps
    of all joints are laid over each other, each in its joint's colour and to its own peak; below 0 they are black.
    """
    colours = np.array([plt.matplotlib.colors.to_rgb(c) for c in joint_colours(skeleton)])
    strength = np.clip(maps / np.maximum(maps.max((-2, -1), keepdims=True), 1e-12), 0, 1)
    glow = (strength[:, :, None] ** 1.5 * colours[None, :, :, None, None]).max(1).transpose(0, 2, 3, 1)
    n, size = len(pictures), pictures.shape[1]
    figure, axes = plt.subplots(3, n, figsize=(9, 27 / n))
    _gap(figure, 0.01)
    for column in range(n):
        axes[0, column].imshow(pictures[column])
        axes[1, column].imshow(glow[column], interpolation="nearest", extent=(-0.5, size - 0.5, size - 0.5, -0.5))
        axes[2, column].imshow(draw(pictures[column], keypoints[column], skeleton))
    for ax, name in zip(axes[:, 0], ("what it sees", "its heatmaps", "the joints read off"), strict=True):
        ax.set_ylabel(name)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        sns.despine(ax=ax, left=True, bottom=True)
    return figure


def architecture(config: HourglassConfig, resolution: int) -> Figure:
    """One hourglass: a bar a hook point, as tall as its maps are wide; what skips is drawn above."""
    side, depth = resolution // 4, config.depth
    points = [("stem", side)] + [(f"encoder{i}", side >> i) for i in range(1, depth + 1)]
    points += [(f"bottleneck{i}", side >> depth) for i in range(1, config.bottleneck_residuals + 1)]
    points += [(f"decoder{i}", side >> i) for i in range(depth, 0, -1)] + [("features", side), ("heatmaps", side)]
    figure, ax = plt.subplots(figsize=(9, 3.6))
    at = {name: x for x, (name, _) in enumerate(points)}
    for x, (name, width) in enumerate(points):
        height = np.log2(width) + 1
        colour = PALETTE[1] if name.startswith("bottleneck") else PALETTE[2] if name == "heatmaps" else PALETTE[0]
        ax.bar(x, height, width=0.62, bottom=-height / 2, color=colour, alpha=0.85)
        ax.text(x, 0, f"{width}²", ha="center", va="center", fontsize=9, color=ink((*colour, 0.85)))
        ax.text(x, -np.log2(side) / 2 - 1.0, name, ha="right", va="top", rotation=40, fontsize=9, rotation_mode="anchor")
    for level in range(1, depth + 1):
        start = at["stem"] if level == 1 else at[f"encoder{level - 1}"]
        end = at["features"] if level == 1 else at[f"decoder{level - 1}"]
        width = side >> (level - 1)
        low = (np.log2(width) + 1) / 2
        high = np.log2(side) / 2 + 0.9 + 0.55 * (depth - level)
        ax.plot([start, start, end, end], [low, high, high, low], color="0.45", linewidth=1.2)
        ax.text((start + end) / 2, high + 0.04, f"skip{level}", ha="center", va="bottom", fontsize=9, color="0.3")
    ax.text(
        at["stem"] - 0.6,
        np.log2(side) / 2 + 0.9 + 0.55 * depth,
        f"{config.features} channels; {config.joints} heatmaps",
        fontsize=9,
        color="0.3",
    )
    ax.set_xlim(-0.8, len(points) - 0.3)
    ax.set_ylim(-np.log2(side) / 2 - 2.6, np.log2(side) / 2 + 1.5 + 0.55 * depth)
    ax.axis("off")
    return figure
