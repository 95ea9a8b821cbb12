"""Charts as SVG, made by the server: pure functions; what is shown is escaped, and classes alone give the look.

Distances from left to right are in per cent and heights in pixels, so that a chart takes the width that there is
while its text keeps its size. Beside each chart stands a table that says the same.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

HEIGHT = 240
_TOP, _BOTTOM = 12.0, 44.0
_LEFT, _RIGHT = 14.0, 5.0
_PLOT_WIDTH = 100.0 - _LEFT - _RIGHT
_PLOT_HEIGHT = HEIGHT - _TOP - _BOTTOM
_FLOOR = HEIGHT - _BOTTOM

_ROW = 40.0

# As many names under bars as can be read on a small screen.
_MOST_NAMES = 5
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def percent(value: float) -> str:
    """`0.8125` → `81 %`."""
    return f"{100 * value:.0f} %"


def plain(value: float) -> str:
    """A number with no more digits than it needs."""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


@dataclass(frozen=True)
class Axis:
    """What is measured in one direction, from where to where."""

    label: str
    low: float = 0.0
    high: float = 1.0
    ticks: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)
    show: Callable[[float], str] = percent

    def share(self, value: float) -> float:
        """How far along the axis a value is, 0 to 1; what lies outside is drawn at its end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def axis_upto(greatest: float, label: str, show: Callable[[float], str] = plain) -> Axis:
    """An axis from nothing to a round number that is not less than the greatest value."""
    most = greatest if math.isfinite(greatest) and greatest > 0 else 1.0
    power = 10 ** math.floor(math.log10(most / 4))
    step = next(power * factor for factor in _STEPS if power * factor * 4 >= most * (1 - 1e-9))
    return Axis(label, 0.0, step * 4, tuple(step * place for place in range(5)), show)


@dataclass(frozen=True)
class Line:
    """Points in the order in which they are joined. `look` is a class: `is-accent`, `is-faint`, `is-dashed`."""

    points: Sequence[tuple[float, float]]
    look: str = "is-accent"


@dataclass(frozen=True)
class Dot:
    """A point that stands out, with what a pointer over it says."""

    x: float
    y: float
    said: str = ""
    radius: float = 4.0
    look: str = "is-accent"


@dataclass(frozen=True)
class Bar:
    """A column: its name below, and what a pointer over it says."""

    name: str
    value: float
    said: str = ""
    look: str = "is-accent"


def plot(
    ident: str,
    title: str,
    description: str,
    *,
    x: Axis,
    y: Axis,
    lines: Iterable[Line] = (),
    dots: Iterable[Dot] = (),
) -> Markup:
    """Lines and points over two axes. `ident` is unique in the page."""
    parts = [_grid(y), _names(x), _label(x, y)]
    paths = [_path(line, x, y) for line in lines]
    # Stretched to whatever the plot measures; strokes keep their width.
    parts.append(
        Markup(
            '<svg x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}" viewBox="0 0 100 100"'
            ' preserveAspectRatio="none" overflow="visible">{}</svg>'
        ).format(_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT, Markup().join(paths))
    )
    parts += [_dot(dot, x, y) for dot in dots if _finite(dot.x, dot.y)]
    return _chart(ident, title, description, parts)


def bar_chart(ident: str, title: str, description: str, *, bars: Sequence[Bar], y: Axis) -> Markup:
    """Columns beside each other, with as many names below as there is room for."""
    parts = [_grid(y), _label(None, y)]
    width = _PLOT_WIDTH / max(1, len(bars))
    every = math.ceil(len(bars) / _MOST_NAMES)
    for place, bar in enumerate(bars):
        height = _PLOT_HEIGHT * y.share(bar.value) if _finite(bar.value) else 0.0
        left = _LEFT + width * place
        parts.append(
            Markup(
                '<rect class="chart-bar {}" x="{:.3f}%" y="{:.1f}" width="{:.3f}%" height="{:.1f}" rx="2">{}</rect>'
            ).format(
                bar.look, left + width * 0.12, _FLOOR - height, width * 0.76, height, _pointed_at(bar.said)
            )
        )
        if place % every == 0:
            parts.append(_text("chart-text is-middle", left + width / 2, _FLOOR + 18, bar.name))
    return _chart(ident, title, description, parts)


def ranking(ident: str, title: str, description: str, *, bars: Sequence[Bar], y: Axis) -> Markup:
    """Bars below each other, each under its name and how much it is, for names too long to stand side by side."""
    parts = []
    for place, bar in enumerate(bars):
        top = _ROW * place
        parts.append(_text("chart-text", 0, top + 14, shortened(bar.name)))
        parts.append(_text("chart-text is-end", 100, top + 14, y.show(bar.value)))
        parts.append(
            Markup(
                '<rect class="chart-track" x="0" y="{0:.1f}" width="100%" height="10" rx="3"></rect>'
                '<rect class="chart-bar {1}" x="0" y="{0:.1f}" width="{2:.3f}%" height="10" rx="3">{3}</rect>'
            ).format(
                top + 21,
                bar.look,
                100 * y.share(bar.value) if _finite(bar.value) else 0.0,
                _pointed_at(bar.said),
            )
        )
    return _chart(ident, title, description, parts, _ROW * len(bars))


def shortened(name: str, longest: int = 30) -> str:
    """A name that fits; the end of a model's name tells more than its middle."""
    return name if len(name) <= longest else f"{name[: longest - 9]}\N{HORIZONTAL ELLIPSIS}{name[-8:]}"


def _chart(
    ident: str, title: str, description: str, parts: Sequence[Markup], height: float = HEIGHT
) -> Markup:
    return Markup(
        '<svg class="chart" role="img" aria-labelledby="{0}-name {0}-told" width="100%" height="{1}">'
        '<title id="{0}-name">{2}</title><desc id="{0}-told">{3}</desc>{4}</svg>'
    ).format(ident, f"{height:.0f}", title, description, Markup().join(parts))


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _at(x: Axis, value: float) -> float:
    return _LEFT + _PLOT_WIDTH * x.share(value)


def _over(y: Axis, value: float) -> float:
    return _FLOOR - _PLOT_HEIGHT * y.share(value)


def _text(look: str, x: float, y: float, words: str) -> Markup:
    return Markup('<text class="{}" x="{:.2f}%" y="{:.1f}">{}</text>').format(look, x, y, words)


def _grid(y: Axis) -> Markup:
    parts = []
    for tick in y.ticks:
        height = _over(y, tick)
        parts.append(
            Markup(
                '<line class="chart-grid" x1="{:.2f}%" x2="{:.2f}%" y1="{:.1f}" y2="{:.1f}"></line>'
            ).format(_LEFT, _LEFT + _PLOT_WIDTH, height, height)
        )
        parts.append(_text("chart-text is-end", _LEFT - 1.5, height + 4, y.show(tick)))
    return Markup().join(parts)


def _names(x: Axis) -> Markup:
    return Markup().join(
        _text("chart-text is-middle", _at(x, tick), _FLOOR + 18, x.show(tick)) for tick in x.ticks
    )


def _label(x: Axis | None, y: Axis) -> Markup:
    below = f"{x.label} → · {y.label} ↑" if x else f"{y.label} ↑"
    return _text("chart-label is-middle", _LEFT + _PLOT_WIDTH / 2, HEIGHT - 6, below)


def _path(line: Line, x: Axis, y: Axis) -> Markup:
    points = [(px, py) for px, py in line.points if _finite(px, py)]
    if len(points) < 2:
        return Markup()
    joined = "L".join(f"{100 * x.share(px):.2f} {100 - 100 * y.share(py):.2f}" for px, py in points)
    return Markup('<path class="chart-line {}" vector-effect="non-scaling-stroke" d="M{}"></path>').format(
        line.look, joined
    )


def _dot(dot: Dot, x: Axis, y: Axis) -> Markup:
    return Markup('<circle class="chart-dot {}" cx="{:.2f}%" cy="{:.1f}" r="{:.1f}">{}</circle>').format(
        dot.look, _at(x, dot.x), _over(y, dot.y), dot.radius, _pointed_at(dot.said)
    )


def _pointed_at(said: str) -> Markup:
    return Markup("<title>{}</title>").format(escape(said)) if said else Markup()
