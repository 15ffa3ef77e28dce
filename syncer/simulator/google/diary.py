"""The diary: what the simulated Google was asked, by whom, and which events changed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google.times import stamp

ENTRIES_KEPT = 400_000


@dataclass(slots=True)
class Note:
    """What one request comes to; filled in while it is answered. kind: "api", "edit", "token", "load", "batch", which
    is one that was refused as a whole, or "notification", which the simulator itself sends (status 0: no answer).
    """

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    actor: str = "client"
    kind: str = "api"
    status: int = 0
    subject: str | None = None
    calendar_id: str | None = None
    event_id: str | None = None
    marks: dict[str, Any] = field(default_factory=dict)


class Diary:
    """Numbered notes in the order of their answers; the oldest go when there are too many."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._entries: list[dict[str, Any]] = []
        self._count = 0

    def write(self, note: Note) -> dict[str, Any]:
        """Add a note; gives its entry, to which more may still be put."""
        self._count += 1
        entry = {
            "n": self._count,
            "at": stamp(self._clock.now()),
            "monotonic_ms": time.monotonic() * 1000,
            "method": note.method,
            "path": note.path,
            "query": note.query,
            "status": note.status,
            "subject": note.subject,
            "calendar_id": note.calendar_id,
            "event_id": note.event_id,
            "kind": note.kind,
            "actor": note.actor,
        }
        entry |= note.marks
        self._entries.append(entry)
        if len(self._entries) > ENTRIES_KEPT:
            del self._entries[: ENTRIES_KEPT // 2]
        return entry

    def after(self, number: int) -> list[dict[str, Any]]:
        """The entries with a greater number, oldest first."""
        forgotten = self._count - len(self._entries)
        return self._entries[max(number - forgotten, 0) :]
