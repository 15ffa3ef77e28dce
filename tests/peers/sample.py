"""Google's published sample for keeping conferences in step, played anew from a description of it, fault by fault.

A trigger runs it once for each calendar of a user that has changed. It lists with its stored token, else what is to
come and was changed within a day, hands each event with a conference of the provider's name to a function that deletes
or updates the meeting, and stores the next token if there is one. Here each of its eleven faults can be had alone.
Source: Google Workspace add-ons, "Sync calendar conference changes".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from tests.peers.loops import Entry, Loop, Refused, Taken

SOLUTIONS = frozenset({"Example Meeting"})
_OVER = "Sync token is no longer valid, a full sync is required."


class Fault(IntEnum):
    """What the sample does wrong."""

    ORDERED_FIRST_READ = 1
    NO_NULL_CHECK = 2
    MISSES_TOMBSTONES = 3
    DELETES_WHAT_CHANGED = 4
    ONE_TOKEN_FOR_ALL = 5
    MATCHES_NAMES = 6
    SKIPS_THE_GAP = 7
    TAKES_AN_INSTANCE_FOR_ITS_SERIES = 8
    COMPARES_MESSAGES = 9
    HAS_NO_LOCK = 10
    KNOWS_ONE_EVENT_ONLY = 11


@dataclass(slots=True)
class Sample(Loop):
    """The sample with some of its faults, by default with all."""

    faults: frozenset[Fault] = frozenset(Fault)
    is_after_the_end: bool = False

    def slot(self, calendar: str) -> str:
        return "syncToken" if Fault.ONE_TOKEN_FOR_ALL in self.faults else calendar

    def first_query(self) -> dict[str, str]:
        now, yesterday = self.now, self.now - timedelta(days=1)
        recent = {"timeMin": now.isoformat(), "updatedMin": yesterday.isoformat(), "maxResults": "50"}
        if Fault.ORDERED_FIRST_READ in self.faults:
            return {**recent, "orderBy": "updated"}
        return recent if self.is_after_the_end and Fault.SKIPS_THE_GAP in self.faults else {}

    def is_over(self, refused: Refused) -> bool:
        if Fault.COMPARES_MESSAGES in self.faults:
            return refused.message == _OVER
        return Loop.is_over(self, refused)

    async def after_the_end(self, calendar: str) -> Taken:
        self.is_after_the_end = True
        return await Loop.after_the_end(self, calendar)

    async def apply(self, taken: Taken) -> None:
        """Each event in turn; a first read of what is recent says nothing of what it does not list."""
        if Fault.NO_NULL_CHECK in self.faults:
            for entry in taken.entries:
                await self._take_unchecked(taken.calendar, entry)
        elif self.first_query():
            for entry in taken.entries:
                await self.take(taken.calendar, entry)
        else:
            await Loop.apply(self, taken)

    async def _take_unchecked(self, calendar: str, entry: Entry) -> None:
        if entry["conferenceData"]["conferenceSolution"]["name"] in SOLUTIONS:
            await self.take(calendar, entry)

    async def take(self, calendar: str, entry: Entry) -> None:
        if entry["status"] == "cancelled":
            await self._take_tombstone(calendar, entry)
        elif Fault.DELETES_WHAT_CHANGED in self.faults and (meeting_id := self.meeting_of(entry)):
            await self.destroy(meeting_id)
        else:
            await Loop.take(self, calendar, entry)

    async def _take_tombstone(self, calendar: str, entry: Entry) -> None:
        series = entry.get("recurringEventId")
        if Fault.MISSES_TOMBSTONES in self.faults and not entry.get("conferenceData"):
            return
        if Fault.TAKES_AN_INSTANCE_FOR_ITS_SERIES in self.faults and (calendar, str(series)) in self.meetings:
            await self.destroy(self.meetings[calendar, str(series)])
        elif series is None:
            await Loop.take(self, calendar, entry)

    def meeting_of(self, entry: Entry) -> str | None:
        if Fault.MATCHES_NAMES not in self.faults:
            return Loop.meeting_of(self, entry)
        conference = entry.get("conferenceData") or {}
        is_ours = conference.get("conferenceSolution", {}).get("name") in SOLUTIONS
        return str(conference["conferenceId"]) if is_ours else None

    async def forget(self, meeting_id: str) -> None:
        if Fault.KNOWS_ONE_EVENT_ONLY in self.faults:
            await self.destroy(meeting_id)
        else:
            await Loop.forget(self, meeting_id)
