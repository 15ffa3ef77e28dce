"""The conferencing simulator's webhook face keeps the published contract."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ServerDisconnectedError

from syncer.simulator.conferencing.wire import BODY_LIMIT_BYTES
from tests.simulator.vendors import WANTED, Reply, Vendor, a_vendor, check, deleted, read, sign, updated


async def _checked(vendor: Vendor, content: dict[str, Any], webhook_id: str) -> Reply:
    """The reply to a call; both are checked against the published schema."""
    check(content, "request")
    reply = await vendor.call(content, webhook_id=webhook_id)
    check(reply.json, "answer" if reply.status == 200 else "problem")
    return reply


async def test_an_update_makes_the_meeting_as_wanted() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        reply = await _checked(vendor, updated(meeting["id"], revision=3, title="Moved"), "a")
        after = await vendor.meeting(meeting["id"])
        assert reply.json["status"] == "applied"
        assert reply.json["conference"]["holds"] == WANTED | {"title": "Moved"}
        assert reply.json["conference"]["join_url"] == meeting["join_url"]
        assert (after["title"], after["revision"]) == ("Moved", 3)


async def test_the_same_instants_written_otherwise_are_unchanged() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        same = updated(meeting["id"], revision=1, start="2026-12-01T14:00:00Z", end="2026-12-01T09:45:00-05:00")
        reply = await _checked(vendor, same, "a")
        assert (reply.json["status"], reply.json["conference"]["revision"]) == ("unchanged", 1)
        assert (await vendor.diary())[-1]["applied"] is False


async def test_an_older_revision_changes_nothing() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await _checked(vendor, updated(meeting["id"], revision=5, title="New"), "a")
        late = await _checked(vendor, updated(meeting["id"], revision=4, title="Old"), "b")
        late_deletion = await _checked(vendor, deleted(meeting["id"], revision=4), "c")
        assert (late.json["status"], late.json["conference"]["revision"]) == ("stale", 5)
        assert late_deletion.json["status"] == "stale"
        assert (await vendor.meeting(meeting["id"]))["title"] == "New"


async def test_an_equal_revision_under_another_id_is_carried_out() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await _checked(vendor, updated(meeting["id"], revision=5, title="New"), "a")
        again = await _checked(vendor, updated(meeting["id"], revision=5, title="Newer"), "b")
        assert again.json["status"] == "applied"


async def test_a_deleted_meeting_is_not_found() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        first = await _checked(vendor, deleted(meeting["id"], revision=1), "a")
        later = [
            await _checked(vendor, deleted(meeting["id"], revision=2), "b"),
            await _checked(vendor, updated(meeting["id"], revision=3), "c"),
            await _checked(vendor, read(meeting["id"]), "d"),
        ]
        assert first.json["status"] == "applied"
        assert [reply.json for reply in later] == [{"status": "not_found"}] * 3
        assert (await vendor.meeting(meeting["id"]))["state"] == "deleted"


async def test_an_unknown_meeting_is_not_found() -> None:
    async with a_vendor() as vendor:
        reply = await _checked(vendor, updated("1234567890", revision=1), "a")
        assert (reply.status, reply.json) == (200, {"status": "not_found"})


async def test_a_read_shows_what_the_vendors_own_user_changed() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await vendor.rest("PATCH", f"meetings/{meeting['id']}", json={"passcode": "902144"})
        reply = await _checked(vendor, read(meeting["id"]), "a")
        assert (reply.json["status"], reply.json["conference"]["passcode"]) == ("unchanged", "902144")


async def test_the_same_id_gets_the_same_answer_and_nothing_twice() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        call = updated(meeting["id"], revision=1, title="Once")
        first = await _checked(vendor, call, "a")
        await vendor.rest("PATCH", f"meetings/{meeting['id']}", json={"title": "Changed since"})
        again = await _checked(vendor, call | {"timestamp": "2026-12-01T09:05:00Z"}, "a")
        entry = (await vendor.diary())[-1]
        assert again.body == first.body
        assert (entry["repeated"], entry["applied"]) == (True, False)
        assert (await vendor.meeting(meeting["id"]))["title"] == "Changed since"


async def test_an_id_used_for_another_call_is_refused() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await _checked(vendor, updated(meeting["id"], revision=1, title="One"), "a")
        other = await _checked(vendor, updated(meeting["id"], revision=2, title="Two"), "a")
        assert other.status == 422
        assert (await vendor.meeting(meeting["id"]))["title"] == "One"


async def test_one_id_at_once_is_carried_out_once() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await vendor.set_faults(next={"slow": 5}, slow_seconds=0.05)
        call = updated(meeting["id"], revision=1, title="Once")
        replies = await asyncio.gather(*(vendor.call(call, webhook_id="a") for _ in range(5)))
        assert len({reply.body for reply in replies}) == 1
        calls = [entry for entry in await vendor.diary() if entry["face"] == "webhook"]
        assert sum(entry["applied"] for entry in calls) == 1


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"webhook-signature": "v1,AAAA"}, id="another signature"),
        pytest.param({"webhook-signature": "no comma"}, id="no list of signatures"),
        pytest.param({"webhook-signature": "v1,a,b"}, id="too many commas"),
        pytest.param({"webhook-signature": "v1,A"}, id="no base64"),
        pytest.param({"webhook-signature": ""}, id="an empty signature"),
        pytest.param({"webhook-id": "b"}, id="another id"),
        pytest.param({"webhook-timestamp": "1"}, id="an old time"),
        pytest.param({"webhook-timestamp": "noon"}, id="no time"),
        pytest.param({"webhook-timestamp": "nan"}, id="not a number"),
    ],
)
async def test_a_call_with_a_wrong_signature_is_refused(headers: dict[str, str]) -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        reply = await vendor.call(deleted(meeting["id"], revision=1), webhook_id="a", **headers)
        check(reply.json, "problem")
        assert reply.status == 401
        assert (await vendor.meeting(meeting["id"]))["state"] == "live"
        assert (await vendor.diary())[-2]["status"] == 401


async def test_one_right_signature_of_several_is_enough() -> None:
    async with a_vendor() as vendor:
        body = b'{"type":"conference.read"}'
        headers = sign(vendor.account["webhook_secret"], "a", body)
        headers["webhook-signature"] = "v1,AAAA v1a,BBBB " + headers["webhook-signature"]
        reply = await vendor.ask("POST", "accounts/acme/hooks/calendar", data=body, headers=headers)
        assert reply.status == 422


async def test_the_exact_bytes_are_what_is_signed() -> None:
    async with a_vendor() as vendor:
        headers = sign(vendor.account["webhook_secret"], "a", b'{"type":"conference.read"}')
        respelt = b'{"type": "conference.read"}'
        reply = await vendor.ask("POST", "accounts/acme/hooks/calendar", data=respelt, headers=headers)
        assert reply.status == 401


BAD_CALLS = {
    "no JSON": b"{",
    "no object": b"[]",
    "a lone surrogate": b'{"type":"\\ud800"}',
    "no type": b"{}",
    "an unknown type": b'{"type":"conference.ended"}',
    "deep nesting": b"[" * 100_000,
}
BAD_WANTED = {
    "a number as title": {"title": 5},
    "a time without offset": {"start": "2026-12-01T15:00:00"},
    "a date in a timed meeting": {"start": "2026-12-01"},
    "a time in an all-day meeting": {"all_day": True},
    "an end before the start": {"end": "2026-12-01T14:00:00+01:00"},
    "an unknown zone": {"timezone": "Mars/Olympus"},
    "a zone with NUL": {"timezone": "Europe/\x00"},
    "a path as zone": {"timezone": "../../etc/passwd"},
    "the year 1": {"start": "0001-01-01T00:00:00+14:00"},
    "less than nobody": {"attendee_count": -1},
    "a field of its own": {"colour": "red"},
}


@pytest.mark.parametrize("body", BAD_CALLS.values(), ids=BAD_CALLS)
async def test_a_signed_call_that_cannot_be_read_is_a_problem(body: bytes) -> None:
    async with a_vendor() as vendor:
        headers = sign(vendor.account["webhook_secret"], "a", body)
        reply = await vendor.ask("POST", "accounts/acme/hooks/calendar", data=body, headers=headers)
        check(reply.json, "problem")
        assert 400 <= reply.status < 500
        assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("wanted", BAD_WANTED.values(), ids=BAD_WANTED)
async def test_a_wrong_field_is_refused_and_not_remembered(wanted: dict[str, Any]) -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        refused = await vendor.call(updated(meeting["id"], revision=1, **wanted), webhook_id="a")
        carried_out = await vendor.call(updated(meeting["id"], revision=1, title="Right"), webhook_id="a")
        check(refused.json, "problem")
        assert (refused.status, carried_out.json["status"]) == (422, "applied")


async def test_a_body_beyond_the_limit_is_a_problem() -> None:
    async with a_vendor() as vendor:
        body = BytesIO(b"x" * (BODY_LIMIT_BYTES + 1))
        reply = await vendor.ask("POST", "accounts/acme/hooks/calendar", data=body)
        check(reply.json, "problem")
        assert reply.status == 413


async def test_an_unknown_account_is_a_problem() -> None:
    async with a_vendor() as vendor:
        reply = await vendor.ask("POST", "accounts/nobody/hooks/calendar", data=b"{}")
        check(reply.json, "problem")
        assert reply.status == 404


async def test_a_server_error_does_nothing_and_is_not_remembered() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await vendor.set_faults(next={"server_error": 1})
        call = updated(meeting["id"], revision=1, title="Again")
        failed = await vendor.call(call, webhook_id="a")
        untouched = await vendor.meeting(meeting["id"])
        again = await _checked(vendor, call, "a")
        assert failed.status in {500, 502, 503}
        assert untouched == meeting
        assert again.json["status"] == "applied"
        assert (await vendor.happened())["server_error"] == 1


async def test_too_many_says_when_to_come_back_and_does_nothing() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await vendor.set_faults(next={"too_many": 1})
        call = updated(meeting["id"], revision=1, title="Again")
        failed = await _checked(vendor, call, "a")
        assert (failed.status, failed.headers["Retry-After"]) == (429, "1")
        assert await vendor.meeting(meeting["id"]) == meeting
        assert (await _checked(vendor, call, "a")).json["status"] == "applied"


async def test_a_lost_answer_is_given_when_asked_again() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await vendor.set_faults(next={"lost_answer": 1})
        call = updated(meeting["id"], revision=1, title="Done")
        with pytest.raises(ServerDisconnectedError):
            await vendor.call(call, webhook_id="a")
        done = await vendor.meeting(meeting["id"])
        again = await _checked(vendor, call, "a")
        lost = next(entry for entry in await vendor.diary() if entry["face"] == "webhook")
        assert (done["title"], again.json["status"]) == ("Done", "applied")
        assert (lost["status"], lost["applied"], lost["holds"]["title"]) == (None, True, "Done")


async def test_a_slow_answer_comes_after_its_delay() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await vendor.set_faults(next={"slow": 1}, slow_seconds=0.1)
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        reply = await _checked(vendor, read(meeting["id"]), "a")
        assert reply.json["status"] == "unchanged"
        assert loop.time() - asked_at >= 0.1


async def test_faults_by_chance_strike_the_webhook_face_only() -> None:
    async with a_vendor() as vendor:
        await vendor.set_faults(chance={"too_many": 1.0})
        meeting = await vendor.new_meeting()
        reply = await vendor.call(read(meeting["id"]), webhook_id="a")
        assert reply.status == 429
        assert (await vendor.happened())["too_many"] == 1


async def test_the_diary_tells_what_a_call_made_of_the_meeting() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        await _checked(vendor, updated(meeting["id"], revision=7, title="Moved"), "a")
        await _checked(vendor, deleted(meeting["id"], revision=8), "b")
        created, changed, gone = await vendor.diary()
        assert [entry["n"] for entry in (created, changed, gone)] == [1, 2, 3]
        assert (created["face"], created["action"], created["applied"]) == ("rest", "create", True)
        assert (changed["action"], changed["revision"], changed["holds"]["title"]) == ("update", 7, "Moved")
        assert (gone["action"], gone["holds"], gone["account"]) == ("delete", None, "acme")
        assert created["monotonic_ms"] <= changed["monotonic_ms"] <= gone["monotonic_ms"]
        assert (await vendor.ask("GET", "simulator/diary?after=2")).json["entries"] == [gone]
