"""Finds the method of the API that a verb and a path name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from syncer.simulator.google.faces import Method

API = "/calendar/v3"


class Routes:
    """The methods by the shape of their paths."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._known = [(method.verb, (API + method.route).split("/"), method) for method in methods]

    def found(self, verb: str, path: str) -> tuple[Method, Mapping[str, str]] | None:
        """The method and its path parameters, decoded; None when there is no such method. path: as sent."""
        words = path.split("/")
        for known_verb, shape, method in self._known:
            if verb == known_verb and (parameters := _fitted(shape, words)) is not None:
                return method, parameters
        return None


def _fitted(shape: list[str], words: list[str]) -> dict[str, str] | None:
    if len(shape) != len(words):
        return None
    parameters = {}
    for wanted, word in zip(shape, words, strict=True):
        if wanted.startswith("{") and word:
            parameters[wanted[1:-1]] = unquote(word)
        elif wanted != unquote(word):
            return None
    return parameters
