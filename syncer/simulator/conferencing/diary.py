"""What the simulated conferencing system was asked and did, in order; never holds a secret."""

import time
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, Protocol

from syncer.simulator.conferencing.meetings import Meeting, rfc3339

Face = Literal["rest", "webhook", "changes"]
Action = Literal["create", "update", "delete", "read", "tell"]


class Clock(Protocol):
    """Whatever tells the simulated time."""

    def now(self) -> datetime:
        """The simulated instant, aware UTC."""


@dataclass(frozen=True, slots=True)
class Note:
    """What came of one request, or of one attempt to tell of a change (face `changes`, action `tell`).

    action: None if the request was refused before it could be read.
    status: the HTTP status, or None if the answer was lost on the way, or the call.
    outcome: the webhook answer's own status word, else None.
    applied: whether the meeting is another one than before. repeated: whether an old answer was given again.
    holds: the meeting's title, times and the rest after it; None if there is no live meeting or many.
    """

    account: str
    face: Face
    action: Action | None
    status: int | None
    meeting_id: str | None = None
    outcome: str | None = None
    revision: int | None = None
    applied: bool = False
    repeated: bool = False
    holds: dict[str, Any] | None = None


_FIELDS = tuple(field.name for field in fields(Note))


class Diary:
    """Numbered entries, oldest first, from 1."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[dict[str, Any]] = []

    def write(self, note: Note) -> None:
        """Add an entry under the next number, stamped with simulated and monotonic time."""
        stamp = {
            "n": len(self._entries) + 1,
            "at": rfc3339(self._clock.now()),
            "monotonic_ms": time.monotonic() * 1000,
        }
        self._entries.append(stamp | {name: getattr(note, name) for name in _FIELDS})

    def after(self, number: int) -> list[dict[str, Any]]:
        """The entries with a number greater than the given one."""
        return self._entries[max(number, 0) :]


def state_of(meeting: Meeting | None) -> dict[str, Any]:
    """The fields of a note that tell how a meeting stands."""
    if meeting is None:
        return {}
    holds = meeting.held() if meeting.state == "live" else None
    return {"meeting_id": meeting.id, "revision": meeting.revision, "holds": holds}
