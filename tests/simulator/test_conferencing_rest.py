"""The conferencing simulator's REST and control faces, as the vendor's own users and the demo see them."""

from typing import Any

import pytest

from tests.simulator.vendors import WANTED, a_vendor


async def test_a_new_meeting_has_an_id_and_a_way_in() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting(external_key="event-1")
        assert meeting["id"].isdigit()
        assert len(meeting["id"]) in {10, 11}
        assert f"/j/{meeting['id']}?pwd=" in meeting["join_url"]
        assert (meeting["state"], meeting["revision"], meeting["external_key"]) == ("live", 0, "event-1")
        assert WANTED.items() <= meeting.items()
        assert await vendor.meeting(meeting["id"]) == meeting


async def test_an_idempotency_key_makes_one_meeting() -> None:
    async with a_vendor() as vendor:
        key = {"Idempotency-Key": "k1"}
        replies = [await vendor.rest("POST", "meetings", json=WANTED, headers=key) for _ in range(2)]
        other = await vendor.rest("POST", "meetings", json=WANTED | {"title": "Other"}, headers=key)
        meetings = (await vendor.rest("GET", "meetings")).json["meetings"]
        assert replies[0].body == replies[1].body
        assert (other.status, len(meetings)) == (422, 1)


async def test_lists_come_in_pages_and_by_state_and_key() -> None:
    async with a_vendor() as vendor:
        made = [await vendor.new_meeting(external_key=f"event-{n}") for n in range(5)]
        await vendor.rest("DELETE", f"meetings/{made[0]['id']}")
        seen: list[str] = []
        after: str | None = "0"
        while after is not None:
            page = (await vendor.rest("GET", f"meetings?limit=2&after={after}")).json
            seen += [meeting["id"] for meeting in page["meetings"]]
            after = page["next"]
        live = (await vendor.rest("GET", "meetings?state=live")).json["meetings"]
        by_key = (await vendor.rest("GET", "meetings?external_key=event-3")).json["meetings"]
        assert seen == [meeting["id"] for meeting in made]
        assert live == made[1:]
        assert by_key == [made[3]]


async def test_a_passcode_change_keeps_the_join_url_unless_asked() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        path = f"meetings/{meeting['id']}"
        kept = (await vendor.rest("PATCH", path, json={"passcode": "902144"})).json
        made_new = (await vendor.rest("PATCH", path, json={"passcode": "1", "new_join_url": True})).json
        assert (kept["passcode"], kept["join_url"]) == ("902144", meeting["join_url"])
        assert made_new["join_url"] != meeting["join_url"]
        assert made_new["join_url"].startswith(meeting["join_url"].split("?")[0])


async def test_a_change_of_title_and_times_leaves_the_revision() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        change = {"title": "Ours", "all_day": True, "start": "2026-12-05", "end": "2026-12-06"}
        changed = (await vendor.rest("PATCH", f"meetings/{meeting['id']}", json=change)).json
        assert change.items() <= changed.items()
        assert changed["revision"] == 0


async def test_a_deleted_meeting_is_shown_but_no_longer_changed() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        path = f"meetings/{meeting['id']}"
        statuses = [(await vendor.rest(method, path, json={})).status for method in ("DELETE", "DELETE", "PATCH")]
        assert statuses == [204, 404, 404]
        assert (await vendor.meeting(meeting["id"]))["state"] == "deleted"


@pytest.mark.parametrize("header", ["", "Bearer nobody", "Basic abc"])
async def test_without_a_token_nothing_is_shown(header: str) -> None:
    async with a_vendor() as vendor:
        reply = await vendor.ask("GET", "v1/meetings", headers={"Authorization": header})
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_an_account_does_not_see_the_meetings_of_another() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        other = (await vendor.ask("POST", "simulator/accounts", json={"slug": "other"})).json
        headers = {"Authorization": f"Bearer {other['api_token']}"}
        reply = await vendor.ask("GET", f"v1/meetings/{meeting['id']}", headers=headers)
        assert reply.status == 404


BAD_REQUESTS: dict[str, tuple[str, str, Any]] = {
    "no title": ("POST", "v1/meetings", {"start": WANTED["start"], "end": WANTED["end"]}),
    "a wrong start": ("POST", "v1/meetings", WANTED | {"start": "soon"}),
    "an unknown field": ("POST", "v1/meetings", WANTED | {"colour": "red"}),
    "a key that is no text": ("POST", "v1/meetings", WANTED | {"external_key": 7}),
    "no object": ("POST", "v1/meetings", []),
    "too large a page": ("GET", "v1/meetings?limit=9999", None),
    "a page that is no number": ("GET", "v1/meetings?after=x", None),
    "an unknown meeting": ("GET", "v1/meetings/1", None),
    "an unknown path": ("GET", "v2/meetings", None),
    "a wrong method": ("PUT", "v1/meetings", None),
    "a wrong slug": ("POST", "simulator/accounts", {"slug": "A b"}),
    "a diary number": ("GET", "simulator/diary?after=-1", None),
    "an unknown fault": ("PUT", "simulator/faults", {"next": {"earthquake": 1}}),
    "too much chance": ("PUT", "simulator/faults", {"chance": {"slow": 0.6, "too_many": 0.6}}),
    "a negative delay": ("PUT", "simulator/faults", {"slow_seconds": -1}),
}


@pytest.mark.parametrize(("method", "path", "content"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
async def test_a_bad_request_is_a_problem(method: str, path: str, content: Any) -> None:
    async with a_vendor() as vendor:
        headers = {"Authorization": f"Bearer {vendor.account['api_token']}"}
        reply = await vendor.ask(method, path, json=content, headers=headers)
        assert 400 <= reply.status < 500
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert {"title", "detail", "status", "type"} <= reply.json.keys()


async def test_a_wrong_passcode_changes_nothing() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        change = {"title": "Half", "passcode": "much too long a passcode"}
        reply = await vendor.rest("PATCH", f"meetings/{meeting['id']}", json=change)
        assert reply.status == 422
        assert await vendor.meeting(meeting["id"]) == meeting


async def test_an_account_opened_again_is_the_same() -> None:
    async with a_vendor() as vendor:
        again = await vendor.ask("POST", "simulator/accounts", json={"slug": "acme"})
        assert (again.status, again.json) == (200, vendor.account)
        assert vendor.account["webhook_url"] == f"{vendor.root}accounts/acme/hooks/calendar"
        assert vendor.account["webhook_secret"].startswith("whsec_")


async def test_the_same_seed_gives_the_same_ids_and_passcodes() -> None:
    async with a_vendor(seed=7) as one, a_vendor(seed=7) as two, a_vendor(seed=8) as three:
        meetings = [await vendor.new_meeting() for vendor in (one, two, three)]
        ids = [(meeting["id"], meeting["passcode"], meeting["join_url"]) for meeting in meetings]
        assert ids[0] == ids[1] != ids[2]


async def test_a_part_of_the_faults_that_is_left_out_stays() -> None:
    async with a_vendor() as vendor:
        await vendor.set_faults(chance={"slow": 0.25}, slow_seconds=0.2)
        await vendor.set_faults(next={"too_many": 2})
        faults = (await vendor.ask("GET", "simulator/faults")).json
        assert (faults["chance"], faults["next"]) == ({"slow": 0.25}, {"too_many": 2})
        assert faults["slow_seconds"] == 0.2
