"""What came of it: one document, the tables that show it, and the page that keeps them."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import figures
from bench.figures import FIGURES, TARGETS, Read
from bench.rows import PEERS

Document = dict[str, Any]
FOLDER = Path(__file__).parent
BEGINS, ENDS = "<!-- figures: made by `make bench` -->", "<!-- end of figures -->"


def document(
    rounds: Sequence[Mapping[str, Read]], left_out: Mapping[str, str], about: Mapping[str, object]
) -> Document:
    """Everything as one JSON document. rounds: what was read, by row. about: machine, ceiling and command."""
    return {
        **about,
        "on": datetime.now(UTC).date().isoformat(),
        "rounds": len(rounds),
        "clients": _clients(rounds),
        "figures": _figures(rounds),
        "left_out": dict(left_out),
    }


def _clients(rounds: Sequence[Mapping[str, Read]]) -> list[Document]:
    ours = [_quiet_us(one) for one in rounds]
    made = []
    for peer in PEERS:
        costs = [figures.cost_us(one[peer.name]) if peer.name in one else None for one in rounds]
        pairs = [(cost, own) for cost, own in zip(costs, ours, strict=True) if cost is not None]
        if pairs:
            ratios = [cost / own for cost, own in pairs if own is not None]
            made.append(
                _line(peer.name, peer.label, "µs", [cost for cost, _ in pairs])
                | {"ratio": statistics.median(ratios) if ratios else None}
                | _aim(peer.name, statistics.median(ratios) if ratios else None)
            )
    return made


def _quiet_us(one: Mapping[str, Read]) -> float | None:
    return next((figure.of(one["quiet"]) for figure in FIGURES if figure.name == "quiet_us" and "quiet" in one), None)


def _figures(rounds: Sequence[Mapping[str, Read]]) -> list[Document]:
    made = []
    for figure in FIGURES:
        runs = [figure.of(one[figure.source]) for one in rounds if figure.source in one]
        if runs:
            line = _line(figure.name, figure.label, figure.unit, runs)
            made.append(line | _aim(figure.name, line["value"]))
    return made


def _line(name: str, label: str, unit: str, runs: Sequence[float]) -> Document:
    rounded = [float(f"{run:.4g}") for run in runs]
    return {
        "name": name,
        "label": label,
        "unit": unit,
        "value": statistics.median(rounded),
        "least": min(rounded),
        "most": max(rounded),
        "runs": rounded,
    }


def _aim(name: str, value: float | None) -> Document:
    target = TARGETS.get(name)
    if target is None or value is None:
        return {}
    return {"first": target.first, "goal": target.goal, "is_met": target.is_met(value)}


def tables(made: Document) -> str:
    """The document as pages show it, in Markdown."""
    return "\n\n".join(
        [
            f"Measured on {made['on']} by `{made['command']}`; {_of_rounds(made)}.",
            _table(
                ("CPU of the client for one quiet look", "µs", "least–most", "× syncer", "first", "goal"), _looks(made)
            ),
            _table(("syncer", "", "least–most", "first", "goal", ""), [_row(figure) for figure in made["figures"]]),
            _ceiling(made),
            "On: " + "; ".join(f"{name} {value}" for name, value in made["machine"].items()) + ".",
            *(f"Left out: {name}, for {why}." for name, why in made["left_out"].items()),
        ]
    )


def _of_rounds(made: Document) -> str:
    return "one short round, at a fifth of the size" if made["is_quick"] else f"medians of {made['rounds']} rounds"


def _looks(made: Document) -> list[Sequence[str]]:
    own = next((figure for figure in made["figures"] if figure["name"] == "quiet_us"), None)
    lines: list[Sequence[str]] = (
        [("**syncer, the whole service**", _shown(own["value"]), _span(own), "1", "", "")] if own else []
    )
    for client in made["clients"]:
        ratio = "" if client["ratio"] is None else _shown(client["ratio"]) + _mark(client)
        lines.append((client["label"], _shown(client["value"]), _span(client), ratio, *_aims(client)))
    return lines


def _row(figure: Document) -> Sequence[str]:
    value = f"{_shown(figure['value'])} {figure['unit']}".replace(" /", "/")
    return (figure["label"], value, _span(figure), *_aims(figure), _mark(figure).strip())


def _aims(line: Document) -> tuple[str, str]:
    return (_shown(line["first"]), _shown(line["goal"])) if "first" in line else ("", "")


def _mark(line: Document) -> str:
    if "is_met" not in line:
        return ""
    return " ✓" if line["is_met"] else " ✗"


def _span(line: Document) -> str:
    return f"{_shown(line['least'])}–{_shown(line['most'])}"


def _shown(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 10 else 2}f}".rstrip("0").rstrip(".")


def _ceiling(made: Document) -> str:
    told = [
        f"{_shown(one['per_s'])} looks a second {one['how']} at {_shown(one['server_us'])} µs each"
        for one in made["ceiling"]
    ]
    return f"The canned Google itself answered {' and '.join(told)} (seen by clients written by hand)."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_figures(page: str, made: Document) -> str:
    """A page with the document's tables between its marks."""
    before, _, rest = page.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n\n{tables(made)}\n\n{ENDS}{after}"
