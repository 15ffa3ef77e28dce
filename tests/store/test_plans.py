"""Plans are kept: those that are made while tables are young must serve when the tables are large."""

import json
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from syncer.store import statements
from syncer.store.database import Database

_KEYED = {"calendar", "conference", "link", "note", "meeting_owner", "exclusion"}
_HOT = (
    ("calendars", "known"),
    ("calendars", "children"),
    ("calendars", "excluded_before"),
    ("calendars", "left_behind"),
    ("calendars", "commit_pages"),
    ("conferences", "several"),
    ("conferences", "record"),
    ("conferences", "wrote_back"),
)


async def _plan(dsn: str, sql: str) -> dict[str, Any]:
    """How Postgres would run a statement, whatever its parameters are."""
    count = max(int(number) for number in re.findall(r"\$(\d+)", sql))
    async with Database.opened(dsn, connections=1) as database:
        await database.run(f"PREPARE asked AS {sql}")
        explained = await database.value(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({', '.join(['NULL'] * count)})")
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return plan


async def _run(dsn: str, script: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


_FILLED = """
INSERT INTO syncer.project (slug) VALUES ('many');
INSERT INTO syncer.provider_account (provider, credential) VALUES ('webhook', 'file:webhook');
INSERT INTO syncer.tenant (slug, project_id, account_id, credential)
SELECT 'many', project_id, account_id, 'file:key.json' FROM syncer.project, syncer.provider_account;
INSERT INTO syncer.calendar (tenant_id, google_id)
SELECT tenant_id, number || '@example.org' FROM syncer.tenant, generate_series(1, 2000) AS number;
INSERT INTO syncer.conference (tenant_id, account_id, meeting_id)
SELECT t.tenant_id, t.account_id, c.google_id FROM syncer.tenant t JOIN syncer.calendar c USING (tenant_id);
INSERT INTO syncer.link (tenant_id, calendar_id, event_id, conference_id, generation, event)
SELECT k.tenant_id, k.calendar_id, 'e', c.conference_id, 1, '{}'
FROM syncer.calendar k JOIN syncer.conference c ON c.tenant_id = k.tenant_id AND c.meeting_id = k.google_id;
"""


@pytest.mark.parametrize("rows", ["SELECT", _FILLED], ids=["empty", "never analysed"])
@pytest.mark.parametrize(("module", "name"), _HOT)
async def test_a_young_tables_plan_goes_over_no_tenants_rows(database: str, module: str, name: str, rows: str) -> None:
    await _run(database, rows)
    plan = await _plan(database, statements.of(module)[name])
    found = [node for node in _nodes(plan) if node["Node Type"].startswith("Index") and "Relation Name" in node]
    for node in (node for node in found if node["Relation Name"] in _KEYED):
        columns = set(re.findall(r"\(*(\w+) = ", node.get("Index Cond", "")))
        assert columns - {"tenant_id"}, f"{name} goes over {node['Relation Name']} by {columns or 'nothing'}"


async def test_what_a_page_names_is_joined_without_going_over_all_of_it_each_time(database: str) -> None:
    plan = await _plan(database, statements.of("calendars")["commit_pages"])
    for node in _nodes(plan):
        scanned = {child.get("CTE Name") for child in node.get("Plans", ()) if child["Node Type"] == "CTE Scan"}
        if node["Node Type"] == "Nested Loop":
            assert "referred" not in scanned


async def test_a_calendar_that_is_added_twice_is_refused_by_its_old_name(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        found = await connection.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'calendar_tenant_id_google_id_key'"
        )
    finally:
        await connection.close()
    assert found == "UNIQUE (google_id, tenant_id)"
