"""The `fields` parameter: which parts of an answer a caller wants.

Source: Calendar API, "Improve performance: working with partial resources".
"""

from __future__ import annotations

import re
from typing import Any

from syncer.simulator.google import refusals

Selection = dict[str, "Selection"]
WORD = re.compile(r"[A-Za-z0-9_*]+|[,()/]")


def read(text: str) -> Selection:
    """The selection that a `fields` text names: by field, what is wanted below it; empty means all of it.

    Raises Refusal when the text makes no sense.
    """
    words = WORD.findall(text)
    if "".join(words) != text or not words:
        raise _invalid(text)
    selection, rest = _group(words, text)
    if rest:
        raise _invalid(text)
    return selection


def _group(words: list[str], text: str) -> tuple[Selection, list[str]]:
    selection: Selection = {}
    while True:
        below, words = _path(selection, words, text)
        if words and words[0] == "(":
            inner, words = _group(words[1:], text)
            below.update(inner)
            if not words or words[0] != ")":
                raise _invalid(text)
            words = words[1:]
        if not words or words[0] != ",":
            return selection, words
        words = words[1:]


def _path(selection: Selection, words: list[str], text: str) -> tuple[Selection, list[str]]:
    while True:
        if not words or words[0] in ",()/":
            raise _invalid(text)
        selection = selection.setdefault(words[0], {})
        if len(words) < 2 or words[1] != "/":
            return selection, words[1:]
        words = words[2:]


def chosen(value: Any, selection: Selection) -> Any:
    """What is left of an answer; lists are selected from row by row."""
    if not selection or "*" in selection:
        return value
    if isinstance(value, list):
        return [chosen(row, selection) for row in value]
    if not isinstance(value, dict):
        return value
    return {name: chosen(value[name], below) for name, below in selection.items() if name in value}


def _invalid(text: str) -> refusals.Refusal:
    return refusals.Refusal(400, "invalidParameter", f"Invalid field selection {text}", where="parameter:fields")
