"""What people know: their calendars, their ways to both servers, and which events they may touch next."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncer.simulator.people import occasions
from syncer.simulator.people.faces import Google, Vendor
from syncer.simulator.people.record import AnyKind, Json, Kind, Meant, Place, Record, Reference, SeriesKind

CALENDAR_REMOVALS = 12
TENANT_REMOVALS = 25
CHANGES_A_MEETING = 3
PLACEHOLDER_TITLE = "Your meeting"
_ENDINGS: frozenset[AnyKind] = frozenset({Kind.DELETE, Kind.SWAP, SeriesKind.DELETE_SERIES})
_AHEAD = timedelta(hours=1)


@dataclass(slots=True)
class World:
    """The people's side of a run.

    google: by user. vendors: by tenant. now: the simulated instant. solution: the add-on's name.
    conference_data: what the add-on puts on an event for a meeting. busy: events that somebody edits right now.
    copies: events made by duplicating. settled: events that stood there before anybody edited.
    changes: changes at the provider by meeting id. with_series: whether people edit series, and the judge judges
    them. split: the web interface's "this and following", a body to the new series.
    """

    places: tuple[Place, ...]
    google: Mapping[str, Google]
    vendors: Mapping[str, Vendor]
    now: Callable[[], datetime]
    solution: str
    conference_data: Callable[[Json], Json]
    record: Record = field(default_factory=Record)
    busy: set[Reference] = field(default_factory=set)
    copies: set[Reference] = field(default_factory=set)
    settled: set[Reference] = field(default_factory=set)
    changes: Counter[str] = field(default_factory=Counter)
    with_series: bool = False
    split: Callable[[Json], Awaitable[Json]] | None = None

    def place_of(self, where: Reference) -> Place:
        """The calendar on which an event stands."""
        return next(place for place in self.places if place.calendar_id == where.calendar_id)

    def neighbours(self, place: Place) -> list[Place]:
        """The calendar of the same tenant that this one's owner may write too: the next, the first after the last."""
        own = [other for other in self.places if other.tenant == place.tenant]
        following = own[(own.index(place) + 1) % len(own)]
        return [following] if following != place else []

    async def target(self, kind: AnyKind, place: Place, chance: random.Random) -> Reference | None:
        """An event on that calendar that can have such an edit now, None if there is none.

        Nobody else gets it before this returns, nor after it if the caller makes it busy at once.
        """
        fitting = [where for where in self.record.meant if self._may_have(kind, place, where)]
        chance.shuffle(fitting)
        for where in fitting:
            # Others edit while this one asks.
            if not self._may_have(kind, place, where):
                continue
            self.busy.add(where)
            try:
                if await self._has_enough(kind, where) and (kind not in _ENDINGS or await self._is_known(where)):
                    return where
            finally:
                self.busy.discard(where)
        return None

    async def _has_enough(self, kind: AnyKind, where: Reference) -> bool:
        """Whether so much of a series lies ahead that such an edit leaves some of it."""
        least, meant = occasions.LEAST.get(kind, 0), self.record.meant[where]
        if not least or not meant.recurrence:
            return True
        google = self.google[self.place_of(where).owner]
        return len(await occasions.ahead(google, where, self.now(), meant)) >= least

    async def _is_known(self, where: Reference) -> bool:
        """Whether the meeting was put right once: one that is made and unmade between two looks, nobody can know."""
        meeting_id = str(self.record.meant[where].meeting_id)
        if where in self.settled:
            return True
        meeting = await self.vendors[where.tenant].meeting(meeting_id)
        return bool(meeting["title"] != PLACEHOLDER_TITLE)

    def _may_have(self, kind: AnyKind, place: Place, where: Reference) -> bool:
        """Whether an event stands on that calendar now, with a meeting that is ahead, and such an edit fits it."""
        meant = self.record.meant.get(where)
        if meant is None or meant.meeting_id is None or where.calendar_id != place.calendar_id or where in self.busy:
            return False
        is_ahead = bool(meant.recurrence) or instant(meant.ends, place.time_zone) > self.now() + _AHEAD
        return is_ahead and self._fits(kind, where, meant)

    def _fits(self, kind: AnyKind, where: Reference, meant: Meant) -> bool:
        if not occasions.fits(kind, where, self.record):
            return False
        if isinstance(kind, SeriesKind):
            if kind in occasions.SPLITS or kind is SeriesKind.DUPLICATE_SERIES:
                return not self._has_copies(meant)
            return kind is not SeriesKind.MOVE_SERIES_CALENDAR or self._is_without_guests(where)
        if kind is Kind.DUPLICATE:
            return where not in self.copies
        if kind is Kind.CHANGE_AT_PROVIDER:
            return self.changes[str(meant.meeting_id)] < CHANGES_A_MEETING
        if kind is Kind.MOVE_CALENDAR:
            # A guest's copy may stand on the other calendar; then Google would have two of one id there.
            return meant.guests == 0
        return True

    def _has_copies(self, meant: Meant) -> bool:
        there = (self.record.meant.get(copy) for copy in self.copies)
        return any(copy is not None and copy.meeting_id == meant.meeting_id for copy in there)

    def _is_without_guests(self, where: Reference) -> bool:
        family = [self.record.meant[where], *self.record.exceptions_of(where).values()]
        return all(meant.guests == 0 for meant in family)


def instant(when: Json, time_zone: str) -> datetime:
    """The instant that a start or end object names; a date is its midnight in that zone."""
    if "date" in when:
        return datetime.combine(date.fromisoformat(when["date"]), time(), ZoneInfo(time_zone))
    at = datetime.fromisoformat(when["dateTime"])
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(when.get("timeZone", time_zone)))


def shifted(when: Json, by: timedelta, time_zone: str) -> Json:
    """A start or end object moved in time; dates by whole days, instants on the clock of their own zone."""
    if "date" in when:
        return {"date": (date.fromisoformat(when["date"]) + timedelta(days=by.days)).isoformat()}
    zone = when.get("timeZone", time_zone)
    moved = (instant(when, time_zone).astimezone(ZoneInfo(zone)) + by).replace(fold=0)
    # Through UTC, so that an hour that the zone skips becomes one that it has.
    return {"dateTime": moved.astimezone(UTC).astimezone(ZoneInfo(zone)).isoformat(), "timeZone": zone}
