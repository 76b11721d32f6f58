"""A report as a picture: the share of values not above each latency, as SVG (1.1, no script).

The lines of the product are solid, those of references dashed. Colours follow the reader's choice
of light or dark.
"""

import math
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from trust_runtime.bench.figures import Series
from trust_runtime.bench.report import Report

_WIDTH: Final = 760
_LEFT: Final = 56
_RIGHT: Final = 20
_TOP: Final = 44
_HEIGHT: Final = 300
_LEGEND_STEP: Final = 18
_POINTS_MAX: Final = 400
_COLOURS: Final = (
    ("#0b62c4", "#6db3ff"),
    ("#c2410c", "#ff9b5c"),
    ("#15803d", "#5fd38a"),
    ("#7e22ce", "#c99bff"),
    ("#be123c", "#ff8098"),
    ("#475569", "#a8b3c4"),
)
"""Each for light and for dark."""
_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


def render(report: Report) -> str:
    """Return the picture of a report as the text of an SVG file."""
    drawn = [(one, False) for one in report.series] + [(one, True) for one in report.references]
    values = [value for one, _ in drawn for value in one.values_us]
    scale = _Scale(min(values), max(values))
    height = _TOP + _HEIGHT + 34 + _LEGEND_STEP * len(drawn)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    heading = f"{escape(report.workload)}: share of samples not above a latency"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
        f'<title id="title">{escape(report.workload)}: latency by share of samples</title>',
        f"<style>{_style(len(drawn))}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text class="head" x="{_LEFT}" y="24">{heading}</text>',
        *_grid(scale),
    ]
    for at, (one, is_reference) in enumerate(drawn):
        dash = ' stroke-dasharray="6 4"' if is_reference else ""
        path = _path(one.values_us, scale)
        parts.append(f'<path class="s{at}" d="{path}"{dash}/>')
        parts += _legend(at, one, is_reference=is_reference)
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Scale:
    """Microseconds to places: logarithmic, from one power of ten to another."""

    def __init__(self, least: float, greatest: float) -> None:
        self.first = math.floor(math.log10(max(least, 0.1)))
        self.last = max(math.ceil(math.log10(max(greatest, 0.1))), self.first + 1)

    def x(self, value_us: float) -> float:
        part = (math.log10(max(value_us, 0.1)) - self.first) / (self.last - self.first)
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * _HEIGHT


def _grid(scale: _Scale) -> list[str]:
    parts = []
    for share in _SHARES:
        y = _y(share)
        parts += [
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>',
        ]
    for power in range(scale.first, scale.last + 1):
        x, label = scale.x(10.0**power), _duration(power)
        parts += [
            f'<path class="grid" d="M{x:.1f} {_TOP}V{_TOP + _HEIGHT}"/>',
            f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{label}</text>',
        ]
    return parts


def _duration(power: int) -> str:
    """Return ten to that power of microseconds in the unit people use for it."""
    for unit, exponent in (("s", 6), ("ms", 3), ("us", 0)):
        if power >= exponent:
            return f"{10 ** (power - exponent)} {unit}"
    return f"{10.0**power:g} us"


def _path(values_us: Sequence[float], scale: _Scale) -> str:
    ordered = sorted(values_us)
    count = len(ordered)
    step = max(count // _POINTS_MAX, 1)
    shown = [*range(0, count - 1, step), count - 1]
    points = [
        (scale.x(ordered[0]), _y(0)),
        *((scale.x(ordered[at]), _y((at + 1) / count)) for at in shown),
    ]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _legend(at: int, series: Series, *, is_reference: bool) -> list[str]:
    y = _TOP + _HEIGHT + 38 + at * _LEGEND_STEP
    dash = ' stroke-dasharray="6 4"' if is_reference else ""
    name = f"{series.name} (reference)" if is_reference else series.name
    return [
        f'<path class="s{at}" d="M{_LEFT} {y}h28"{dash}/>',
        f'<text x="{_LEFT + 36}" y="{y + 4}">{escape(name)}</text>',
    ]


def _style(count: int) -> str:
    light = [_stroke(at, dark=False) for at in range(count)]
    dark = [_stroke(at, dark=True) for at in range(count)]
    return (
        "text{font:12px system-ui,sans-serif;fill:#1f2933}.head{font-size:14px;font-weight:600}"
        "path{fill:none;stroke-width:2}.grid{stroke:#d5dae1;stroke-width:1}.paper{fill:#ffffff}"
        + "".join(light)
        + "@media (prefers-color-scheme:dark){text{fill:#e6e9ee}.grid{stroke:#3a4250}"
        ".paper{fill:#14181f}" + "".join(dark) + "}"
    )


def _stroke(at: int, *, dark: bool) -> str:
    return f".s{at}{{stroke:{_COLOURS[at % len(_COLOURS)][dark]}}}"
