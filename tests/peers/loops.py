"""Small loops that keep meetings in step over the same servers: a careful one, and one for each bug that recurs.

None of them is anybody's code: each is written from a description of what is done again and again. The careful one is
no peer but the control: what it keeps and a loop with one bug more loses is that bug's doing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import orjson

from syncer.simulator.clock import SimulatedClock
from tests.simulator.google_stage import ANA, ROOM, Stage, events
from tests.simulator.vendors import Vendor, deleted, updated

Entry = dict[str, Any]
_BURST = timedelta(seconds=30)


class Failed(Exception):
    """A run broke off: a server said no, or the program fell over."""


@dataclass(frozen=True, slots=True)
class Refused(Failed):
    """Google said no."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run read of a calendar. token: for the next run, where Google gave one."""

    calendar: str
    entries: Sequence[Entry]
    token: str | None
    is_full: bool


@dataclass(slots=True)
class Loop:
    """Reads by sync token, tells the provider, saves the token last. failures: runs that broke off."""

    session: aiohttp.ClientSession
    google: Stage
    vendor: Vendor
    clock: SimulatedClock
    calendars: tuple[str, ...] = (ANA, ROOM)
    user: str = ANA
    tokens: dict[str, str] = field(default_factory=dict)
    meetings: dict[tuple[str, str], str] = field(default_factory=dict)
    channels: set[int] = field(default_factory=lambda: {1})
    failures: int = 0
    calls: int = 0

    # What makes it look.

    async def follow(self) -> None:
        """One run over all calendars; one that breaks off is tried again by the next."""
        for calendar in self.calendars:
            try:
                await self.run(calendar)
            except (Failed, KeyError):
                self.failures += 1

    async def message(self) -> None:
        """Google says that something has changed, if a channel is open."""
        if self.channels:
            await self.follow()

    async def renew(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """Its channel is about to expire; `meanwhile` happens between the two steps of the renewal."""
        old = max(self.channels)
        self.channels.add(old + 1)
        await meanwhile()
        self.channels.discard(old)

    async def wait(self) -> None:
        """A long time goes by without a message."""

    # What a run does.

    async def run(self, calendar: str) -> None:
        taken = await self.fetch(calendar)
        await self.apply(taken)
        self.save(taken)

    async def fetch(self, calendar: str) -> Taken:
        """All entries that changed, or all there are when there is no token that Google takes."""
        token = self.tokens.get(self.slot(calendar))
        try:
            entries, newest = await self.pages(calendar, {"syncToken": token} if token else self.first_query())
        except Refused as refused:
            if token is None or not self.is_over(refused):
                raise
            del self.tokens[self.slot(calendar)]
            return await self.after_the_end(calendar)
        return Taken(calendar, entries, newest, is_full=token is None)

    async def after_the_end(self, calendar: str) -> Taken:
        """Goes on where the token is not taken any more."""
        return await self.fetch(calendar)

    async def pages(self, calendar: str, query: dict[str, str]) -> tuple[list[Entry], str | None]:
        entries: list[Entry] = []
        page = await self.page(calendar, query)
        while True:
            entries += page["items"]
            if "nextPageToken" not in page:
                return entries, page.get("nextSyncToken")
            page = await self.page(calendar, {**query, "pageToken": page["nextPageToken"]})

    async def apply(self, taken: Taken) -> None:
        for entry in taken.entries:
            await self.take(taken.calendar, entry)
        if taken.is_full:
            listed = {(taken.calendar, str(entry["id"])) for entry in taken.entries}
            for key in [key for key in self.meetings if key[0] == taken.calendar and key not in listed]:
                await self.forget(self.meetings.pop(key))

    async def take(self, calendar: str, entry: Entry) -> None:
        key = calendar, str(entry["id"])
        meeting_id = self.meeting_of(entry)
        if entry["status"] == "cancelled" or meeting_id is None:
            if key in self.meetings:
                await self.forget(self.meetings.pop(key))
        else:
            self.meetings[key] = meeting_id
            # Of several events the one that was seen first decides.
            if next(first for first, named in self.meetings.items() if named == meeting_id) == key:
                await self.tell(meeting_id, entry)

    def save(self, taken: Taken) -> None:
        if taken.token is not None:
            self.tokens[self.slot(taken.calendar)] = taken.token

    # What it decides.

    def slot(self, calendar: str) -> str:
        """Under which name a calendar's token is kept."""
        return calendar

    def first_query(self) -> dict[str, str]:
        return {}

    def is_over(self, refused: Refused) -> bool:
        return refused.status in (400, 410)

    def meeting_of(self, entry: Entry) -> str | None:
        conference = entry.get("conferenceData") or {}
        is_ours = conference.get("conferenceSolution", {}).get("key", {}).get("type") == "addOn"
        return str(conference["conferenceId"]) if is_ours else None

    async def forget(self, meeting_id: str) -> None:
        """An event of the meeting has gone: so does the meeting, with the last of them."""
        if meeting_id not in self.meetings.values():
            await self.destroy(meeting_id)

    # What it asks of the servers.

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def page(self, calendar: str, query: dict[str, str]) -> Any:
        headers = {"Authorization": f"Bearer {await self.google.token(self.user)}"}
        url = f"{self.google.root}calendar/v3/{events(calendar)}"
        async with self.session.get(url, params=query, headers=headers) as response:
            body = orjson.loads(await response.read())
            if response.status != 200:
                raise Refused(response.status, body["error"]["message"])
            return body

    async def tell(self, meeting_id: str, entry: Entry) -> None:
        wanted = {
            "title": entry.get("summary"),
            "description": entry.get("description"),
            "start": entry["start"].get("dateTime") or entry["start"]["date"],
            "end": entry["end"].get("dateTime") or entry["end"]["date"],
            "all_day": "date" in entry["start"],
            "timezone": entry["start"].get("timeZone"),
            "organizer": entry["organizer"]["email"],
            "attendee_count": len(entry.get("attendees", ())),
        }
        await self._call(updated(meeting_id, revision=self.calls + 1, **wanted))

    async def destroy(self, meeting_id: str) -> None:
        await self._call(deleted(meeting_id, revision=self.calls + 1))

    async def _call(self, content: dict[str, Any]) -> None:
        self.calls += 1
        reply = await self.vendor.call(content, webhook_id=f"loop-{self.calls}")
        if reply.status != 200:
            raise Failed(f"the provider answered {reply.status}")


class JumpsToAFreshToken(Loop):
    """A token that is over is "repaired" by one from now: what changed in between is never asked for."""

    async def after_the_end(self, calendar: str) -> Taken:
        _, newest = await self.pages(calendar, self.first_query())
        return Taken(calendar, [], newest, is_full=False)


class SavesBeforeItWorks(Loop):
    """The token is saved as it comes: a run that breaks off after that has lost what it read."""

    async def run(self, calendar: str) -> None:
        taken = await self.fetch(calendar)
        self.save(taken)
        await self.apply(taken)


class StopsAtAnEmptyPage(Loop):
    """A page without entries is taken for the last one, though it names a next page."""

    async def pages(self, calendar: str, query: dict[str, str]) -> tuple[list[Entry], str | None]:
        entries: list[Entry] = []
        page = await self.page(calendar, query)
        while page["items"] and "nextPageToken" in page:
            entries += page["items"]
            page = await self.page(calendar, {**query, "pageToken": page["nextPageToken"]})
        return [*entries, *page["items"]], page.get("nextSyncToken", "")

    def save(self, taken: Taken) -> None:
        self.tokens.pop(self.slot(taken.calendar), None)
        if taken.token:
            self.tokens[self.slot(taken.calendar)] = taken.token


class ForgetsAtNothingNew(Loop):
    """No changes, no token: the next run reads all there is, and what went meanwhile is not in that."""

    async def apply(self, taken: Taken) -> None:
        for entry in taken.entries:
            await self.take(taken.calendar, entry)

    def save(self, taken: Taken) -> None:
        if taken.entries and taken.token is not None:
            self.tokens[self.slot(taken.calendar)] = taken.token
        else:
            self.tokens.pop(self.slot(taken.calendar), None)


@dataclass(slots=True)
class RunsOnTheFirstOfABurst(Loop):
    """Of messages that come close together the first makes it run, and the last change is nobody's."""

    ran_at: datetime | None = None

    async def message(self) -> None:
        if self.ran_at is None or self.now - self.ran_at > _BURST:
            self.ran_at = self.now
            await self.follow()


class StopsItsChannelFirst(Loop):
    """The old channel is stopped before the new one is open: what changes in between sends no message."""

    async def renew(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        old = max(self.channels)
        self.channels.clear()
        await meanwhile()
        self.channels.add(old + 1)
