"""A plan as a picture: which part of all changes is seen within which time. The same bytes for the same plan."""

import math
from collections.abc import Iterator, Sequence

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 860, 420, 64, 24, 74, 56
_FONT = 'font-family="sans-serif" font-size="14"'
_COLOURS = ("#0b7a53", "#5f7fa3")
_TITLE = "Part of all changes that is seen within so long (logarithmic)"
# From a tenth of a second on: nothing is seen sooner.
_FIRST_SECONDS = 0.1
_MARKS = {0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 6 * 3600: "6 h", 86_400: "1 d"}

Curve = tuple[str, Sequence[float]]


def drawn(curves: Sequence[Curve]) -> str:
    """An SVG. curves: of each its name, and the seconds within which 0, 1, … 100 percent of changes are seen."""
    longest = max(10.0, *(seconds[-1] for _, seconds in curves))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f"<title>{_TITLE}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="17" fill="#1c2430">{_TITLE}</text>',
        *_grid(longest),
        *(line for place, curve in enumerate(curves) for line in _curve(place, curve, longest)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _x(seconds: float, longest: float) -> float:
    part = math.log(max(seconds, _FIRST_SECONDS) / _FIRST_SECONDS) / math.log(longest / _FIRST_SECONDS)
    return _LEFT + min(part, 1.0) * (_WIDTH - _LEFT - _RIGHT)


def _y(percent: float) -> float:
    return _HEIGHT - _BOTTOM - percent / 100 * (_HEIGHT - _TOP - _BOTTOM)


def _grid(longest: float) -> Iterator[str]:
    for percent in (0, 25, 50, 75, 95, 100):
        y = _y(percent)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e8ee"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 5:.1f}" text-anchor="end" fill="#66717e">{percent} %</text>'
    for seconds, text in _MARKS.items():
        if seconds <= longest:
            x = _x(seconds, longest)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" stroke="#e3e8ee"/>'
            yield f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 22}" text-anchor="middle" fill="#66717e">{text}</text>'


def _curve(place: int, curve: Curve, longest: float) -> Iterator[str]:
    name, seconds = curve
    points = " ".join(f"{_x(value, longest):.1f},{_y(percent):.1f}" for percent, value in enumerate(seconds))
    colour, x = _COLOURS[place % len(_COLOURS)], _LEFT + place * 150
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
    yield f'<rect x="{x}" y="44" width="14" height="14" fill="{colour}"/>'
    yield f'<text x="{x + 20}" y="56" fill="#1c2430">{name}</text>'
