"""A credential that is mended is used within a beat: its calendars do not wait for the time they were parked until."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from syncer import app
from tests.run.worker import Worker, a_worker, until, until_row
from tests.simulator.google_stage import ANA, BO, CLEO
from tests.sync.stage import Acted, add_tenant

PARKED = "SELECT state = 'parked' AND next_look_at > now() + interval '5 minutes' FROM syncer.calendar"
READ = "SELECT state = 'active' AND failures = 0 AND next_look_at IS NULL AND sync_token IS NOT NULL"


def folder(stage: Acted) -> Path:
    assert stage.settings.credentials_folder is not None
    return stage.settings.credentials_folder


async def until_parked(stage: Acted, google_id: str) -> None:
    await until_row(stage, f"{PARKED} WHERE google_id = '{google_id}'")


async def until_read(stage: Acted, google_id: str) -> None:
    await until_row(stage, f"{READ} FROM syncer.calendar WHERE google_id = '{google_id}'")


async def grant(stage: Acted, user: str) -> dict[str, Any]:
    return dict(await stage.google.control("POST", "users", {"email": user}))


@asynccontextmanager
async def another(stage: Acted) -> AsyncIterator[Worker]:
    """A worker that knows nothing but what the rows say."""
    async with app.tools_of(stage.settings, stage.dsn) as tools, a_worker(replace(stage, tools=tools)) as worker:
        yield worker


async def has_listed(worker: Worker) -> bool:
    return any(project.since for project in worker.supervisor.ownership.projects.values())


async def test_a_malformed_key_file_that_is_mended_resumes_its_calendars(stage: Acted) -> None:
    await add_tenant(stage, "later", CLEO)
    file = folder(stage) / f"{CLEO}.json"
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    async with a_worker(stage):
        await until_parked(stage, CLEO)
        file.write_text(json.dumps({"type": "authorized_user"}))
        await until_row(stage, "SELECT max(failures) = 2 FROM syncer.calendar")
        file.unlink()
        await until_row(stage, "SELECT bool_or(reason LIKE '%is not there%') FROM syncer.calendar")
        file.write_text(whole)
        await until_read(stage, CLEO)


async def test_a_key_file_that_is_mended_while_no_worker_runs_counts_from_the_next_start(stage: Acted) -> None:
    await add_tenant(stage, "later", CLEO)
    file = folder(stage) / f"{CLEO}.json"
    whole = file.read_text()
    file.unlink()
    async with a_worker(stage):
        await until_parked(stage, CLEO)
    file.write_text(whole)
    async with another(stage):
        await until_read(stage, CLEO)


async def test_a_consent_that_was_lost_under_another_worker_resumes_when_it_is_given_again(stage: Acted) -> None:
    await stage.google.control("POST", f"users/{ANA}/revoke", {})
    async with a_worker(stage):
        await until_parked(stage, ANA)
    async with another(stage) as worker:
        await until(lambda: has_listed(worker))
        (folder(stage) / f"{ANA}.json").write_text(json.dumps(await grant(stage, ANA)))
        await until_read(stage, ANA)


async def test_a_consent_that_is_given_again_resumes_its_calendars_and_tries_no_others(stage: Acted) -> None:
    await stage.google.control("POST", f"users/{ANA}/revoke", {})
    await stage.google.control("POST", f"users/{BO}/revoke", {})
    async with a_worker(stage):
        await until_parked(stage, ANA)
        await until_parked(stage, BO)
        (folder(stage) / f"{ANA}.json").write_text(json.dumps(await grant(stage, ANA)))
        await until_read(stage, ANA)
        bos = await stage.tools.database.value("SELECT failures FROM syncer.calendar WHERE google_id = $1", BO)
    assert bos == 1
