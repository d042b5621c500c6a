"""Maps drawn over pictures in warm colours: heatmaps, and where a network looked."""

from collections.abc import Mapping

import numpy as np

from posekit.errors import extra

with extra("plots", "drawing figures"):
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WARM = "inferno"
MARK = "#35D0FF"
BRIGHTEST = 0.995  # quantile of a map that is drawn at full strength: a lone pixel would leave the rest black


def beside(picture: np.ndarray, seen: np.ndarray, point: np.ndarray, maps: Mapping[str, np.ndarray]) -> Figure:
    """A picture (H, W, 3) uint8 and maps (H, W) over it, by title, side by side; a cross marks `point` (2,).

    What is shown is what was seen of it: its left, top, right and lower edge (4,). All in picture pixels.
    """
    left, top, right, bottom = seen
    figure = Figure(figsize=(9, 9 / (1 + len(maps)) * (bottom - top) / (right - left) + 0.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)  # type: ignore[union-attr, call-arg]
    panels = [("the picture", None), *maps.items()]
    (x, y), (x_end, y_end) = np.floor(seen[:2] + 0.5).astype(int), np.ceil(seen[2:] + 0.5).astype(int)
    for ax, (title, values) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        part = None if values is None else values[y:y_end, x:x_end]
        over(ax, picture[y:y_end, x:x_end], part, (x - 0.5, x_end - 0.5, y_end - 0.5, y - 0.5))
        ax.plot(*point, "+", color=MARK, markersize=9, markeredgewidth=1.5)
        ax.set(xlim=(left, right), ylim=(bottom, top))
        ax.set_title(title, fontsize=10, pad=3)
    return figure


def over(ax: Axes, picture: np.ndarray, values: np.ndarray | None, extent: tuple[float, float, float, float] | None = None) -> None:
    """A map (H, W) in warm colours over a grey picture (H, W, 3) uint8, from its least value on, no negative ones; or the picture."""
    bare(ax)
    if values is None:
        ax.imshow(picture, extent=extent)
        return
    positive = np.clip(values - max(float(np.min(values)), 0), 0, None)
    strength = np.clip(positive / max(float(np.quantile(positive, BRIGHTEST)), float(positive.max()) / 20, 1e-30), 0, 1)
    warm, share = matplotlib.colormaps[WARM](strength)[..., :3] * 255, (0.15 + 0.8 * strength)[..., None]
    mixed = (share * warm + (1 - share) * 0.7 * picture.mean(-1, keepdims=True)).astype(np.uint8)  # one image: half the page's weight
    ax.imshow(mixed, extent=extent)


def bare(ax: Axes) -> None:
    """Without ticks and frame."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
