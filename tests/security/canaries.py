"""Canaries: texts that are found in whatever form they got out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus


@dataclass(frozen=True, slots=True)
class Canary:
    """Something that must not get out. kind: what it is. text: long enough to be there by no chance."""

    kind: str
    text: str

    def __post_init__(self) -> None:
        assert len(self.text) >= 10, self.kind

    def is_in(self, sink: str) -> bool:
        """It is there: as it stands, escaped as in JSON or a URL, or as base64 or hex of something around it."""
        return any(form in sink for form in self._forms())

    def _forms(self) -> Iterator[str]:
        raw = self.text.encode()
        yield from (self.text, json.dumps(self.text)[1:-1], quote(self.text, safe=""), quote_plus(self.text))
        yield from (raw.hex(), raw.hex().upper())
        for shift in range(3):
            # What does not hang on the bytes before and behind.
            first, last = (0, 2, 3)[shift], (len(raw) + shift) // 3 * 4
            padded = bytes(shift) + raw
            yield base64.b64encode(padded).decode()[first:last]
            yield base64.urlsafe_b64encode(padded).decode()[first:last]


def found(canaries: Mapping[str, Canary], sinks: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which canaries are where: (kind, sink)."""
    return [(canary.kind, sink) for canary in canaries.values() for sink, shown in sinks.items() if canary.is_in(shown)]
