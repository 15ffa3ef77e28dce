"""The page on what is kept names every column there is, and text of events stands in no other than it says."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.simulator.google_stage import ANA
from tests.sync.stage import GRACE, Acted, a_stage

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
CANARIES = ("canary-title", "canary-description", "canary-777", "canary-place")
_COLUMNS = """
SELECT relname || '.' || attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'syncer'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND attnum > 0 AND NOT attisdropped AND atttypid IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype)
ORDER BY 1
"""


def named(section: str | None = None) -> set[str]:
    """The columns that the page names, as `table.column`, or the first cells of the table in one of its sections."""
    text = PAGE.read_text("utf-8")
    if section is not None:
        text = text.partition(f"## {section}")[2].partition("\n## ")[0]
        text = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    return set(re.findall(r"`([a-z_]+\.[a-z_]+)`", text)) - {"webhook.md"}


async def columns(connection: asyncpg.Connection) -> set[str]:
    return {row[0] for row in await connection.fetch(_COLUMNS)}


@pytest.fixture
async def connection(database: str) -> Any:
    opened = await asyncpg.connect(database)
    yield opened
    await opened.close()


async def test_every_column_that_holds_text_is_on_the_page(connection: asyncpg.Connection) -> None:
    assert sorted(await columns(connection) - named()) == []


async def test_the_page_names_no_column_that_is_not_there(connection: asyncpg.Connection) -> None:
    assert sorted(named() - await columns(connection)) == []


async def test_a_column_that_is_not_on_the_page_is_found(connection: asyncpg.Connection) -> None:
    await connection.execute("ALTER TABLE syncer.note ADD COLUMN title text, ADD COLUMN answers jsonb")
    assert await columns(connection) - named() == {"note.title", "note.answers"}


async def holding(stage: Acted, canary: str) -> set[str]:
    """The columns that hold a text."""
    database = stage.tools.database
    names = [name.split(".") for name in sorted({row[0] for row in await database.fetch(_COLUMNS)})]
    found = {}
    for table, column in names:
        sql = f"SELECT count(*) FROM syncer.{table} WHERE {column}::text LIKE '%' || $1 || '%'"  # noqa: S608
        found[f"{table}.{column}"] = await database.value(sql, canary)
    return {name for name, count in found.items() if count}


async def live_through(stage: Acted) -> None:
    """Events with texts: changed, written back to, duplicated, refused, set aside and deleted."""
    texts = {"description": "canary-description", "location": "canary-place"}
    booked, gone = await stage.book("canary-title", **texts), await stage.book("canary-title 2", **texts)
    await stage.follow()
    await stage.edit(booked, summary="canary-title 3")
    await stage.duplicate(booked)
    await stage.change_meeting(booked, passcode="canary-777")
    await stage.vendor.set_faults(next={"server_error": 1})
    await stage.follow()
    await stage.read_back()
    await stage.delete(gone)
    await stage.edit(booked, attendees=[{"email": ANA}])
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()


async def test_text_of_events_is_in_the_columns_that_the_page_names_and_in_no_log(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="syncer")
    async with a_stage(database, tmp_path) as stage:
        await live_through(stage)
        held = {canary: await holding(stage, canary) for canary in CANARIES}
        told = await stage.told()
    assert {"changed", "updated", "wrote_back", "retry", "deleted"} <= set(told)
    assert set().union(*held.values()) == named("Text of events, and what admits to meetings")
    assert all(held.values()), held
    assert [record for record in caplog.records if "canary" in f"{record.getMessage()} {record.__dict__}"] == []
