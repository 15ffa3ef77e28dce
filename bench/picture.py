"""The clients' costs as a picture: bars on a logarithmic scale, the same bytes for the same figures."""

import math
from html import escape
from typing import Any

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 920, 34, 380, 90, 58
_LAST_POWER = 4
_TITLE = "CPU of the client for one quiet look, µs (logarithmic)"
_FONT = 'font-family="sans-serif" font-size="14"'
_OURS, _BY_HAND, _OTHERS = "#0b7a53", "#b9c4cf", "#5f7fa3"


def drawn(made: dict[str, Any]) -> str:
    """An SVG of what one quiet look costs each client."""
    bars = _bars(made)
    height = _TOP + _ROW * len(bars) + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        f"<title>{_TITLE}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="17" fill="#1c2430">{_TITLE}</text>',
        *(_grid(power, height) for power in range(_LAST_POWER + 1)),
        *(line for place, bar in enumerate(bars) for line in _bar(place, *bar)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bars(made: dict[str, Any]) -> list[tuple[str, float, str]]:
    bars = [
        (client["label"], client["value"], _BY_HAND if client["name"] in ("floor", "single") else _OTHERS)
        for client in made["clients"]
    ]
    bars += [
        ("syncer, the whole service", figure["value"], _OURS)
        for figure in made["figures"]
        if figure["name"] == "quiet_us"
    ]
    return sorted(bars, key=lambda bar: bar[1])


def _x(value: float) -> float:
    power = min(max(math.log10(max(value, 1.0)), 0.0), _LAST_POWER)
    return _LEFT + power / _LAST_POWER * (_WIDTH - _LEFT - _RIGHT)


def _grid(power: int, height: int) -> str:
    x = _x(10**power)
    return (
        f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP - 12}" y2="{height - 32}" stroke="#e3e8ee"/>'
        f'<text x="{x:.0f}" y="{height - 14}" text-anchor="middle" fill="#66717e">{10**power:,}</text>'
    )


def _bar(place: int, label: str, value: float, colour: str) -> list[str]:
    y = _TOP + place * _ROW
    x, middle = _x(value), y + _ROW / 2 + 1
    number = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return [
        f'<text x="{_LEFT - 10}" y="{middle:.0f}" text-anchor="end" fill="#1c2430">{escape(label)}</text>',
        f'<rect x="{_LEFT}" y="{y + 4}" width="{max(x - _LEFT, 2):.0f}" height="{_ROW - 12}" fill="{colour}" rx="2"/>',
        f'<text x="{max(x, _LEFT + 2) + 8:.0f}" y="{middle:.0f}" fill="#1c2430">{number}</text>',
    ]
