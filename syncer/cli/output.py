"""What the command line prints: data on stdout, talk and advice on stderr, ids never wrapped or cut."""

import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated

from cyclopts import Parameter
from rich.cells import cell_len, set_cell_size

AsJson = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print one JSON document.")]

_GAP = 2
_INDENT = 4
_ENDLESS = sys.maxsize
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, last_may_break: bool = False) -> None:
    """Prints a table on stdout. On a terminal that is too narrow for it a row becomes a block of lines, name by name.

    last_may_break: the last column holds sentences, which rather stand below their row, in as many lines as they need.
    """
    whole = [[plain(_cell(value)) for value in row] for row in rows]
    widths = [max(cell_len(row[place]) for row in [columns, *whole]) for place in range(len(columns))]
    room = get_terminal_size().columns if sys.stdout.isatty() else _ENDLESS
    if _wide(widths) <= room:
        _grid(columns, whole, widths)
    elif last_may_break and _wide(widths[:-1]) <= room:
        _grid(columns[:-1], whole, widths[:-1], room=room)
    else:
        for row in whole:
            fields(dict(zip(columns, row, strict=True)))
            sys.stdout.write("\n")


def fields(rows: Mapping[str, object]) -> None:
    """Prints names and their values on stdout, one pair a line; a name that has none is left out."""
    filled = {name: text for name, value in rows.items() if (text := _cell(value))}
    width = max((cell_len(name) for name in filled), default=0)
    for name, text in filled.items():
        sys.stdout.write(f"{_bold(set_cell_size(name, width))}  {plain(text)}".rstrip() + "\n")


def lines(sentences: Iterable[str]) -> None:
    """Prints sentences on stdout, one a line."""
    for sentence in sentences:
        sys.stdout.write(f"{plain(sentence)}\n")


def script(text: str) -> None:
    """Prints a text of many lines on stdout as it stands. It is ours, or made by a library: nobody else's words."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def document(value: object) -> None:
    """Prints one JSON document on stdout. Instants are RFC 3339 in UTC."""
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.write(text.decode())


def say(sentence: str) -> None:
    """Tells something on stderr, if anybody can be told anything there."""
    with suppress(OSError, AttributeError):  # full, cut off, or closed (None) before we were started
        sys.stderr.write(f"{plain(sentence)}\n")


def warn(sentences: Iterable[str]) -> None:
    """Tells on stderr what was taken and may yet be wrong, one sentence or two a line."""
    for sentence in sentences:
        say(f"Warning: {sentence}")


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


def listed(parts: Sequence[str]) -> str:
    """`start`, `start and end`, `start, end and title`."""
    return " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])


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


def _wide(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _grid(
    columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], *, room: int = _ENDLESS
) -> None:
    """Rows below their heads; what a row has beyond the columns stands below it, within the room there is."""
    sys.stdout.write(f"{_bold(_line(columns, widths))}\n{'─' * _wide(widths)}\n")
    for row in rows:
        sys.stdout.write(f"{_line(row[: len(columns)], widths)}\n")
        for rest in row[len(columns) :]:
            for line in wrap(rest, room - _INDENT, break_long_words=False, break_on_hyphens=False):
                sys.stdout.write(f"{' ' * _INDENT}{line}\n")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Cells side by side, none of them cut or broken: an id that is broken cannot be copied."""
    return (" " * _GAP).join(set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _bold(text: str) -> str:
    is_plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if is_plain else f"\x1b[1m{text}\x1b[0m"
