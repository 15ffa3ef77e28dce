"""What a vendor registers is kept once it is answered, served at once, leaks no meeting, and is its tenant's alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError
from yarl import URL

from syncer import app
from syncer.clients.google.credential import GOOGLE_TOKEN_URI
from syncer.run.rates import Rates
from syncer.run.receiver import Receiver
from syncer.run.registration import CALENDARS, CONFERENCES, DESCRIPTION, Registration, Sealing
from syncer.store import api_keys, retries, ring
from syncer.store.database import Database
from syncer.store.ring import Keys
from syncer.sync import lapses, push
from syncer.sync.push import Push
from tests.run.told import ANYWHERE, RARELY
from tests.run.worker import SECONDS, a_worker, leave, until_row, until_titled
from tests.simulator.google_stage import ANA, BO, CLEO, events
from tests.simulator.vendors import Reply
from tests.sync.stage import GRACE, TIMES, Acted, Booked, a_project

DESCRIBED: dict[str, Any] = json.loads(resources.files("syncer.run").joinpath("openapi.json").read_bytes())
PROVISIONAL = "SELECT count(*) FROM syncer.registration"
DANA = "dana@tenant-a.test"


def check(content: Any, name: str) -> None:
    """The content is as the description says of this schema."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DESCRIBED["components"]}
    Draft202012Validator(schema).validate(content)


@dataclass(frozen=True)
class Backend:
    """A vendor's backend with a key. root: of the receiver."""

    root: str
    session: aiohttp.ClientSession
    key: str

    async def ask(self, method: str, path: str, **more: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.key}"} | more.pop("headers", {})
        url = URL(self.root + path, encoded=True)
        async with self.session.request(method, url, headers=headers, **more) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def calendar(self, google_id: str, **more: Any) -> Reply:
        """Registers a calendar; what is sent and what comes back is as described."""
        content = {"calendar": google_id, **more}
        check(content, "NewCalendar")
        reply = await self.ask("POST", CALENDARS, json=content)
        check(reply.json, "Calendar" if reply.status < 300 else "Problem")
        return reply

    async def conference(self, meeting_id: str, event_id: str | None, google_id: str = ANA, **more: Any) -> Reply:
        """Registers a conference; what is sent and what comes back is as described."""
        content = {"calendar": google_id, "conference": {"id": meeting_id}, "event_id": event_id, **more}
        check(content, "NewConference")
        reply = await self.ask("POST", CONFERENCES, json=content)
        check(reply.json, "Conference" if reply.status < 300 else "Problem")
        return reply

    async def changed(self, google_id: str) -> Reply:
        """Tells that a calendar changed."""
        return await self.ask("POST", f"{CALENDARS}/{quote(google_id, safe='')}/changed")

    async def refused(self, body: Any, path: str = CALENDARS) -> tuple[int, str, str | None]:
        """Status, sentence and place of a refusal."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = await self.ask("POST", path, data=data)
        check(reply.json, "Problem")
        assert reply.headers["Content-Type"] == "application/problem+json"
        return reply.status, reply.json["detail"], reply.json.get("pointer")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as made:
        yield made


@pytest.fixture
def keys(tmp_path: Path, stage: Acted) -> Keys:
    """A key ring of one key."""
    path = tmp_path / "ring.json"
    ring.write(path, ring.new("a ring", stage.tools.clock()))
    return Keys(path)


@pytest.fixture
async def backend(stage: Acted, session: aiohttp.ClientSession, keys: Keys) -> AsyncIterator[Backend]:
    """The backend of tenant acme."""
    made = await api_keys.add(stage.tools.database, "acme", "backend")
    receiver = Receiver(stage.tools, Sealing(keys, (GOOGLE_TOKEN_URI, *stage.settings.token_uris)))
    async with receiver.listening(ANYWHERE) as address:
        yield Backend(f"http://{address}", session, made.text)


async def a_key(stage: Acted, tenant: str = "other") -> str:
    """A key of another tenant of the same provider account."""
    await stage.tools.database.run(
        "INSERT INTO syncer.tenant (slug, project_id, account_id, credential) "
        "SELECT $1, project_id, account_id, credential FROM syncer.tenant WHERE slug = 'acme'",
        tenant,
    )
    return (await api_keys.add(stage.tools.database, tenant, "backend")).text


async def a_grant(stage: Acted, email: str) -> dict[str, str]:
    """A user's consent, as the vendor's OAuth client got it."""
    user = await stage.google.control("POST", "users", {"email": email})
    return {name: user[name] for name in ("client_id", "client_secret", "refresh_token", "token_uri")}


async def served(stage: Acted) -> None:
    """The stage's own worker serves again."""
    stage.project = await a_project(stage.tools)


async def test_a_registered_calendar_is_read_at_once_with_its_users_own_grant(
    stage: Acted, backend: Backend, keys: Keys
) -> None:
    booked = await stage.book(calendar=CLEO)
    settings = stage.settings.model_copy(update={"key_ring": keys.path})
    async with app.tools_over(settings, stage.tools.database) as tools:
        stage.tools = tools
        # No look by the clock and no listing by the clock comes in time.
        async with a_worker(stage, cycle_seconds=RARELY, relist_seconds=RARELY, lease_seconds=RARELY * 3):
            await until_row(stage, "SELECT owner IS NOT NULL FROM syncer.lease")
            reply = await backend.calendar(CLEO, grant=await a_grant(stage, CLEO))
            assert (reply.status, reply.json) == (201, {"calendar": CLEO, "state": "active", "is_new": True})
            await until_titled(stage, booked, "Standup")


async def test_registering_a_calendar_again_changes_nothing(stage: Acted, backend: Backend) -> None:
    replies = [await backend.calendar(DANA, subject=DANA), await backend.calendar(DANA), await backend.calendar(DANA)]
    assert [(reply.status, reply.json["is_new"]) for reply in replies] == [(201, True), (200, False), (200, False)]
    rows = [row for row in await stage.rows("calendar") if row["google_id"] == DANA]
    assert [(row["subject"], row["credential"]) for row in rows] == [(DANA, None)]


async def test_a_users_grant_is_sealed_and_serves_the_calendar(stage: Acted, backend: Backend, keys: Keys) -> None:
    grant = await a_grant(stage, CLEO)
    assert (await backend.calendar(CLEO, grant=grant)).status == 201
    (row,) = [row for row in await stage.rows("calendar") if row["google_id"] == CLEO]
    assert (row["credential"].startswith("sealed:calendar-"), row["subject"]) == (True, None)
    sealed = [bytes(row["sealed"]) for row in await stage.rows("grant")]
    assert len(sealed) == 1
    assert grant["refresh_token"].encode() not in sealed[0]
    opened = json.loads(await opened_grant(stage, keys))
    assert (opened["type"], opened["refresh_token"]) == ("authorized_user", grant["refresh_token"])


async def opened_grant(stage: Acted, keys: Keys) -> str:
    """The one grant that there is, opened."""
    from syncer.store.vault import Vault

    (row,) = await stage.rows("grant")
    return await Vault(stage.tools.database, keys).read(f"sealed:tenant/{row['tenant_id']}/{row['name']}")


async def test_without_a_key_ring_a_grant_is_refused_and_nothing_is_written(
    stage: Acted, session: aiohttp.ClientSession
) -> None:
    made = await api_keys.add(stage.tools.database, "acme", "backend")
    before = len(await stage.rows("calendar"))
    async with Receiver(stage.tools).listening(ANYWHERE) as address:
        backend = Backend(f"http://{address}", session, made.text)
        reply = await backend.calendar(
            DANA, grant={"client_id": "c", "client_secret": "canary-s", "refresh_token": "canary-r"}
        )
    assert (reply.status, reply.json["pointer"]) == (422, "/grant")
    assert "SYNCER_KEY_RING" in reply.json["detail"]
    assert "canary" not in reply.body.decode()
    assert len(await stage.rows("calendar")) == before


async def test_a_parked_calendar_is_tried_again_with_a_new_grant(stage: Acted, backend: Backend) -> None:
    await stage.tools.database.run(
        "UPDATE syncer.calendar SET state = 'parked', failures = 3, next_look_at = now() + interval '1 day' "
        "WHERE google_id = $1",
        ANA,
    )
    assert (await backend.calendar(ANA)).json["state"] == "active"
    (row,) = [row for row in await stage.rows("calendar") if row["google_id"] == ANA]
    assert (row["state"], row["failures"], row["next_look_at"]) == ("active", 0, None)


async def test_a_calendar_that_the_operator_paused_stays_paused(stage: Acted, backend: Backend) -> None:
    await stage.tools.database.run("UPDATE syncer.calendar SET state = 'paused' WHERE google_id = $1", ANA)
    assert (await backend.calendar(ANA)).json["state"] == "paused"


async def test_a_conference_is_known_before_google_lists_its_event(stage: Acted, backend: Backend) -> None:
    await served(stage)
    meeting = await stage.vendor.new_meeting()
    reply = await backend.conference(meeting["id"], "ev1")
    assert (reply.status, reply.json["state"], reply.json["is_new"]) == (201, "live", True)
    await stage.follow()
    assert await stage.outside() == 0
    event_id = await stage.insert(meeting, id="abcde12345", summary="Adopted")
    await stage.follow()
    booked = Booked(ANA, event_id, meeting["id"])
    assert (await stage.meeting(booked))["title"] == "Adopted"


async def test_an_event_created_and_deleted_between_two_looks_does_not_leak_its_meeting(
    stage: Acted, backend: Backend
) -> None:
    await served(stage)
    booked = await stage.book()
    await backend.conference(booked.meeting_id, booked.event_id)
    await stage.delete(booked)
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "leaving"
    await stage.pass_time(GRACE + timedelta(minutes=1))
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"
    assert await stage.tools.database.value(PROVISIONAL) == 0


async def test_a_meeting_whose_event_never_came_goes_when_its_time_is_up(stage: Acted, backend: Backend) -> None:
    await served(stage)
    meeting = await stage.vendor.new_meeting()
    await backend.conference(meeting["id"], "never00saved", expires_in_seconds=3600)
    booked = Booked(ANA, "never00saved", meeting["id"])
    await lapsed(stage, timedelta(minutes=59))
    assert (await stage.conference(booked))["state"] == "live"
    await lapsed(stage, timedelta(minutes=2))
    assert (await stage.conference(booked))["state"] == "leaving"
    await stage.pass_time(GRACE + timedelta(minutes=1))
    await stage.follow()  # every calendar of the tenant is looked at before it goes
    await stage.pass_time(timedelta(minutes=10))
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"


async def lapsed(stage: Acted, span: timedelta) -> None:
    """Time passes, and what is due by then is settled and pushed."""
    await stage.pass_time(span)
    await lapses.settle(stage.tools, stage.project)
    await stage.follow()


async def test_a_meeting_of_no_named_event_stays_when_its_time_is_up(stage: Acted, backend: Backend) -> None:
    await served(stage)
    meeting = await stage.vendor.new_meeting()
    await backend.conference(meeting["id"], None)
    await lapsed(stage, timedelta(days=1, minutes=1))
    booked = Booked(ANA, "", meeting["id"])
    assert (await stage.conference(booked))["state"] == "detached"
    assert (await stage.meeting(booked))["state"] == "live"
    assert await stage.tools.database.value(PROVISIONAL) == 0


async def test_an_event_that_came_ends_the_provisional_link(stage: Acted, backend: Backend) -> None:
    await served(stage)
    booked = await stage.book()
    await backend.conference(booked.meeting_id, booked.event_id)
    await stage.follow()
    assert (await backend.conference(booked.meeting_id, booked.event_id)).json["expires_at"] is None
    await lapsed(stage, timedelta(days=1, minutes=1))
    assert await stage.tools.database.value(PROVISIONAL) == 0
    assert (await stage.conference(booked))["state"] == "live"
    assert (await stage.meeting(booked))["title"] == "Standup"


async def test_what_a_vendor_tells_of_a_registered_meeting_lets_nothing_go(stage: Acted, backend: Backend) -> None:
    await served(stage)
    meeting = await stage.vendor.new_meeting()
    await backend.conference(meeting["id"], "ev1")
    booked = Booked(ANA, "ev1", meeting["id"])
    await push.push(stage.tools, stage.project, Push(*await ids(stage, booked), reads_back=True))
    assert (await stage.conference(booked))["state"] == "live"
    await retries.retry(stage.tools.database, "acme", meeting["id"])
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "live"
    assert (await stage.meeting(booked))["state"] == "live"


async def ids(stage: Acted, booked: Booked) -> tuple[int, int]:
    row = await stage.conference(booked)
    return row["tenant_id"], row["conference_id"]


async def test_an_event_that_is_there_without_its_meeting_lets_nothing_go(stage: Acted, backend: Backend) -> None:
    await served(stage)
    meeting = await stage.vendor.new_meeting()
    made = await stage.google.call("POST", events(ANA), {"summary": "Not saved yet", **TIMES}, user=ANA)
    await backend.conference(meeting["id"], made.body["id"])
    await stage.follow()
    assert (await stage.conference(Booked(ANA, made.body["id"], meeting["id"])))["state"] == "live"
    assert await stage.tools.database.value(PROVISIONAL) == 1


async def test_a_conference_registered_twice_at_once_is_one(stage: Acted, backend: Backend) -> None:
    meeting = await stage.vendor.new_meeting()
    replies = await asyncio.gather(*(backend.conference(meeting["id"], "ev1") for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [200] * 7 + [201]
    assert len({reply.json["expires_at"] for reply in replies}) == 1
    assert [row["kind"] for row in await stage.rows("history") if row["kind"] == "registered"] == ["registered"]


async def test_an_event_id_that_comes_later_is_taken_over(stage: Acted, backend: Backend) -> None:
    await served(stage)
    booked = await stage.book()
    await backend.conference(booked.meeting_id, None)
    assert (await backend.conference(booked.meeting_id, booked.event_id)).status == 200
    await stage.delete(booked)
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "leaving"


async def test_a_calendar_that_changed_is_marked_as_by_a_message(stage: Acted, backend: Backend) -> None:
    assert (await backend.changed(ANA)).status == 204
    first = await stage.rows("notified")
    assert (await backend.changed(ANA)).status == 204
    again = await stage.rows("notified")
    assert [len(first), len(again), again[0]["mark"] > first[0]["mark"]] == [1, 1, True]


async def test_a_told_change_is_followed_without_waiting_for_the_clock(stage: Acted, backend: Backend) -> None:
    async with a_worker(stage, cycle_seconds=RARELY, relist_seconds=RARELY, lease_seconds=RARELY * 3):
        await until_row(stage, "SELECT owner IS NOT NULL FROM syncer.lease")
        booked = await stage.book("Told")
        await backend.changed(ANA)
        await until_titled(stage, booked, "Told")


async def test_a_key_touches_its_own_tenants_rows_alone(stage: Acted, backend: Backend) -> None:
    await served(stage)
    booked = await stage.book()
    await stage.follow()
    before = [await stage.rows(table) for table in ("calendar", "conference", "meeting_owner", "history", "notified")]
    other = replace(backend, key=await a_key(stage))
    replies = [
        await other.changed(ANA),
        await other.conference("123", "ev1"),
        await other.conference(booked.meeting_id, booked.event_id),
    ]
    assert [reply.status for reply in replies] == [404, 404, 404]
    after = [await stage.rows(table) for table in ("calendar", "conference", "meeting_owner", "history", "notified")]
    assert after == before
    assert (await other.calendar(ANA)).json["is_new"] is True
    foreign = await other.conference(booked.meeting_id, booked.event_id)
    assert (foreign.status, foreign.json["pointer"]) == (409, "/conference/id")
    rows = await stage.rows("conference")
    assert [row["meeting_id"] for row in rows] == [booked.meeting_id]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer syncer_0", "KEY", "bEaReR x", "Bearer é"]
)
async def test_without_a_good_key_everybody_is_told_the_same(stage: Acted, backend: Backend, header: str) -> None:
    replies = [
        await replace(backend, key="").ask(method, path, headers={"Authorization": header}, data=b"{")
        for method, path in (("POST", CALENDARS), ("POST", CONFERENCES), ("POST", f"{CALENDARS}/{ANA}/changed"))
    ]
    assert {(reply.status, reply.body) for reply in replies} == {(401, replies[0].body)}
    check(replies[0].json, "Problem")
    assert replies[0].headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_that_is_revoked_or_wrong_or_of_a_removed_tenant_is_good_for_nothing(
    stage: Acted, backend: Backend
) -> None:
    other = replace(backend, key=await a_key(stage))
    assert (await other.calendar(ANA)).status == 201
    await stage.tools.database.run("UPDATE syncer.tenant SET state = 'retired' WHERE slug = 'other'")
    assert (await other.calendar(ANA)).status == 401
    last = "A" if backend.key[-1] != "A" else "B"
    assert (await replace(backend, key=backend.key[:-1] + last).calendar(ANA)).status == 401
    assert await api_keys.revoke(stage.tools.database, "acme", backend.key.split("_")[1]) is True
    assert (await backend.calendar(ANA)).status == 401


async def test_nothing_of_a_body_is_read_before_the_key_is_good(stage: Acted, backend: Backend) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    reply = await asyncio.wait_for(
        replace(backend, key="wrong").ask("POST", CALENDARS, data=endless()), timeout=SECONDS / 2
    )
    assert reply.status == 401


async def test_a_key_is_kept_as_a_digest_and_shows_nowhere(stage: Acted, backend: Backend) -> None:
    secret = backend.key.split("_", 2)[2]
    (row,) = await stage.rows("api_key")
    assert len(row["hash"]) == 32
    assert secret not in str(dict(row))
    assert secret not in repr(await api_keys.add(stage.tools.database, "acme", "another"))


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        pytest.param(b"<html>", 400, "", id="no JSON"),
        pytest.param(b"\xff", 400, "", id="no text"),
        pytest.param(b"", 400, "", id="nothing"),
        pytest.param(b"[" * 10_000, 422, "", id="deep"),
        pytest.param([], 422, "", id="no object"),
        pytest.param({}, 422, "", id="no calendar"),
        pytest.param({"calendar": 1}, 422, "/calendar", id="a number"),
        pytest.param({"calendar": ""}, 422, "/calendar", id="empty"),
        pytest.param({"calendar": "primary"}, 422, "/calendar", id="primary"),
        pytest.param({"calendar": "a b"}, 422, "/calendar", id="a space"),
        pytest.param({"calendar": "a/b"}, 422, "/calendar", id="a slash"),
        pytest.param({"calendar": ".."}, 422, "/calendar", id="dots"),
        pytest.param({"calendar": "a\0b"}, 422, "/calendar", id="NUL"),
        pytest.param({"calendar": "a" * 1025}, 422, "/calendar", id="long"),
        pytest.param({"calendar": ANA, "subject": "nobody"}, 422, "/subject", id="no address"),
        pytest.param({"calendar": ANA, "addresses": [BO, "x"]}, 422, "/addresses/1", id="one is no address"),
        pytest.param({"calendar": ANA, "addresses": [1]}, 422, "/addresses/0", id="an address is a number"),
        pytest.param({"calendar": ANA, "tenant": "other"}, 422, "", id="unknown field"),
        pytest.param({"calendar": ANA, "grant": {"refresh_token": "r"}}, 422, "/grant", id="half a grant"),
        pytest.param(
            {
                "calendar": ANA,
                "grant": {
                    "client_id": "c",
                    "client_secret": "s",
                    "refresh_token": "r",
                    "token_uri": "https://evil.example.org/",
                },
            },
            422,
            "/grant",
            id="a foreign token endpoint",
        ),
    ],
)
async def test_a_wrong_calendar_is_refused_with_a_sentence_and_its_place(
    stage: Acted, backend: Backend, body: Any, status: int, pointer: str
) -> None:
    before = len(await stage.rows("calendar"))
    refused_status, sentence, place = await backend.refused(body)
    assert (refused_status, place) == (status, pointer)
    assert sentence.endswith(".")
    assert len(await stage.rows("calendar")) == before


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        pytest.param({"conference": {}}, "/conference", id="no id"),
        pytest.param({"conference": {"id": 1}}, "/conference/id", id="a number"),
        pytest.param({"conference": {"id": "a\nb"}}, "/conference/id", id="a line break"),
        pytest.param({"conference": {"id": "1", "owner": "me"}}, "/conference", id="unknown field"),
        pytest.param({"event_id": "a\0"}, "/event_id", id="NUL"),
        pytest.param({"event_id": ""}, "/event_id", id="empty"),
        pytest.param({"expires_in_seconds": 1}, "/expires_in_seconds", id="at once"),
        pytest.param({"expires_in_seconds": 10**9}, "/expires_in_seconds", id="never"),
        pytest.param({"expires_in_seconds": "1"}, "/expires_in_seconds", id="text"),
    ],
)
async def test_a_wrong_conference_is_refused_with_its_place(
    stage: Acted, backend: Backend, change: dict[str, Any], pointer: str
) -> None:
    body = {"calendar": ANA, "conference": {"id": "1"}} | change
    status, _, place = await backend.refused(body, CONFERENCES)
    assert (status, place) == (422, pointer)
    assert await stage.rows("conference") == []


async def test_a_body_and_a_header_that_are_too_large_are_refused(stage: Acted, backend: Backend) -> None:
    reply = await backend.ask("POST", CALENDARS, data=b" " * 70_000)
    check(reply.json, "Problem")
    assert reply.status == 413
    assert (await backend.ask("POST", CALENDARS, headers={"X-Long": "x" * 9000})).status == 400


async def test_without_postgres_it_is_asked_to_come_again(
    stage: Acted, session: aiohttp.ClientSession, backend: Backend
) -> None:
    async with Database.opened(stage.dsn) as database:
        pass  # and from here on nobody answers
    async with Receiver(replace(stage.tools, database=database)).listening(ANYWHERE) as address:
        away = replace(backend, root=f"http://{address}")
        replies = [await away.calendar(ANA), await away.conference("1", "ev1"), await away.changed(ANA)]
    assert [(reply.status, reply.headers["Retry-After"]) for reply in replies] == [(503, "2")] * 3


async def test_the_description_is_served_without_a_key_and_valid(stage: Acted, backend: Backend) -> None:
    reply = await replace(backend, key="").ask("GET", DESCRIPTION)
    OpenAPIV31SpecValidator(reply.json).validate()
    assert reply.json == DESCRIBED


def test_a_wrong_description_is_found() -> None:
    wrong = {**DESCRIBED, "paths": {"/v1/calendars": {"post": {"responses": {"200": {}}}}}}
    with pytest.raises(OpenAPIValidationError):
        OpenAPIV31SpecValidator(wrong).validate()


async def test_every_route_is_described_and_every_description_is_a_route(stage: Acted) -> None:
    routes = {(route.method, route.path) for route in Registration(stage.tools.database).routes()}
    described = {(verb.upper(), path) for path, verbs in DESCRIBED["paths"].items() for verb in verbs}
    assert routes == described


async def test_a_key_that_calls_too_often_is_told_when_to_come_again(
    stage: Acted, session: aiohttp.ClientSession
) -> None:
    made, other = (await api_keys.add(stage.tools.database, "acme", "backend")).text, await a_key(stage)
    now = 1000.0
    receiver = Receiver(stage.tools, rates=Rates(3, now=lambda: now))
    async with receiver.listening(ANYWHERE) as address:
        backend = Backend(f"http://{address}", session, made)
        assert [(await backend.calendar(ANA)).status for _ in range(3)] == [200] * 3
        reply = await backend.calendar(DANA)
        assert reply.status == 429, reply
        assert reply.headers["Retry-After"] == "61"
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert await stage.tools.database.value("SELECT count(*) FROM syncer.calendar WHERE google_id = $1", DANA) == 0
        # Nobody else is held up by it, nor it by calls without a good key.
        assert (await replace(backend, key=other).calendar(DANA)).status == 201
        assert (await replace(backend, key="nobodys").ask("POST", CALENDARS, json={})).status == 401
        now += 61
        assert (await backend.calendar(DANA)).status == 201


def test_keys_that_have_not_called_for_a_while_are_forgotten() -> None:
    now = 0.0
    rates = Rates(1, now=lambda: now)
    assert [rates.wait_seconds(str(number)) for number in range(100)] == [0.0] * 100
    now = 200.0
    assert (rates.wait_seconds("new"), len(rates)) == (0.0, 1)


async def test_a_meeting_whose_tombstone_no_page_shows_does_not_leak(stage: Acted, backend: Backend) -> None:
    await served(stage)
    await stage.look(ANA)
    booked = await stage.book()
    await stage.delete(booked)
    await stage.look(ANA)  # and the tombstone is behind us, as it is for a first full read
    await backend.conference(booked.meeting_id, booked.event_id)
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "live"
    await leave(stage)
    await stage.pass_time(timedelta(minutes=2))
    async with a_worker(stage):
        await until_row(stage, "SELECT state = 'leaving' FROM syncer.conference")
    assert await stage.tools.database.value(PROVISIONAL) == 0
