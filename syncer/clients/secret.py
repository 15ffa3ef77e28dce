"""A text that never shows itself: tokens, keys and signing secrets."""

import hmac
from typing import NoReturn


class Secret:
    """Holds a text whose `str`, `repr` and format are `***`. `reveal()` gives it, at the last moment only.

    Unlike pydantic's type of the same purpose it belongs to no settings model, and it cannot be pickled.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, specification: str) -> str:
        return format("***", specification)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")
