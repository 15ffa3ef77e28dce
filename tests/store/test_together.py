"""What is written together is what would have been written one after another, and each writer's trouble is its own."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from msgspec import structs

from syncer.model.calendar import Calendar, CalendarKey, Cursor, Lease, Link
from syncer.model.conference import Conference, State
from syncer.model.errors import FencedOut, StoreBusy, StoreRefused, StoreUnavailable, SyncerError
from syncer.store import calendars, conferences, tenants
from syncer.store.calendars import LinkDrop, LinkPut, NotePut, PageCommit
from syncer.store.conferences import Noted, Told, WroteBack
from syncer.store.database import Database
from tests.store.rows import NOW, Held, a_drop, a_page, add_tenant, an_event, connected, take

Write = Callable[["Town"], Awaitable[object]]
MEETINGS = ("m1", "m2", "m3", "m4")
EVENTS = ("e1", "e2", "e3")
TRULY = (
    "SELECT tenant_id, calendar_id, state, reason, sync_token, generation, failures, time_zone, sees_details, "
    "changed_at IS NULL FROM syncer.calendar",
    "SELECT tenant_id, meeting_id, state, reason, wanted_version, applied_version, is_in_doubt, driver_calendar_id, "
    "driver_event_id, strayed_at IS NULL, was_detached, failures, next_try_at, deleted_at IS NULL "
    "FROM syncer.conference",
    "SELECT l.tenant_id, calendar_id, event_id, c.meeting_id, generation, event, rung, write_backs, write_backs_on "
    "FROM syncer.link l JOIN syncer.conference c USING (tenant_id, conference_id)",
    "SELECT tenant_id, calendar_id, event_id, kind, etag, reason FROM syncer.note",
    "SELECT h.tenant_id, kind, c.meeting_id, calendar_id, event_id, detail "
    "FROM syncer.history h LEFT JOIN syncer.conference c USING (tenant_id, conference_id)",
    "SELECT account_id, meeting_id, tenant_id FROM syncer.meeting_owner",
)


@dataclass(frozen=True, slots=True)
class Town:
    """Three tenants with one provider account and two calendars each, in two projects under lease."""

    database: Database
    keys: tuple[CalendarKey, ...]
    leases: dict[int, Lease]
    conferences: dict[tuple[int, str], Conference] = field(default_factory=dict)

    async def look(self) -> None:
        """Every conference as it is now."""
        for row in await self.database.fetch("SELECT tenant_id, conference_id FROM syncer.conference ORDER BY 1, 2"):
            found = await conferences.one(self.database, *row)
            assert found is not None
            self.conferences[found[0].tenant_id, found[0].meeting_id] = found[0]

    async def rows(self) -> list[list[str]]:
        """All that was written, without numbers and times that come with the order of writing."""
        return [sorted(repr(tuple(row)) for row in await self.database.fetch(sql)) for sql in TRULY]

    async def outcome(self, write: Write) -> str:
        """What came of a write: the meetings that it touched, or the kind of its error."""
        try:
            found = await write(self)
        except SyncerError as error:
            return type(error).__name__
        names = await self.database.fetch("SELECT conference_id, meeting_id FROM syncer.conference")
        by_id = {row["conference_id"]: row["meeting_id"] for row in names}
        return repr(sorted(by_id[touched] for touched in found) if isinstance(found, list) else found)


async def a_town(database: Database) -> Town:
    await tenants.add_project(database, "main")
    await tenants.add_project(database, "second")
    found: dict[int, int] = {}
    keys = []
    for slug in ("acme", "bolt", "corp"):
        tenant_id = await add_tenant(database, slug)
        for name in ("a", "b"):
            new = tenants.NewCalendar(f"{name}@{slug}.test")
            keys.append(CalendarKey(tenant_id, await tenants.add_calendar(database, slug, new)))
        found[tenant_id] = 1
    moved = "UPDATE syncer.tenant SET project_id = 2 WHERE slug = 'corp' RETURNING tenant_id"
    found[await database.value(moved)] = 2
    leases = {lease.project_id: lease for lease in await take(database)}
    return Town(database, tuple(keys), {tenant_id: leases[project_id] for tenant_id, project_id in found.items()})


class Chance:
    """Draws writes that mean the same in every town that has the same history."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def fence(self) -> Callable[[Lease], Lease]:
        stale: list[Callable[[Lease], Lease]] = [
            lambda lease: replace(lease, epoch=lease.epoch - 1),
            lambda lease: replace(lease, owner=uuid4()),
        ]
        return self._random.choice(stale) if self._random.random() < 0.15 else lambda lease: lease

    def text(self) -> str:
        return "a\x00b" if self._random.random() < 0.05 else self._random.choice(("Review", "Planning"))

    def page(self, town: Town, known: dict[CalendarKey, dict[str, Link]]) -> Write:
        key = self._random.choice(town.keys)
        page, fence = self._page(known[key]), self.fence()
        return lambda there: calendars.commit_page(there.database, fence(there.leases[key.tenant_id]), key, page)

    def _page(self, known: dict[str, Link]) -> PageCommit:
        draw = self._random
        puts, drops, notes, losses = [], [], [], []
        seen = draw.sample(EVENTS, draw.randint(0, len(EVENTS)))
        for event_id in seen:
            before, kind = known.get(event_id), draw.choice(("put", "put", "drop", "note"))
            if kind == "put":
                meeting_id = draw.choice(MEETINGS)
                is_new = before is None or before.meeting_id != meeting_id
                is_users = is_new or draw.random() < 0.5
                event = an_event(event_id, description=self.text())
                puts.append(LinkPut(event, meeting_id, is_new, is_users or draw.random() < 0.3, is_users))
                losses += [before.meeting_id] if before is not None and is_new else []
            elif kind == "drop" and before is not None:
                drops.append(LinkDrop(event_id, before.meeting_id, "it went", draw.random() < 0.3))
            elif kind == "note":
                notes.append(NotePut(event_id, draw.choice(("set_aside", "guest")), '"1"', self.text()))
        cursor = Cursor(f"token{draw.random()}", None, draw.randint(1, 3), False, NOW, "pin")
        details = draw.choice((None, True, False))
        return PageCommit(
            cursor, tuple(puts), tuple(drops), tuple(notes), tuple(losses), tuple(seen), None, sees_details=details
        )

    def record(self, there: tuple[int, str]) -> Write:
        draw, fence, reason = self._random, self.fence(), self.text()
        (tenant_id, meeting_id), state = there, self._random.choice(list(State))
        told, is_touched = tuple([Told("updated", {"revision": 1})] * draw.randint(0, 2)), draw.random() < 0.3
        step = draw.randint(-2, 2)

        async def write(town: Town) -> None:
            before = town.conferences[tenant_id, meeting_id]
            wanted = max(before.wanted_version + step, 0)
            after = structs.replace(
                before, state=state, wanted_version=wanted, applied_version=wanted, read_back_at=NOW
            )
            noted = Noted(after, told, reason, is_touched)
            await conferences.record(town.database, fence(town.leases[tenant_id]), noted)

        return write

    def wrote_back(self, link: Link) -> Write:
        fence, etag, rung = self.fence(), self._random.choice(('"1"', '"2"')), self._random.choice((None, "location"))
        stored = structs.replace(link, event=an_event(link.event_id, etag=etag))
        event = an_event(link.event_id, etag='"2"', description=self.text())
        done = WroteBack(stored, event, Told("wrote_back", {"rung": rung}), rung, NOW.date())
        tenant_id = link.key.tenant_id
        return lambda there: conferences.wrote_back(there.database, fence(there.leases[tenant_id]), done)

    def recovered(self, town: Town) -> Write:
        key, fence = self._random.choice(town.keys), self.fence()
        return lambda there: calendars.recovered(there.database, fence(there.leases[key.tenant_id]), key)

    def failed(self, town: Town) -> Write:
        key, fence = self._random.choice(town.keys), self.fence()
        calendar = Calendar(
            key, "a@x.test", None, "file:key.json", frozenset(), Cursor(), self._random.randint(1, 5), NOW
        )
        state, reason = self._random.choice(("active", "parked")), self.text()
        return lambda there: calendars.failed(
            there.database, fence(there.leases[key.tenant_id]), calendar, state=state, reason=reason
        )

    def writes(
        self, town: Town, links: dict[CalendarKey, dict[str, Link]], there: list[tuple[int, str]]
    ) -> list[Write]:
        """Several of one kind; what they write may be the same rows."""
        many = [link for known in links.values() for link in known.values()]
        kinds: list[Callable[[], Write]] = [lambda: self.page(town, links), lambda: self.failed(town)]
        kinds += [lambda: self.recovered(town)]
        kinds += [lambda: self.record(self._random.choice(there))] if there else []
        kinds += [lambda: self.wrote_back(self._random.choice(many))] if many else []
        kind = self._random.choice([kinds[0], *kinds])
        return [kind() for _ in range(self._random.randint(1, 7))]


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_written_together_is_what_would_be_written_one_by_one(
    database: str, other_database: str, seed: int
) -> None:
    dsns = (database, other_database)
    chance = Chance(seed)
    async with AsyncExitStack() as stack:
        together, apart = [await a_town(await stack.enter_async_context(Database.opened(dsn))) for dsn in dsns]
        for _ in range(8):
            links = {key: await calendars.links_of(together.database, key, EVENTS) for key in together.keys}
            await together.look()
            await apart.look()
            writes = chance.writes(together, links, sorted(together.conferences))
            outcomes = await asyncio.gather(*(together.outcome(write) for write in writes))
            assert outcomes == [await apart.outcome(write) for write in writes]
            assert await together.rows() == await apart.rows()


async def outcomes_of(writes: Sequence[Awaitable[Any]]) -> list[str]:
    found = await asyncio.gather(*writes, return_exceptions=True)
    return [type(outcome).__name__ for outcome in found]


async def several_calendars(held: Held, count: int) -> list[CalendarKey]:
    names = [tenants.NewCalendar(f"c{number}@x.test") for number in range(count)]
    return [CalendarKey(held.key.tenant_id, await tenants.add_calendar(held.database, "acme", name)) for name in names]


async def test_pages_that_wait_at_the_same_moment_are_one_statement(held: Held) -> None:
    keys = await several_calendars(held, 30)
    before = await held.database.value("SELECT pg_current_xact_id()::text::bigint")
    pages = [a_page((f"event{key.calendar_id}", f"meeting{key.calendar_id}")) for key in keys]
    commits = [
        calendars.commit_page(held.database, held.lease, key, page) for key, page in zip(keys, pages, strict=True)
    ]
    assert all(await asyncio.gather(*commits))
    assert await held.database.value("SELECT pg_current_xact_id()::text::bigint") - before < 10


async def test_a_page_that_postgres_refuses_fails_alone(held: Held) -> None:
    keys = await several_calendars(held, 9)
    pages = [a_page((f"e{key.calendar_id}", f"m{key.calendar_id}")) for key in keys]
    pages[4] = a_page(("nul\x00", "meeting"))
    gone = CalendarKey(held.key.tenant_id, 10**6)
    everyone = [*zip(keys, pages, strict=True), (gone, a_page(("event2", "meeting2")))]
    found = await outcomes_of([calendars.commit_page(held.database, held.lease, key, page) for key, page in everyone])
    assert found == ["list"] * 4 + ["StoreRefused"] + ["list"] * 4 + ["StoreRefused"]
    assert await held.database.value("SELECT count(*) FROM syncer.link") == 9


async def test_a_row_that_somebody_holds_keeps_only_its_own_page_waiting(held: Held) -> None:
    pages = [(held.other, a_page(("event2", "meeting2"))), (held.key, a_page(("event3", "meeting3")))]
    async with connected(held.dsn) as somebody, somebody.transaction():
        await somebody.execute("SELECT FROM syncer.calendar WHERE calendar_id = $1 FOR UPDATE", held.other.calendar_id)
        found = await outcomes_of([calendars.commit_page(held.database, held.lease, *one) for one in pages])
    assert found == [StoreBusy.__name__, "list"]
    links = await held.database.fetch("SELECT event_id FROM syncer.link ORDER BY 1")
    assert [row["event_id"] for row in links] == ["event1", "event3"]


async def test_half_a_character_fails_alone(held: Held) -> None:
    pages = [(held.key, a_page(("event\ud800", "meeting2"))), (held.other, a_page(("event2", "meeting2")))]
    found = await outcomes_of([calendars.commit_page(held.database, held.lease, key, page) for key, page in pages])
    assert found == ["StoreRefused", "list"]


async def test_of_pages_that_come_together_each_has_its_own_outcome(held: Held) -> None:
    keys = await several_calendars(held, 5)
    pages = [(key, a_page((f"e{key.calendar_id}", f"m{key.calendar_id}"))) for key in keys]
    pages[1] = (keys[1], a_page(("half\ud800", "meeting")))
    pages[3] = (keys[3], a_page(("nul\x00", "meeting")))
    found = await calendars.commit_pages(held.database, held.lease, pages)
    assert [type(outcome).__name__ for outcome in found] == ["list", "StoreRefused"] * 2 + ["list"]
    assert await held.database.value("SELECT count(*) FROM syncer.link") == 4


async def test_pages_that_come_together_and_name_one_meeting_are_all_written(held: Held) -> None:
    keys = await several_calendars(held, 3)
    pages = [(key, a_page((f"event{key.calendar_id}", "shared"))) for key in keys]
    found = await calendars.commit_pages(held.database, held.lease, pages)
    assert found[0] == found[1] == found[2] != []
    assert await held.database.value("SELECT wanted_version FROM syncer.conference WHERE meeting_id = 'shared'") == 3


async def test_a_lost_lease_takes_only_its_own_pages_out(held: Held) -> None:
    lost = replace(held.lease, epoch=held.lease.epoch - 1)
    everyone = [
        (lost, held.key, a_page(("event2", "meeting2"))),
        (held.lease, held.other, a_page(("event3", "meeting3"))),
    ]
    found = await outcomes_of([calendars.commit_page(held.database, *one) for one in everyone])
    assert found == [FencedOut.__name__, "list"]
    links = await held.database.fetch("SELECT event_id FROM syncer.link ORDER BY 1")
    assert [row["event_id"] for row in links] == ["event1", "event3"]


async def test_of_two_tenants_that_name_a_meeting_at_once_the_first_owns_it(held: Held) -> None:
    tenant_id = await add_tenant(held.database, "other")
    theirs = CalendarKey(tenant_id, await tenants.add_calendar(held.database, "other", tenants.NewCalendar("c@x.test")))
    page = a_page(("event2", "meeting2"))
    everyone = [calendars.commit_page(held.database, held.lease, key, page) for key in (theirs, held.key)]
    assert all(await asyncio.gather(*everyone))
    assert (
        await held.database.value("SELECT tenant_id FROM syncer.meeting_owner WHERE meeting_id = 'meeting2'")
        == tenant_id
    )


async def test_two_pages_that_name_one_meeting_are_both_written(held: Held) -> None:
    moved = [(held.key, a_drop()), (held.other, a_page(("event1", "meeting1")))]
    touched = await asyncio.gather(
        *(calendars.commit_page(held.database, held.lease, key, page) for key, page in moved)
    )
    assert touched == [[await held.conference_id()]] * 2
    assert await held.database.value("SELECT wanted_version FROM syncer.conference") == 3


async def test_a_database_that_went_away_is_told_to_all(held: Held) -> None:
    async with connected(held.dsn) as watcher:
        blocked = watcher.transaction()
        await blocked.start()
        await watcher.execute("SELECT FROM syncer.calendar FOR UPDATE")
        pages = [(held.key, a_page(("event2", "meeting2"))), (held.other, a_page(("event3", "meeting3")))]
        commits = [calendars.commit_page(held.database, held.lease, key, page) for key, page in pages]
        told = asyncio.create_task(outcomes_of(commits))
        await held.until_waiting(1)
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await watcher.execute(sql)
        assert await told == [StoreUnavailable.__name__] * 2
        await blocked.rollback()


async def test_groups_that_cross_in_both_directions_do_not_deadlock(held: Held) -> None:
    keys = await several_calendars(held, 8)
    meetings = [f"crossing{number}" for number in range(8)]
    for key, meeting_id in zip(keys, meetings, strict=True):
        await calendars.commit_page(held.database, held.lease, key, a_page((f"event{key.calendar_id}", meeting_id)))
    async with Database.opened(held.dsn) as second:
        crowds = [
            _a_crowd(held, database, keys, meetings, seed) for seed, database in enumerate((held.database, second))
        ]
        found = await asyncio.gather(*crowds)
    assert [outcome for outcomes in found for outcome in outcomes if outcome not in ("list", "NoneType")] == []


async def _a_crowd(
    held: Held, database: Database, keys: Sequence[CalendarKey], meetings: Sequence[str], seed: int
) -> list[str]:
    draw = random.Random(seed)
    found: list[str] = []
    ids = await database.fetch(
        "SELECT conference_id FROM syncer.conference WHERE meeting_id = ANY ($1)", list(meetings)
    )
    link = (await calendars.links_of(database, held.key, ["event1"]))["event1"]
    for _ in range(20):
        order = draw.sample(range(len(keys)), len(keys))
        there = [await conferences.one(database, held.key.tenant_id, row["conference_id"]) for row in ids]
        writes: list[Awaitable[object]] = []
        for place, other in zip(order, order[1:] + order[:1], strict=True):
            page = a_page((f"event{keys[place].calendar_id}", meetings[other]))
            writes.append(calendars.commit_page(database, held.lease, keys[place], page))
            moved = structs.replace(link, key=keys[place], event_id=f"event{keys[place].calendar_id}")
            done = WroteBack(moved, moved.event, Told("wrote_back"), None, NOW.date())
            writes.append(conferences.wrote_back(database, held.lease, done))
        writes += [
            conferences.record(database, held.lease, Noted(one[0])) for one in draw.sample(there, len(there)) if one
        ]
        found += await outcomes_of(draw.sample(writes, len(writes)))
    return found


async def test_one_that_is_refused_says_which_constraint(held: Held) -> None:
    page = a_page(("event2", "meeting2"), notes=(NotePut("event3", "no_such_kind", '"1"', "why"),))
    with pytest.raises(StoreRefused) as refused:
        await calendars.commit_page(held.database, held.lease, held.key, page)
    assert refused.value.constraint == "note_kind_check"
