"""What the corridor works with: the walls, a clock, chance; and one project while it is served."""

from collections.abc import Callable, Collection, Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from time import monotonic
from zoneinfo import ZoneInfo

from msgspec import structs

from syncer.clients.google.calendar import GoogleCalendar
from syncer.clients.providers.directory import Providers
from syncer.model.budget import Lane
from syncer.model.calendar import Calendar, CalendarKey, Cursor, Lease, Tenant
from syncer.model.errors import OutsideError
from syncer.rules import reading
from syncer.rules.schedule import Schedule
from syncer.store.database import Database
from syncer.store.notified import Mark
from syncer.sync.calling import Calling
from syncer.sync.long_reads import LongReads
from syncer.sync.roster import Roster
from syncer.sync.rungs import Rungs
from syncer.sync.spending import Spending
from syncer.sync.tenure import Tenure
from syncer.sync.unannounced import Unannounced

# So many calendars are taken over in some milliseconds.
_SLOTS_A_STEP = 100
# A day that is spent ends when the next is written down.
_SPENT_SECONDS = 10.0
_PACIFIC = ZoneInfo("America/Los_Angeles")


class Clock:
    """Tells the time. Set off from the real one only on a cluster that is marked for tests or demos."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        now = datetime.now(UTC)
        return now + self.shift if self.shift else now

    def seconds(self) -> float:
        """Seconds since some moment, by a clock that only goes forward, set off like the other."""
        return monotonic() + self.shift.total_seconds()


@dataclass(frozen=True, slots=True)
class Tools:
    """Made once in `app`. calling: lets calls to providers out. chance: draws from [0, 1). zones: the IANA names that
    are known.
    """

    database: Database
    google: GoogleCalendar
    providers: Providers
    calling: Calling
    clock: Clock
    chance: Callable[[], float]
    zones: frozenset[str]

    def zone(self, name: str) -> tzinfo | None:
        """The time zone of that name, None for one that is not known."""
        return ZoneInfo(name) if name in self.zones else None

    def google_day(self) -> date:
        """The day that Google counts requests for now. Source: as `rules.timing.next_day_at`."""
        return self.clock().astimezone(_PACIFIC).date()

    def day_left_seconds(self) -> float:
        """What is left of Google's day."""
        tomorrow = datetime.combine(self.google_day() + timedelta(days=1), time(), tzinfo=_PACIFIC)
        return (tomorrow - self.clock()).total_seconds()


@dataclass(frozen=True, slots=True)
class Resting:
    """Why something is not asked for again, and until when. refusals: in a row."""

    error: OutsideError
    until: datetime
    refusals: int = 1


class Project:
    """One project while this worker serves it, in memory.

    resting: users (credential, subject) whose writes are refused for now. rests_until: when it may look again, if its
    requests of the day are spent or batches were put off, lost_in_a_row of them. apart: slots of calendars whose look
    was lost with its batch; the next one goes alone. alone: slots of calendars whose pull has come to no end; the next
    one goes alone too, so that what breaks it breaks no others'. long_reads: slots that were handed out and wait for a
    long read. left_blocks: by conference, (calendar, event id) of events that do not refer to its meeting any more and
    have our lines still. unlisted: tenants whose calendars are still to be listed, whenever they changed. since,
    revision: as the rows were listed last (`store.roster`). marks: of calendars that were told of, by slot; they were
    read last at marks_read_at, in seconds of the loop. unannounced: changes in a row that no message told of.
    """

    def __init__(self, tenure: Tenure, cycle_seconds: float, spending: Spending) -> None:
        self.tenure = tenure
        self.spending = spending
        self.calendars = Roster()
        self.schedule = Schedule(
            cycle_seconds, tenant_of=self.calendars.tenant_ids.__getitem__, weight_of=self._weight_of
        )
        self.tenants: dict[int, Tenant] = {}
        self.apart: set[int] = set()
        self.alone: set[int] = set()
        self.resting: dict[tuple[str, str | None], Resting] = {}
        self.rests_until: datetime | None = None
        self.lost_in_a_row = 0
        self.long_reads = LongReads(self.calendars.tenant_ids.__getitem__, self._weight_of)
        self.left_blocks: dict[int, set[tuple[CalendarKey, str]]] = {}
        self.rungs = Rungs()
        self.unlisted: set[int] = set()
        self.since = 0
        self.revision = 0
        self.marks: dict[int, Mark] = {}
        self.marks_read_at = float("-inf")
        self.unannounced = Unannounced()
        self._tools: dict[Lane, Tools] = {}
        self._waits_until: dict[Lane, float] = {}

    @property
    def lease(self) -> Lease:
        return self.tenure.lease

    def tools(self, tools: Tools, lane: Lane) -> Tools:
        """The same, whose requests to Google go out within this project's budget."""
        metered = self._tools.get(lane)
        if metered is None:
            metered = self._tools[lane] = replace(tools, google=tools.google.metered(self.spending.purse(lane)))
        return metered

    @property
    def listed(self) -> Set[int]:
        """The tenants all of whose calendars are known. Of the others' meetings nothing can be decided yet."""
        return self.tenants.keys() - self.unlisted

    def keep_tenants(self, tenants: dict[int, Tenant]) -> Iterator[None]:
        """Take over what the rows say of tenants, at once; what follows for their calendars, in steps.

        Calendars of others go, and those whose pin moved are read anew. Between two steps others may go on.
        """
        before, self.tenants = self.tenants, tenants
        self.spending.shares.keep({one.tenant_id: one.per_minute for one in tenants.values() if one.per_minute})
        self.unlisted = (self.unlisted | tenants.keys() - before.keys()) & tenants.keys()
        return self._follow_tenants(before)

    def _follow_tenants(self, before: dict[int, Tenant]) -> Iterator[None]:
        for tenant_id in before.keys() - self.tenants.keys():
            for some in _some(self.calendars.slots_of(tenant_id)):
                for slot in some:
                    self._drop(slot)
                yield
        for tenant_id in before.keys() & self.tenants.keys():
            if before[tenant_id].policy != self.tenants[tenant_id].policy:
                for some in _some(self.calendars.slots_of(tenant_id)):
                    for slot in some:
                        self._put(self.calendars.at(slot))
                    yield

    def keep_calendars(self, served: Iterable[Calendar], now: datetime, *, is_restart: bool) -> list[int]:
        """Take over what the rows say of these calendars; gives their slots.

        Cursors stay as we know them: ours are never behind.
        """
        slots: list[int] = []
        for calendar in served:
            if calendar.key.tenant_id not in self.tenants:
                continue
            slot = self.calendars.slot(calendar.key)
            if slot is None:
                slot = self._add(calendar, now, is_restart=is_restart)
            else:
                self._renew(slot, calendar, now)
            slots.append(slot)
        return slots

    def keep_only(self, served: Set[int]) -> Iterator[None]:
        """Forget the calendars of all other slots, in steps between which others may go on."""
        for some in _some(self.calendars.slots()):
            for slot in some:
                if slot not in served:
                    self._drop(slot)
            yield

    def try_again(self, credentials: Set[str], now: datetime) -> Iterator[None]:
        """What fails and has one of these credentials is due at once. In steps, between which others may go on."""
        for some in _some(self.calendars.slots()):
            for slot in some:
                if self.is_failing(slot) and self.calendars.at(slot).credential in credentials:
                    self.schedule.hurry(slot, now)
            yield

    def drop_calendar(self, key: CalendarKey) -> None:
        """Forget a calendar, if it is known."""
        slot = self.calendars.slot(key)
        if slot is not None:
            self._drop(slot)

    def _add(self, calendar: Calendar, now: datetime, *, is_restart: bool) -> int:
        slot = self._put(calendar)
        # After a restart all calendars are new to us: each waits for its turn, or they would storm.
        is_unread = calendar.cursor.sync_token is None or calendar.cursor.page_token is not None
        is_urgent = is_unread or not is_restart
        self.schedule.keep(slot, calendar.key, now, is_urgent=is_urgent)
        if calendar.next_look_at is not None and calendar.next_look_at > now:
            self.schedule.postpone(slot, calendar.next_look_at)
        return slot

    def _renew(self, slot: int, row: Calendar, now: datetime) -> None:
        known = self.calendars.at(slot)
        is_mended = known.next_look_at is not None and row.next_look_at is None
        # Somebody has asked for all of it once more: no read of ours is under way, and the row has no token.
        is_asked_for = not row.cursor.sync_token and not row.cursor.page_token and _is_same_read(known, row)
        cursor = row.cursor if is_asked_for else known.cursor
        renewed = structs.replace(row, cursor=cursor, failures=row.failures if is_mended else known.failures)
        if renewed != known:
            # One that stands as it stood keeps its version: a look that is under way goes on.
            self._put(renewed)
        if is_mended or is_asked_for:
            self.schedule.hurry(slot, now)

    def _put(self, calendar: Calendar) -> int:
        policy = self.tenants[calendar.key.tenant_id].policy
        if calendar.cursor.sync_token and not calendar.cursor.pin:
            # A token that says nothing of what it belongs to belongs to what there is now.
            pinned = structs.replace(calendar.cursor, pin=reading.pin(calendar, policy))
            calendar = structs.replace(calendar, cursor=pinned)
        return self.calendars.put(calendar, is_whole=reading.is_repinned(calendar, policy))

    def _drop(self, slot: int) -> None:
        self.calendars.drop(slot)
        self.schedule.drop(slot)
        self.apart.discard(slot)
        self.alone.discard(slot)
        self.marks.pop(slot, None)
        self.unannounced.forget(slot)

    def keep_cursor(self, key: CalendarKey, cursor: Cursor) -> None:
        """The calendar was read as far as this, and is well."""
        slot = self.calendars.slot(key)
        if slot is not None and not self.calendars.advance(slot, cursor) and key.tenant_id in self.tenants:
            self._put(structs.replace(self.calendars.at(slot), cursor=cursor, failures=0, next_look_at=None))

    def forget_cursor(self, key: CalendarKey, now: datetime) -> None:
        """The calendar is to be read from the start, at once."""
        slot = self.calendars.slot(key)
        if slot is not None:
            known = self.calendars.at(slot)
            cursor = structs.replace(known.cursor, sync_token=None, page_token=None, is_full_read=True)
            self.calendars.put(structs.replace(known, cursor=cursor))
            self.schedule.hurry(slot, now)

    def note_failure(self, failed: Calendar) -> None:
        """The calendar failed so many times, and is looked at again at that time."""
        known = self.calendars.get(failed.key)
        if known is not None:
            self.calendars.put(structs.replace(known, failures=failed.failures, next_look_at=failed.next_look_at))

    def looked(self, key: CalendarKey, began_at: datetime, now: datetime, *, found_nothing: bool = False) -> None:
        """A look that began then has ended well."""
        slot = self.calendars.slot(key)
        if slot is not None:
            self.schedule.looked([slot], began_at, now, found_nothing=found_nothing)

    def postpone(self, key: CalendarKey, until: datetime) -> None:
        """The calendar is due at `until`, whatever was planned."""
        slot = self.calendars.slot(key)
        if slot is not None:
            self.schedule.postpone(slot, until)

    def notified(self, key: CalendarKey, now: datetime, mark: Mark | None = None) -> bool:
        """Somebody told that the calendar changed; says whether that is news.

        mark: of the row that says so; it can go once a look that begins later has ended well.
        """
        slot = self.calendars.slot(key)
        if slot is None or (mark is not None and self.marks.get(slot) == mark):
            return False
        if mark is not None:
            self.marks[slot] = mark
            self.unannounced.forget(slot)
        is_failing = self.is_failing(slot)
        self.schedule.notified(slot, now, is_failing=is_failing)
        self.long_reads.hurry(slot)
        return not is_failing

    def answered(self) -> list[tuple[CalendarKey, int]]:
        """The marks that can go; each is given once."""
        slots = [slot for slot in self.schedule.answered() if slot in self.marks]
        return [(self.calendars.key(slot), self.marks.pop(slot).number) for slot in slots]

    def is_failing(self, slot: int) -> bool:
        """Its last look or pull failed."""
        return self.calendars.look(slot) is None and self.calendars.at(slot).failures > 0

    def told_at(self, slot: int) -> datetime | None:
        """When a message last told of the calendar, None where none did or a look has answered it."""
        mark = self.marks.get(slot)
        return mark.at if mark is not None else None

    def due(self, now: datetime, limit: int) -> list[int]:
        """Up to `limit` calendars to look at by the clock: each is to be `swept` or `read_long` then."""
        return self._handed_out(self.schedule.due(now, limit, self.spending.rooms(Lane.REFRESH)))

    def told(self, now: datetime, limit: int) -> list[int]:
        """The same of those that were told of."""
        return self._handed_out(self.schedule.told(now, limit, self.spending.rooms(Lane.URGENT)))

    def read_long(self, slots: Collection[int]) -> None:
        """These were handed out, and wait now for a long read."""
        self.swept(slots)
        self.long_reads.add(slots, self.schedule.is_told)

    def next_long_reads(self, limit: int) -> list[int]:
        """Some that wait for a long read; each is to be `swept` then."""
        return self._handed_out(self.long_reads.take(limit, self.spending.rooms(self.long_reads.lane)))

    def swept(self, slots: Iterable[int]) -> None:
        """These were looked at, or will not be after all."""
        self.spending.shares.take_back(map(self.calendars.tenant_ids.__getitem__, slots))

    def lane(self, slots: Iterable[int], otherwise: Lane) -> Lane:
        """What work on these is to the budget: whatever they wait for, what was told of is urgent."""
        return Lane.URGENT if all(map(self.schedule.is_told, slots)) else otherwise

    def _handed_out(self, slots: list[int]) -> list[int]:
        self.spending.shares.hand_out(map(self.calendars.tenant_ids.__getitem__, slots))
        return slots

    def _weight_of(self, tenant_id: int) -> int:
        tenant = self.tenants.get(tenant_id)
        return tenant.weight if tenant is not None else 1

    def give_back(self, slots: Iterable[int], until: datetime) -> None:
        """Calendars that were handed out are due at `until`, if nothing was said of them since."""
        for slot in slots:
            self.schedule.give_back(slot, until)

    def stands(self, key: CalendarKey, version: int | None) -> bool:
        """The calendar is served, and what is known of it has not been replaced since that version."""
        return version is not None and key.tenant_id in self.tenants and self.calendars.version_of(key) == version

    def is_long_read(self, slot: int) -> bool:
        """The next look at it begins a full read, or goes on with what was left between two pages."""
        tenant = self.tenants.get(self.calendars.tenant_ids[slot])
        if tenant is None or self.calendars.look(slot) is not None:
            return False
        known = self.calendars.at(slot)
        cursor = known.cursor
        return not cursor.sync_token or bool(cursor.page_token) or reading.is_repinned(known, tenant.policy)

    def go_together(self, slots: Iterable[int]) -> bool:
        """Looks at some of these go in one request, as far as there are others to go with."""
        return any(slot not in self.apart and self.calendars.look(slot) is not None for slot in slots)

    def is_resting(self, now: datetime) -> bool:
        """It may not look at anything yet."""
        return self.rests_until is not None and now < self.rests_until

    def room(self, lane: Lane, now: datetime) -> int:
        """How many calendars may be looked at now. Where none may be, the lane waits until that may have changed."""
        room = self.spending.room(lane)
        if not room:
            wait = _SPENT_SECONDS if self.spending.is_day_spent(lane) else self.spending.wait_seconds(lane)
            self._waits_until[lane] = now.timestamp() + wait
        return room

    def next_sweep(self) -> float:
        """When there is something to sweep again, in seconds; infinity when nothing is planned."""
        return max(self.schedule.next_due(), self._rests_until(Lane.REFRESH))

    def next_told(self) -> float:
        """When one that was told of may be looked at, in seconds; infinity when none is."""
        return max(self.schedule.next_told(), self._rests_until(Lane.URGENT))

    def _rests_until(self, lane: Lane) -> float:
        rests_until = self.rests_until.timestamp() if self.rests_until else 0.0
        return max(rests_until, self._waits_until.get(lane, 0.0))

    def looked_everywhere(self, tenant_id: int, since: datetime) -> bool:
        """Each calendar of the tenant was looked at, by a look that began after this instant."""
        at = since.timestamp()
        slots = self.calendars.slots_of(tenant_id)
        return tenant_id not in self.unlisted and all(self.schedule.looked_at(slot) > at for slot in slots)


def _is_same_read(known: Calendar, row: Calendar) -> bool:
    """Nothing has begun since the row was written: what it says is not behind what we know."""
    cursor = known.cursor
    return cursor.generation == row.cursor.generation and bool(cursor.sync_token or cursor.page_token)


def _some(slots: Iterator[int]) -> Iterator[list[int]]:
    while some := list(islice(slots, _SLOTS_A_STEP)):
        yield some
