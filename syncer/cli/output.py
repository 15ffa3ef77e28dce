"""What the command line prints: data on stdout, talk and advice on stderr, ids never wrapped or cut."""

import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.table import Table

AsJson = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print one JSON document.")]

_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table on stdout, as wide as it needs to be."""
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, no_wrap=True)
    _fill(grid, rows)
    _print(grid)


def fields(rows: Mapping[str, object]) -> None:
    """Prints names and their values on stdout, one pair a line."""
    from rich.table import Table

    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(no_wrap=True)
    _fill(grid, rows.items())
    _print(grid)


def lines(sentences: Iterable[str]) -> None:
    """Prints sentences on stdout, one a line."""
    for sentence in sentences:
        sys.stdout.write(f"{plain(sentence)}\n")


def document(value: object) -> None:
    """Prints one JSON document on stdout. Instants are RFC 3339 in UTC."""
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.write(text.decode())


def say(sentence: str) -> None:
    """Tells something on stderr, if anybody can be told anything there."""
    with suppress(OSError, AttributeError):  # full, cut off, or closed (None) before we were started
        sys.stderr.write(f"{plain(sentence)}\n")


def advise(command: str) -> None:
    """Ends an answer with the next command, when a person reads it."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        say(f"Next: {command}")


def plain(text: str) -> str:
    """Text that a terminal takes as text: control characters and marks of direction become `�`."""
    return "".join("\ufffd" if unicodedata.category(sign) in _CONTROLS else sign for sign in text)


def moment(at: datetime | None, *, now: datetime | None = None) -> str:
    """An instant as `2026-12-01 09:00:00 UTC`, and how far from `now`; empty for none."""
    if at is None:
        return ""
    text = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    if now is None:
        return text
    return f"{text} (in {span(at - now)})" if at > now else f"{text} ({span(now - at)} ago)"


def span(duration: timedelta) -> str:
    """A duration in its two largest units: `2 h 5 min`, `3 s`."""
    seconds = int(duration.total_seconds())
    parts = [(seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2]) or "0 s"


def as_sentence(text: str) -> str:
    """With a capital at its beginning, unless that is a host's name, and a full stop at its end."""
    is_name = "." in text.partition(" ")[0]
    return (text[:1] if is_name else text[:1].upper()) + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 meeting`, `2 meetings`, `no meetings`."""
    return f"{count or 'no'} {noun if count == 1 else plural or noun + 's'}"


def _fill(grid: "Table", rows: Iterable[Sequence[object]]) -> None:
    from rich.text import Text

    for row in rows:
        grid.add_row(*(Text(plain(_cell(value))) for value in row))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return moment(value)
        case timedelta():
            return span(value)
        case list() | tuple():
            return ", ".join(_cell(part) for part in value)
    return str(value)


def _print(grid: "Table") -> None:
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(highlight=False, markup=False, emoji=False)
    # Wider than the terminal rather than cut: an id that is broken cannot be copied.
    needed = Measurement.get(console, console.options.update(max_width=100_000), grid).maximum
    console.width = max(console.width, needed)
    console.print(grid)
