"""A worker that has lost its lease writes nothing, whatever it tries."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from msgspec import structs

from syncer.model.calendar import Lease
from syncer.model.conference import State
from syncer.model.errors import FencedOut
from syncer.store import calendars, conferences, roster
from syncer.store.conferences import Noted, Told, WroteBack
from syncer.store.roster import Moved
from tests.store.rows import NOW, Held, a_drop, a_page, an_event, sql_of

Write = Callable[[Held, Lease], Awaitable[None]]
WORKERS_OWN = ("calendars", "conferences", "leases")


async def commit(held: Held, lease: Lease) -> None:
    await calendars.commit_page(held.database, lease, held.key, a_page(("event2", "meeting2")))


async def drop(held: Held, lease: Lease) -> None:
    await calendars.commit_page(held.database, lease, held.key, a_drop())


async def fail(held: Held, lease: Lease) -> None:
    (calendar, _) = await calendars.served(held.database, lease.project_id)
    failed = structs.replace(calendar, failures=3, next_look_at=NOW)
    await calendars.failed(held.database, lease, failed, state="parked", reason="it failed")


async def restart(held: Held, lease: Lease) -> None:
    await calendars.restart(held.database, lease, held.key, "410")


async def recover(held: Held, lease: Lease) -> None:
    await calendars.recovered(held.database, lease, held.key)


async def record(held: Held, lease: Lease) -> None:
    found = await conferences.one(held.database, held.key.tenant_id, await held.conference_id())
    assert found is not None
    after = structs.replace(found[0], state=State.LEAVING)
    await conferences.record(held.database, lease, Noted(after, (Told("leaving"),), "it goes", is_touched=True))


async def wrote_back(held: Held, lease: Lease) -> None:
    link = (await calendars.links_of(held.database, held.key, ["event1"]))["event1"]
    event, today = an_event(title="Patched"), datetime.now(UTC).date()
    done = WroteBack(link, event, Told("wrote_back"), "location", today)
    await conferences.wrote_back(held.database, lease, done)


async def save_tokens(held: Held, lease: Lease) -> None:
    await roster.save_tokens(held.database, lease, [Moved(held.key, 1, "newer")])


WRITES = [commit, drop, fail, restart, recover, record, wrote_back, save_tokens]
SILENT = (wrote_back, save_tokens)


async def test_a_lost_lease_writes_nothing(held: Held) -> None:
    await held.taken_over()
    await _all_refused(held)


async def test_an_older_epoch_of_the_same_owner_writes_nothing(held: Held) -> None:
    await held.database.run("UPDATE syncer.lease SET epoch = epoch + 1")
    await _all_refused(held)


async def test_the_same_epoch_of_another_owner_writes_nothing(held: Held) -> None:
    await held.database.run("UPDATE syncer.lease SET owner = gen_random_uuid()")
    await _all_refused(held)


@pytest.mark.parametrize("write", WRITES)
async def test_a_held_lease_writes(held: Held, write: Write) -> None:
    await held.database.run("UPDATE syncer.calendar SET failures = 2")
    before = await held.everything()
    await write(held, held.lease)
    assert await held.everything() != before


async def _all_refused(held: Held) -> None:
    await held.database.run("UPDATE syncer.calendar SET failures = 2")
    before = await held.everything()
    for write in WRITES:
        if write in SILENT:
            await write(held, held.lease)
        else:
            with pytest.raises(FencedOut):
                await write(held, held.lease)
        assert await held.everything() == before, write.__name__


async def test_a_doubt_needs_no_lease(held: Held) -> None:
    found = await conferences.one(held.database, held.key.tenant_id, await held.conference_id())
    assert found is not None
    await held.taken_over()
    await conferences.doubt(held.database, found[0])
    assert await held.database.value("SELECT is_in_doubt FROM syncer.conference")


def unfenced(sql: str) -> list[str]:
    """The parts of a statement that write and do not join the fence, directly or through another part."""
    bare = re.sub(r"--.*", "", sql)
    parts = _parts(bare)
    safe = {"fence"} if "FOR KEY SHARE" in parts.get("fence", "") else set()
    while grown := {name for name, part in parts.items() if name not in safe and _reads(part, safe)}:
        safe |= grown
    writes = re.compile(r"\b(INSERT INTO|UPDATE syncer|DELETE FROM)\b")
    return [name for name, part in parts.items() if writes.search(part) and name not in safe]


def _parts(sql: str) -> dict[str, str]:
    heads = list(
        re.finditer(r"(?:WITH|\),)\s+(\w+)(?: AS (?:MATERIALIZED )?)\(|\n\)\s*(?=SELECT|UPDATE|INSERT|DELETE)", sql)
    )
    if not heads:
        return {"whole": sql}
    ends = [*(head.start() for head in heads[1:]), len(sql)]
    return {head.group(1) or "whole": sql[head.end() : end] for head, end in zip(heads, ends, strict=True)}


def _reads(part: str, names: set[str]) -> bool:
    # A part is as safe as what it is joined to; a subquery in SELECT or WHERE would not be enough.
    return any(re.search(rf"(?:FROM|JOIN|USING|,)\s+{name}\b", part) for name in names)


@pytest.mark.parametrize("noun", WORKERS_OWN[:2])
def test_every_statement_that_writes_joins_the_fence(noun: str) -> None:
    found = {name: unfenced(sql) for name, sql in sql_of(noun).items()}
    assert {name: parts for name, parts in found.items() if parts and name != "doubt"} == {}


def test_a_statement_that_does_not_join_the_fence_is_found() -> None:
    fence, write = (
        "WITH fence AS MATERIALIZED (SELECT FROM syncer.lease FOR KEY SHARE\n)",
        "UPDATE syncer.link SET rung = NULL",
    )
    assert unfenced(write) == ["whole"]
    assert unfenced(" ".join((fence, write))) == ["whole"]
    assert unfenced(" ".join((fence, write, "FROM fence"))) == []
    assert unfenced(sql_of("conferences")["doubt"]) == ["whole"]
    half = (fence, ", a AS (\n  DELETE FROM syncer.note\n)", write, "FROM fence")
    assert unfenced("".join(half[:2]) + " ".join(("", *half[2:]))) == ["a"]
