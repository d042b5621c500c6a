"""A map of people to hover over: each point shows its person, and a list chooses what the colours mean.

Its HTML asks nothing of the network: the pictures are one sheet inside the page, and Bokeh's scripts lie beside it, put there
by `posekit.workflow.pages.build`, which goes by the HTML.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from posekit.display.html import webp
from posekit.errors import extra
from posekit.plots import PALETTE
from posekit.plots.codes.clusters import CONTINUOUS, categorical

SCRIPTS = ("bokeh.min.js", "bokeh-widgets.min.js")
FOLDER = "bokeh"  # where a page finds them
ABSENT = "#C8C8C8"
OF_THE_PAGE = """
select:not([multiple]).bk-input {background: var(--pst-color-surface, white); color: var(--pst-color-text-base, black); appearance: auto;
  border-color: var(--pst-color-border, #999)}
:host {color: var(--pst-color-text-base, black)}
"""  # the list's colours: those of the book's theme, light or dark, or a notebook's
ASPECTS = 1.1, 3.0  # the least and the greatest width of a map over its height


def explorer(
    plane: np.ndarray, colours: Mapping[str, np.ndarray], people: Image.Image, *, side: int = 64, quality: int = 55,
    name: str = "people",
) -> str:  # fmt: skip
    """The HTML of a map (N, 2) to hover over.

    Args:
        colours: what can be chosen, name to values (N,); whole numbers are categories, counted from 0 and shown from 1; NaN
            is grey. The first is chosen at first.
        people: the sheet of the N people, `side` pixels each; see `sheet`.
        quality: of the sheet's WebP compression, 0 to 100.
        name: of the sheet within the page, for pages with several maps.
    """
    with extra("plots", "an interactive map"):
        from bokeh.embed import components
        from bokeh.layouts import column
        from bokeh.models import ColumnDataSource, CustomJS, CustomJSHover, HoverTool, LinearColorMapper
        from bokeh.models.widgets import Div, Select
        from bokeh.plotting import figure

    across = people.width // side
    number = np.arange(len(plane))
    scales = [_Scale.of(values) for values in colours.values()]
    data = {"x": plane[:, 0], "y": plane[:, 1], "u": -2 * side * (number % across), "v": -2 * side * (number // across)}
    for i, values in enumerate(colours.values()):
        data[f"value{i}"] = _shown(values)
    data = {title: values.astype(np.float32) for title, values in data.items()}
    source = ColumnDataSource(data | {"value": data["value0"]})
    mapper = LinearColorMapper(palette=scales[0].palette, low=scales[0].low, high=scales[0].high, nan_color=ABSENT)

    # A custom property of the page reaches into Bokeh's shadow tree, so that the sheet is there once.
    tip = (
        f'<div style="width:{2 * side}px;height:{2 * side}px;background-image:var(--{name}-sheet);background-repeat:no-repeat;'
        f'background-size:{2 * people.width}px {2 * people.height}px;background-position:@u{{0}}px @v{{0}}px"></div>'
        '<div style="font:13px sans-serif;text-align:center;color:#222">@value{custom}</div>'
    )
    says = CustomJSHover(code='return isNaN(value) ? "not defined" : String(+value.toPrecision(3)).replace("-", "−")')
    wide, high = np.maximum(np.ptp(plane, axis=0), 1e-9)
    plot = figure(
        sizing_mode="scale_width", aspect_ratio=float(np.clip(wide / high, *ASPECTS)), match_aspect=True,
        tools="pan,box_zoom,wheel_zoom,reset", toolbar_location="above", active_drag=None, active_scroll=None,
    )  # fmt: skip
    colour: Any = {"field": "value", "transform": mapper}
    dots = plot.scatter(
        "x", "y", source=source, size=6, fill_color=colour, line_color=None, fill_alpha=0.85,
        hover_fill_color=colour, hover_line_color="black",
    )  # fmt: skip
    plot.add_tools(HoverTool(
        renderers=[dots], tooltips=tip, formatters={"@value": says}, point_policy="snap_to_data", attachment="horizontal", visible=False,
        limit=1,
    ))  # fmt: skip
    plot.toolbar.logo = None
    plot.axis.visible = False
    plot.grid.visible = False
    plot.outline_line_color = "#999999"
    key = Div(text=scales[0].key, sizing_mode="stretch_width")
    names: list[Any] = [*colours]
    choice = Select(
        title="Colour by", value=names[0], options=names, max_width=320, sizing_mode="stretch_width", stylesheets=[OF_THE_PAGE]
    )  # fmt: skip
    known = {title: [i, s.palette, s.low, s.high, s.key] for i, (title, s) in enumerate(zip(colours, scales, strict=True))}
    choice.js_on_change("value", CustomJS(args={"source": source, "key": key, "known": known, "mapper": mapper}, code="""
        const [i, palette, low, high, text] = known instanceof Map ? known.get(cb_obj.value) : known[cb_obj.value]
        mapper.setv({palette, low, high})
        source.data = {...source.data, value: source.data["value" + i]}
        key.text = text
    """))  # fmt: skip
    script, division = components(column(choice, key, plot, sizing_mode="stretch_width"))
    style = f"<style>:root{{--{name}-sheet:url({webp(people, quality)})}}</style>"
    loads = "".join(f'<script src="{FOLDER}/{script}"></script>' for script in SCRIPTS)
    return f"{style}{loads}{division}{script}"


@dataclass(frozen=True)
class _Scale:
    """How values become colours, and a line of HTML that says so."""

    palette: list[str]
    low: float
    high: float
    key: str

    @classmethod
    def of(cls, values: np.ndarray) -> "_Scale":
        known = np.isfinite(values)
        if categorical(values):
            palette = [to_hex(PALETTE[i % len(PALETTE)]) for i in range(int(values.max()) + 1)]
            dots = "&ensp;".join(f'<span style="color:{colour}">●</span> {i + 1}' for i, colour in enumerate(palette))
            return cls(palette, 0.5, len(palette) + 0.5, dots)
        low, high = (float(v) for v in np.quantile(values[known], [0.02, 0.98])) if known.any() else (0.0, 1.0)
        palette = [to_hex(CONTINUOUS(place)) for place in np.linspace(0, 1, 64)]
        ramp = f"display:inline-block;width:8em;height:0.7em;background:linear-gradient(to right, {', '.join(palette[::9])})"
        key = f'{_number(low)} <span style="{ramp}"></span> {_number(high)}'
        if not known.all():
            key += f'&ensp;<span style="color:{ABSENT}">●</span> not defined'
        return cls(palette, low, max(high, low + 1e-9), key)


def _shown(values: np.ndarray) -> np.ndarray:
    return values + 1 if categorical(values) else values


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
