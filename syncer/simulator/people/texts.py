"""What in an event's text is its people's own, and what the documented marked block says. Reads HTML-ised text too."""

from __future__ import annotations

import html
import re

_MARKED = re.compile(r"\s*-----\s*meeting\s*-----(.*?)-----\s*end of meeting\s*-----", re.DOTALL)
_LINE_BREAK = re.compile(r"<\s*(?:br|/p|/div|/li)\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def own_description(description: str | None) -> str | None:
    """The description without the marked block, None when nothing else is there."""
    if description is None:
        return None
    return _MARKED.sub("", description).rstrip() or None


def with_block_of(old: str | None, text: str) -> str:
    """A new own text above the marked block of the old description, as a person leaves it when typing."""
    found = _MARKED.search(old or "")
    return text if found is None else f"{text}\n\n{found.group(0).lstrip()}"


def block_lines(description: str | None) -> dict[str, list[str]]:
    """The lines of the marked block by their label: `Join`, `Passcode`, `Dial-in`. Empty without a block."""
    found = _MARKED.search(plain_lines(description or ""))
    lines: dict[str, list[str]] = {}
    for line in found.group(1).splitlines() if found else ():
        label, colon, value = line.partition(":")
        if colon:
            lines.setdefault(label.strip(), []).append(value.strip())
    return lines


def compared(description: str | None) -> str:
    """A description fit to be compared: own text only, no tags, single blanks."""
    return " ".join(_MARKED.sub(" ", plain_lines(description or "")).split())


def plain_lines(text: str) -> str:
    """Text without HTML, its breaks as new lines."""
    return html.unescape(_TAG.sub("", _LINE_BREAK.sub("\n", text)))
