"""Access lost, narrowed and given back, limits reached, providers that refuse: all is kept, told once, and resumes."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from syncer.model.errors import OperatorError
from syncer.simulator.serve import serving
from syncer.store import retries, tenants
from tests.simulator.google_stage import ANA, BO
from tests.sync.stage import GRACE, Acted, Booked, list_anew

SOON = timedelta(minutes=20)
LATER = timedelta(hours=6)
SERVICE = "service.json"


async def share(stage: Acted, role: str, *, calendar: str = ANA, user: str = ANA) -> None:
    """Gives a user this role on a calendar, or none."""
    await stage.google.control("PUT", f"calendars/{quote(calendar)}/acl", {"user": user, "role": role})


async def stand(stage: Acted, **standing: Any) -> None:
    """Ana's account is changed by her domain's administrator."""
    await stage.google.control("PUT", f"users/{ANA}", standing)


async def delegate(stage: Acted, *domains: str) -> None:
    """The domains that let the service account act for their users."""
    await stage.google.control("PUT", f"service-accounts/{key(stage)['client_email']}", {"domains": list(domains)})


async def consent(stage: Acted) -> None:
    """Ana consents again."""
    grant = await stage.google.control("POST", "users", {"email": ANA})
    folder(stage).joinpath(f"{ANA}.json").write_text(json.dumps(grant))


async def revoke(stage: Acted) -> None:
    """Ana takes her consent back."""
    await stage.google.control("POST", f"users/{ANA}/revoke", {})


def folder(stage: Acted) -> Any:
    assert stage.settings.credentials_folder is not None
    return stage.settings.credentials_folder


def key(stage: Acted) -> dict[str, str]:
    return dict(json.loads(folder(stage).joinpath(SERVICE).read_text()))


async def calendar(stage: Acted, google_id: str = ANA) -> Any:
    """Our row for a calendar."""
    return await stage.tools.database.first("SELECT * FROM syncer.calendar WHERE google_id = $1", google_id)


async def forget_tokens(stage: Acted) -> None:
    """An hour passes for access tokens, the people's too."""
    await stage.google.control("POST", "expire-access-tokens")
    stage.google.tokens.clear()


@pytest.fixture
async def delegated(stage: Acted) -> Acted:
    """The stage whose calendars are read by a service account in the name of their users."""
    made = await stage.google.control("POST", "service-accounts", {"domains": ["tenant-a.test"]})
    folder(stage).joinpath(SERVICE).write_text(json.dumps(made))
    await stage.tools.database.run(
        "UPDATE syncer.calendar SET credential = $1, "
        "subject = CASE WHEN google_id LIKE 'room%' THEN $2 ELSE google_id END",
        f"file:{SERVICE}",
        ANA,
    )
    await list_anew(stage.tools, stage.project)
    await stage.follow()
    return stage


@dataclass(frozen=True, slots=True)
class Loss:
    """How access is lost and comes back, and what the calendar's reason must say meanwhile."""

    breaks: Callable[[Acted], Awaitable[None]]
    mends: Callable[[Acted], Awaitable[None]]
    says: str


async def _suspend(stage: Acted) -> None:
    await stand(stage, state="suspended")


async def _rename(stage: Acted) -> None:
    await stand(stage, state="renamed")


async def _restore(stage: Acted) -> None:
    await stand(stage, state="active")


async def _withdraw(stage: Acted) -> None:
    await delegate(stage)
    await forget_tokens(stage)


async def _delegate_anew(stage: Acted) -> None:
    await delegate(stage, "tenant-a.test")


async def _spread_slowly(stage: Acted) -> None:
    await stand(stage, delegated_at=(stage.tools.clock() + timedelta(hours=5)).isoformat())
    await forget_tokens(stage)


async def _wait_for_it(stage: Acted) -> None:
    await stage.pass_time(LATER)


async def _shut_out(stage: Acted) -> None:
    await share(stage, "none")


async def _let_in(stage: Acted) -> None:
    await share(stage, "owner")


LOSSES = {
    "user suspended": Loss(_suspend, _restore, "restore the user"),
    "user renamed": Loss(_rename, _restore, "correct it, or restore the user"),
    "delegation withdrawn": Loss(_withdraw, _delegate_anew, "delegate to the service account's client id"),
    "delegation not yet spread": Loss(_spread_slowly, _wait_for_it, "up to 24 hours to spread"),
    "access to the calendar lost": Loss(_shut_out, _let_in, "404 notFound"),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_lost_access_keeps_all_and_resumes_when_it_is_mended(delegated: Acted, loss: Loss) -> None:
    stage = delegated
    booked = await stage.book()
    await stage.follow()
    await stage.edit(booked, summary="Renamed")
    before = await calendar(stage)
    await loss.breaks(stage)
    await _is_parked_with_all_kept(stage, booked, before, loss.says)
    await loss.mends(stage)
    stage.google.tokens.clear()
    await stage.follow()
    await stage.follow()
    after = await calendar(stage)
    assert (after["state"], after["reason"], after["failures"], after["next_look_at"]) == ("active", None, 0, None)
    assert (await stage.meeting(booked))["title"] == "Renamed"


async def test_a_revoked_consent_keeps_all_and_resumes_when_it_is_given_again(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    before = await calendar(stage)
    await revoke(stage)
    await _is_parked_with_all_kept(stage, booked, before, "let the user consent again")
    await consent(stage)
    await stage.follow()
    assert (await calendar(stage))["state"] == "active"
    assert (await stage.meeting(booked))["title"] == "Renamed"
    assert (
        await stage.tools.database.value("SELECT generation FROM syncer.calendar WHERE google_id = $1", ANA)
        == (before["generation"])
    )


async def _is_parked_with_all_kept(stage: Acted, booked: Booked, before: Any, says: str) -> None:
    await stage.follow()
    row = await calendar(stage)
    assert (row["state"], row["failures"]) == ("parked", 1)
    assert says in row["reason"]
    assert stage.tools.clock() < row["next_look_at"] < stage.tools.clock() + SOON
    assert (row["sync_token"], row["generation"]) == (before["sync_token"], before["generation"])
    assert (await stage.conference(booked))["state"] == "live"
    assert len(await stage.rows("link")) == 1
    assert (await stage.meeting(booked))["title"] == "Standup"


async def test_a_loss_is_waited_for_at_growing_distances(stage: Acted) -> None:
    await revoke(stage)
    distances = []
    for _ in range(6):
        await stage.follow()
        distances.append((await calendar(stage))["next_look_at"] - stage.tools.clock())
    assert distances[0] < SOON
    assert timedelta(hours=2) < distances[-1] < timedelta(hours=6)


async def test_one_lost_user_holds_up_no_other_calendar(stage: Acted) -> None:
    other = await stage.book(calendar=BO)
    await revoke(stage)
    await stage.follow()
    assert ((await calendar(stage))["state"], (await calendar(stage, BO))["state"]) == ("parked", "active")
    assert (await stage.meeting(other))["title"] == "Standup"


async def test_access_narrowed_to_free_and_busy_takes_nothing_away(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    await share(stage, "freeBusyReader")
    for _ in range(3):
        await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    row = await calendar(stage)
    assert (row["state"], row["sees_details"]) == ("active", False)
    assert ((await stage.conference(booked))["state"], len(await stage.rows("link"))) == ("live", 1)
    assert (await stage.meeting(booked))["state"] == "live"
    await share(stage, "owner")
    await stage.follow()
    await stage.follow()
    assert (await calendar(stage))["sees_details"] is True
    assert (await stage.meeting(booked))["title"] == "Renamed"


async def test_a_day_that_is_spent_is_waited_for(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    await stage.google.control("PUT", "quotas", {"limits": {"project_per_day": 1}})
    await stage.follow()
    row = await calendar(stage)
    assert row["state"] == "parked"
    assert "403 dailyLimitExceeded" in row["reason"] or "429 dailyLimitExceeded" in row["reason"]
    due = row["next_look_at"].astimezone(UTC)
    assert due.hour in (7, 8)
    assert due.minute <= 5
    assert due - stage.tools.clock() <= timedelta(hours=24)
    await stage.google.control("PUT", "quotas", {"limits": {"project_per_day": 1_000_000}})
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Renamed"


async def _new_passcode(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()


async def _shows(stage: Acted, booked: Booked) -> bool:
    return "Passcode: 777" in (await stage.event(booked)).get("description", "")


async def test_a_write_that_is_denied_is_told_once_and_done_when_it_is_allowed(stage: Acted, booked: Booked) -> None:
    await share(stage, "reader")
    await stage.follow()
    await stage.follow()
    await _new_passcode(stage, booked)
    tried = len(await stage.requests("PATCH"))
    row = await stage.conference(booked)
    assert (row["state"], row["wanted_version"] - row["applied_version"]) == ("live", 0)
    assert "403 requiredAccessLevel; share the calendar" in row["reason"]
    await stage.read_back()
    assert len(await stage.requests("PATCH")) == tried
    for _ in range(7):
        await stage.pass_time(LATER)
        await stage.read_back()
    assert len(await stage.requests("PATCH")) > tried
    assert (await stage.told()).count("write_back_refused") == 1
    await share(stage, "owner")
    await stage.follow()
    await stage.pass_time(LATER)
    await stage.read_back()
    assert await _shows(stage, booked)
    assert [row["write_backs"] for row in await stage.rows("link")] == [1]
    assert (await stage.conference(booked))["reason"] is None


async def test_a_users_use_limit_rests_the_users_writes_and_nothing_else(stage: Acted, booked: Booked) -> None:
    copy = await stage.duplicate(booked)
    await stage.follow()
    until = stage.tools.clock() + timedelta(hours=3)
    await stage.google.control("PUT", "quotas", {"use_limit_until": {ANA: until.isoformat()}})
    await _new_passcode(stage, booked)
    assert [row["status"] for row in await stage.requests("PATCH")] == [403]
    await stage.follow()
    assert (await calendar(stage))["state"] == "active"
    # It rests longer each time, so it may be some hours more.
    for _ in range(8):
        await stage.pass_time(timedelta(hours=1))
        await stage.read_back()
    assert await _shows(stage, booked)
    assert await _shows(stage, copy)
    assert [row["write_backs"] for row in await stage.rows("link")] == [1, 1]


# The provider.


@dataclass(slots=True)
class Refusing:
    """A vendor who refuses every call, and keeps what was asked."""

    kinds: list[str] = field(default_factory=list)
    status: int = 422

    async def answer(self, request: web.Request) -> web.Response:
        self.kinds.append((await request.json())["type"])
        return web.json_response({"title": "Locked", "detail": "the meeting is locked"}, status=self.status)

    def updates(self) -> int:
        return self.kinds.count("conference.updated")


@asynccontextmanager
async def refused(stage: Acted) -> AsyncIterator[Refusing]:
    """Another vendor answers for the account, until the end of the block."""
    vendor, application = Refusing(), web.Application()
    application.router.add_post("/", vendor.answer)
    async with serving(application) as root:
        await _move_account(stage, root)
        yield vendor
    await _move_account(stage, stage.vendor.account["webhook_url"])


async def _move_account(stage: Acted, url: str) -> None:
    settings = json.dumps({"url": url})
    await stage.tools.database.run("UPDATE syncer.provider_account SET settings = $1::text::jsonb", settings)
    await list_anew(stage.tools, stage.project)


async def test_a_refused_change_is_told_once_and_repeated_when_a_person_says_so(stage: Acted, booked: Booked) -> None:
    async with refused(stage) as vendor:
        await stage.edit(booked, summary="Renamed")
        await stage.follow()
        for _ in range(3):
            await stage.pass_time(LATER)
            await stage.follow()
            await stage.read_back()
        assert vendor.updates() == 1
        assert (await stage.told()).count("rejected") == 1
        assert (await stage.conference(booked))["reason"] == "Locked: the meeting is locked"
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Standup"
    assert await retries.retry(stage.tools.database, "acme", booked.meeting_id) == retries.Retried(1, 0)
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Renamed"


async def test_a_refusal_is_told_with_the_vendors_code(stage: Acted, booked: Booked) -> None:
    said = "Unprocessable Entity: The meeting is locked by its owner."
    await stage.vendor.set_faults(next={"refused": 2})
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    row = await stage.conference(booked)
    assert (row["state"], row["reason"]) == ("live", f"{said} [meeting-locked]")
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    row = await stage.conference(booked)
    assert (row["state"], row["reason"]) == ("held", f"{said} [meeting-locked]")
    told = [json.loads(row["detail"]) for row in await stage.rows("history") if row["kind"] == "rejected"]
    assert [(one["reason"], one["code"]) for one in told] == [(said, "meeting-locked")] * 2


async def test_a_refused_change_is_tried_again_when_its_event_changes(stage: Acted, booked: Booked) -> None:
    async with refused(stage) as vendor:
        for title in ("Renamed", "Renamed again"):
            await stage.edit(booked, summary=title)
            await stage.follow()
        assert vendor.updates() == 2
        assert (await stage.told()).count("rejected") == 1


async def test_a_refused_deletion_waits_for_a_person_and_not_for_a_release(stage: Acted, booked: Booked) -> None:
    async with refused(stage):
        await stage.delete(booked)
        await stage.follow()
        await stage.pass_time(GRACE * 2)
        await stage.follow()
        row = await stage.conference(booked)
        assert (row["state"], row["was_released"], row["reason"]) == ("held", True, "Locked: the meeting is locked")
        assert await tenants.release(stage.tools.database, "acme", ANA) == 0
    assert await retries.retry(stage.tools.database, "acme") == retries.Retried(1, 0)
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "deleted"


async def test_a_retry_lets_nothing_through_that_the_guard_holds(stage: Acted, booked: Booked) -> None:
    await stage.tools.database.run("UPDATE syncer.conference SET state = 'held', applied_version = wanted_version")
    for meeting_id in (booked.meeting_id, None):
        assert await retries.retry(stage.tools.database, "acme", meeting_id) in (
            retries.Retried(0, 1),
            retries.Retried(0, 0),
        )
    assert (await stage.conference(booked))["state"] == "held"


async def _fail_for_a_day(stage: Acted, booked: Booked) -> None:
    """The provider fails once more, after it has failed for a day."""
    await stage.vendor.set_faults(chance={"server_error": 1.0})
    await stage.edit(booked, summary="Renamed")
    await stage.look(*stage.ids)
    await stage.tools.database.run("UPDATE syncer.conference SET failures = 399")
    await stage.push()


async def test_a_push_that_fails_for_a_day_is_held_and_told_once(stage: Acted, booked: Booked) -> None:
    await _fail_for_a_day(stage, booked)
    row = await stage.conference(booked)
    assert (row["state"], row["is_in_doubt"], row["applied_version"]) == ("live", False, row["wanted_version"])
    assert row["reason"].startswith("held after 400 failures in a row, updating the meeting: ")
    before = len(await stage.calls("update"))
    await stage.pass_time(timedelta(hours=1))
    await stage.follow()
    assert len(await stage.calls("update")) == before
    await stage.edit(booked, summary="Renamed again")
    await stage.follow()
    assert len(await stage.calls("update")) == before + 1
    assert (await stage.told()).count("gave_up") == 1


async def test_a_held_push_is_done_when_its_provider_answers_again(stage: Acted, booked: Booked) -> None:
    await _fail_for_a_day(stage, booked)
    await stage.vendor.set_faults(chance={})
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Standup"
    await stage.pass_time(LATER)
    await stage.read_back()
    row = await stage.conference(booked)
    assert (await stage.meeting(booked))["title"] == "Renamed"
    assert (row["failures"], row["reason"], row["next_try_at"]) == (0, None, None)


async def test_a_held_push_is_done_when_a_person_says_so(stage: Acted, booked: Booked) -> None:
    await _fail_for_a_day(stage, booked)
    await stage.vendor.set_faults(chance={})
    assert (await retries.retry(stage.tools.database, "acme")).retried == 1
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Renamed"
    assert "retried" in await stage.told()


async def test_a_deletion_that_fails_for_a_day_is_held_and_done_when_a_person_says_so(
    stage: Acted, booked: Booked
) -> None:
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.look(*stage.ids)
    await stage.vendor.set_faults(chance={"server_error": 1.0})
    await stage.tools.database.run("UPDATE syncer.conference SET failures = 399")
    await stage.push()
    row = await stage.conference(booked)
    assert (row["state"], row["was_released"]) == ("held", True)
    assert row["reason"].startswith("held after 400 failures in a row, deleting the meeting: ")
    await stage.vendor.set_faults(chance={})
    assert (await retries.retry(stage.tools.database, "acme", booked.meeting_id)).retried == 1
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "deleted"


async def test_a_retry_names_what_there_is_not(stage: Acted) -> None:
    for tenant, meeting_id in (("acmee", None), ("acme", "1")):
        with pytest.raises(OperatorError, match=r"There is no tenant|has no conference"):
            await retries.retry(stage.tools.database, tenant, meeting_id)
