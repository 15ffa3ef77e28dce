"""Google's own client for Python, unchanged, does its work at the simulated Google."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials as UserCredentials
from google.oauth2.service_account import Credentials as AccountCredentials
from googleapiclient.channel import new_webhook_channel, notification_from_headers
from googleapiclient.discovery import build, build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from tests.simulator import discovery
from tests.simulator.ears import an_ear, quiet
from tests.simulator.google_stage import ANA, BO, END, ROOM, START, Stage, a_stage

SCOPES = ("https://www.googleapis.com/auth/calendar",)
BODY = {"summary": "Review", "start": START, "end": END}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


@pytest.fixture
async def key(stage: Stage) -> dict[str, Any]:
    """A service account's key file."""
    return dict(await stage.control("POST", "service-accounts", {"domains": ["tenant-a.test"]}))


@pytest.fixture
async def calendar(stage: Stage, key: dict[str, Any]) -> AsyncIterator[Any]:
    """The client, acting as Ana through a service account."""
    with closing(client(stage, account(key))) as made:
        yield made


def account(key: dict[str, Any], subject: str = ANA) -> Any:
    return AccountCredentials.from_service_account_info(key, scopes=SCOPES, subject=subject)  # type: ignore[no-untyped-call]


def client(stage: Stage, credentials: Any) -> Any:
    endpoint = {"api_endpoint": f"{stage.root}calendar/v3/"}
    return build("calendar", "v3", credentials=credentials, client_options=endpoint, static_discovery=True)


async def run(request: Any) -> Any:
    """What a request of the client gives; it blocks, so it has a thread."""
    return await asyncio.to_thread(request.execute)


@contextmanager
def refused(status: int, reason: str) -> Iterator[None]:
    """The client raises Google's error."""
    with pytest.raises(HttpError) as caught:
        yield
    assert (caught.value.resp.status, caught.value.error_details[0]["reason"]) == (status, reason)


async def listed(calendar: Any, **query: Any) -> tuple[list[Any], str]:
    """All events of a listing by the client's own paging, and its sync token."""
    request, found = calendar.events().list(calendarId="primary", **query), []
    while request is not None:
        page = await run(request)
        found += page["items"]
        request = calendar.events().list_next(request, page)
    return found, page["nextSyncToken"]


async def test_it_lists_page_by_page_and_then_by_sync_token(calendar: Any) -> None:
    made = [await run(calendar.events().insert(calendarId="primary", body=BODY)) for _ in range(5)]

    found, token = await listed(calendar, maxResults=2)
    await run(calendar.events().delete(calendarId="primary", eventId=made[1]["id"]))
    changed, newer = await listed(calendar, syncToken=token, maxResults=2)

    assert [event["id"] for event in found] == [event["id"] for event in made]
    assert [(event["id"], event["status"]) for event in changed] == [(made[1]["id"], "cancelled")]
    assert await listed(calendar, syncToken=newer, maxResults=2) == ([], newer)


async def test_it_sees_that_a_sync_token_is_over(stage: Stage, calendar: Any) -> None:
    _, token = await listed(calendar)
    await stage.insert()
    await stage.control("POST", "forget", {"before": None})

    with refused(410, "fullSyncRequired"):
        await listed(calendar, syncToken=token)

    assert len((await listed(calendar))[0]) == 1


async def test_it_changes_an_event_only_as_it_was(calendar: Any) -> None:
    event = await run(calendar.events().insert(calendarId="primary", body=BODY))
    patch = calendar.events().patch(calendarId="primary", eventId=event["id"], body={"location": "Room 1"})
    patch.headers["If-Match"] = event["etag"]
    again = calendar.events().patch(calendarId="primary", eventId=event["id"], body={"location": "Room 2"})
    again.headers["If-Match"] = event["etag"]

    patched = await run(patch)
    with refused(412, "conditionNotMet"):
        await run(again)

    assert patched["location"] == "Room 1"
    assert await run(calendar.events().get(calendarId=ANA, eventId=event["id"])) == patched


async def test_it_moves_deletes_and_takes_back(calendar: Any) -> None:
    event = await run(calendar.events().insert(calendarId="primary", body=BODY))
    which = {"calendarId": ROOM, "eventId": event["id"]}

    left = await run(calendar.events().move(calendarId="primary", eventId=event["id"], destination=ROOM))
    assert left["status"] == "cancelled"
    assert await run(calendar.events().delete(**which)) == ""
    with refused(410, "deleted"):
        await run(calendar.events().delete(**which))
    gone = await run(calendar.events().get(**which))
    back = await run(calendar.events().update(**which, body={**gone, "status": "confirmed"}))

    assert (gone["status"], back["status"], back["summary"]) == ("cancelled", "confirmed", "Review")


async def test_it_reads_lists_of_calendars_and_of_access(calendar: Any) -> None:
    await run(calendar.acl().insert(calendarId=ROOM, body={"role": "reader", "scope": {"type": "user", "value": BO}}))
    rules = await run(calendar.acl().list(calendarId=ROOM))
    calendars = await run(calendar.calendarList().list())

    assert {rule["id"]: rule["role"] for rule in rules["items"]} == {f"user:{ANA}": "owner", f"user:{BO}": "reader"}
    assert [entry["id"] for entry in calendars["items"] if entry.get("primary")] == [ANA]
    assert (await run(calendar.calendars().get(calendarId=ROOM)))["summary"] == "Room"
    with refused(404, "notFound"):
        await run(calendar.calendars().get(calendarId="nobody@tenant-a.test"))


async def test_it_repeats_by_itself_what_failed_for_load(stage: Stage, calendar: Any) -> None:
    await stage.control("PUT", "faults", {"next": {"server_error": 1}})
    request = calendar.events().list(calendarId="primary")
    request._sleep = lambda _: None

    assert (await asyncio.to_thread(request.execute, num_retries=2))["items"] == []


async def test_a_service_account_renews_a_token_that_is_over(stage: Stage, calendar: Any) -> None:
    await run(calendar.events().list(calendarId="primary"))
    await stage.control("POST", "expire-access-tokens")

    assert (await run(calendar.events().list(calendarId="primary")))["items"] == []

    asked = [entry["path"] for entry in (await stage.control("GET", "diary?after=0"))["entries"]]
    assert asked.count("/token") == 2


async def test_a_users_grant_is_refreshed_at_the_token_endpoint(stage: Stage) -> None:
    grant = await stage.control("POST", "users", {"email": BO})
    known = {name: value for name, value in grant.items() if name != "type"}
    credentials = UserCredentials(None, **known)  # type: ignore[no-untyped-call]

    with closing(client(stage, credentials)) as calendar:
        entry = await run(calendar.calendarList().get(calendarId="primary"))

    assert (entry["id"], credentials.valid) == (BO, True)


async def test_a_key_of_somebody_else_signs_nothing(stage: Stage, key: dict[str, Any]) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    forged = account({**key, "private_key": other.decode()})
    with closing(client(stage, forged)) as calendar, pytest.raises(RefreshError, match=r"Invalid JWT Signature\."):
        await run(calendar.events().list(calendarId="primary"))


@pytest.mark.parametrize(
    ("subject", "what"), [("cleo@tenant-b.test", "unauthorized_client"), ("nobody@tenant-a.test", "invalid_grant")]
)
async def test_whom_an_account_may_not_act_as_is_told(
    stage: Stage, key: dict[str, Any], subject: str, what: str
) -> None:
    with closing(client(stage, account(key, subject))) as calendar, pytest.raises(RefreshError, match=what):
        await run(calendar.events().list(calendarId="primary"))


async def test_its_batch_answers_each_call_by_itself(stage: Stage, key: dict[str, Any]) -> None:
    document = json.loads(discovery.DOCUMENT.read_text("utf-8")) | {"rootUrl": stage.root}
    answers: dict[str, Any] = {}
    with closing(build_from_document(document, credentials=account(key))) as calendar:
        event = await run(calendar.events().insert(calendarId="primary", body=BODY))
        stale = calendar.events().patch(calendarId="primary", eventId=event["id"], body={"location": "Room 2"})
        stale.headers["If-Match"] = '"0"'
        batch = calendar.new_batch_http_request(
            callback=lambda name, answer, error: answers.update({name: (answer, error)})
        )
        batch.add(calendar.events().list(calendarId="primary"), request_id="list")
        batch.add(calendar.events().get(calendarId=ANA, eventId=event["id"]), request_id="a get with spaces + more")
        batch.add(stale, request_id="stale")
        batch.add(calendar.events().insert(calendarId=ROOM, body=BODY), request_id="insert")
        batch.add(calendar.events().get(calendarId=ANA, eventId="nothing"), request_id="missing")

        await run(batch)

    assert [event["id"] for event in answers["list"][0]["items"]] == [event["id"]]
    assert answers["a get with spaces + more"] == (event, None)
    assert answers["insert"][0]["organizer"]["email"] == ROOM
    assert {name: error.status_code for name, (_, error) in answers.items() if error} == {"stale": 412, "missing": 404}


async def test_it_watches_a_calendar_and_stops_any_channel_of_its_account(stage: Stage, key: dict[str, Any]) -> None:
    async with an_ear() as ear:
        until = datetime(2100, 1, 1)  # noqa: DTZ001 (the client takes no other)
        channel = new_webhook_channel(ear.address, token="k=9f2c", expiration=until, params={"ttl": "60"})
        with closing(client(stage, account(key))) as ana, closing(client(stage, account(key, BO))) as bo:
            channel.update(await run(ana.events().watch(calendarId="primary", body=channel.body())))
            await ear.until(1)
            await run(ana.events().insert(calendarId="primary", body=BODY))
            await ear.until(2)
            with refused(400, "channelIdNotUnique"):
                await run(bo.events().watch(calendarId="primary", body=channel.body()))
            assert await run(bo.channels().stop(body=channel.body())) == ""
            await run(ana.events().insert(calendarId="primary", body=BODY))
            await quiet(stage)

    notifications = [notification_from_headers(channel, heard.headers) for heard in ear.heard]  # type: ignore[no-untyped-call]
    assert [each.state for each in notifications] == ["sync", "exists"]
    assert {each.resource_id for each in notifications} == {channel.resource_id}
    assert {each.resource_uri for each in notifications} == {channel.resource_uri}
    with closing(client(stage, account(key))) as ana, refused(404, "notFound"):
        await run(ana.channels().stop(body={"id": "unknown", "resourceId": channel.resource_id}))


# The client leaves the connection open on which a batch renews its token.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
async def test_its_batch_renews_a_token_that_is_over(stage: Stage, calendar: Any) -> None:
    answers: list[Any] = []
    await run(calendar.events().list(calendarId="primary"))
    await stage.control("POST", "expire-access-tokens")
    batch = BatchHttpRequest(
        callback=lambda *answer: answers.append(answer), batch_uri=f"{stage.root}batch/calendar/v3"
    )
    batch.add(calendar.events().list(calendarId="primary"))
    batch.add(calendar.events().list(calendarId=ROOM))

    await run(batch)

    assert [(answer["summary"], error) for _, answer, error in answers] == [(ANA, None), ("Room", None)]
