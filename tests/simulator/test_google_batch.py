"""The batch endpoint: what it takes, whose credentials count, and how it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.google_batches import PATH, call, read, send, written
from tests.simulator.google_stage import ANA, BO, CLEO, END, START, Stage, a_stage, events

BODY = {"summary": "Review", "start": START, "end": END}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def bearer(stage: Stage, user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await stage.token(user)}"}


async def diary(stage: Stage) -> list[Any]:
    return list((await stage.control("GET", "diary?after=0"))["entries"])


async def test_each_part_is_answered_as_if_it_had_come_alone(stage: Stage) -> None:
    event = await stage.insert()
    alone = await stage.call("GET", events(ANA, event["id"]))
    parts = [call("GET", events(ANA, event["id"])), call("GET", events(ANA, "nothing"))]

    whole, missing = read(await send(stage, parts, user=ANA))

    assert (whole.content_id, whole.status, whole.body) == ("<response-1>", 200, alone.body)
    assert (whole.headers["Content-Type"], whole.headers["ETag"]) == ("application/json; charset=UTF-8", event["etag"])
    assert (missing.content_id, missing.status, missing.reason) == ("<response-2>", 404, "notFound")


async def test_each_part_may_carry_its_own_credentials_and_conditions(stage: Stage) -> None:
    event = await stage.insert(CLEO, user=CLEO)
    patch = call(
        "PATCH",
        events(CLEO, event["id"]),
        {"location": "Room 1"},
        headers={**await bearer(stage, CLEO), "If-Match": event["etag"], **JSON},
    )
    stale = call("PATCH", events(BO, "x"), {}, headers={"Authorization": "Bearer made-up", **JSON})

    listed, patched, refused = read(
        await send(stage, [call("GET", events(ANA), headers=await bearer(stage, ANA)), patch, stale])
    )

    assert (listed.body["summary"], patched.body["location"]) == (ANA, "Room 1")
    assert (refused.status, refused.reason) == (401, "authError")
    assert "WWW-Authenticate" in refused.headers


async def test_headers_and_query_of_the_batch_hold_for_each_part_unless_it_says_otherwise(stage: Stage) -> None:
    own = call("GET", events(CLEO), headers=await bearer(stage, CLEO), fields="accessRole,summary")

    shared, own_answer = read(await send(stage, [call("GET", events(ANA)), own], user=ANA, fields="summary"))

    assert shared.body == {"summary": ANA}
    assert own_answer.body == {"accessRole": "owner", "summary": CLEO}


async def test_the_content_type_of_the_batch_is_not_that_of_its_parts(stage: Stage) -> None:
    await send(stage, [call("GET", events(ANA))], user=ANA, headers={"Content-Length-Of-Old": "7"})
    assert [row["status"] for row in await diary(stage) if "batch" in row] == [200]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body.replace(b"\r\n", b"\n"), id="bare line feeds"),
        pytest.param(lambda body: body.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"), id="mixed line ends"),
        pytest.param(lambda body: b"A preamble\r\n" + body + b"An epilogue", id="preamble and epilogue"),
        pytest.param(lambda body: body.replace(b" HTTP/1.1", b""), id="no version in the request line"),
        pytest.param(lambda body: body.removesuffix(b"\r\n"), id="no line end at the end"),
    ],
)
async def test_what_other_clients_write_is_read(stage: Stage, change: Any) -> None:
    insert = call("POST", events(ANA), BODY, headers=JSON)
    other = call("GET", events(BO), headers=await bearer(stage, BO))

    made, listed = read(await send(stage, change(written([insert, other])), user=ANA))

    assert (made.status, made.body["summary"], listed.body["summary"]) == (200, "Review", BO)


async def test_a_quoted_boundary_and_ids_with_spaces_are_taken_as_they_are(stage: Stage) -> None:
    body = written([call("GET", events(ANA))], boundary="a b?c").replace(b"<1>", b"<6b1f + 1>")
    (answer,) = read(await send(stage, body, user=ANA, content_type='multipart/mixed; boundary="a b?c"'))
    assert (answer.content_id, answer.status) == ("<response-6b1f + 1>", 200)


async def test_a_part_without_an_id_is_answered_without_one(stage: Stage) -> None:
    (answer,) = read(await send(stage, written([call("GET", events(ANA))], ids=False), user=ANA))
    assert (answer.content_id, answer.status) == ("", 200)


async def test_a_body_is_as_long_as_its_part_says(stage: Stage) -> None:
    insert = call("POST", events(ANA), BODY, headers={**JSON, "Content-Length": "0"})
    (answer,) = read(await send(stage, [insert], user=ANA))
    assert (answer.status, answer.reason) == (400, "parseError")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(written([]), "multipart/mixed; boundary=b_01", id="no part"),
        pytest.param(b"", "multipart/mixed; boundary=b_01", id="no body"),
        pytest.param(written([call("GET", "x")]), "application/json", id="another type"),
        pytest.param(written([call("GET", "x")]), "multipart/mixed", id="no boundary"),
        pytest.param(written([call("GET", "x")]), "multipart/mixed; boundary=b_02", id="another boundary"),
        pytest.param(written([call("GET", "x")])[:-10], "multipart/mixed; boundary=b_01", id="cut off"),
        pytest.param(
            written([b"GET https://www.googleapis.com/calendar/v3/x HTTP/1.1\r\n\r\n"]),
            "multipart/mixed; boundary=b_01",
            id="a host",
        ),
        pytest.param(written([b"nothing\r\n\r\n"]), "multipart/mixed; boundary=b_01", id="no request"),
        pytest.param(
            written([call("GET", "x")]).replace(b"application/http", b"text/plain"),
            "multipart/mixed; boundary=b_01",
            id="a part of another type",
        ),
        pytest.param(
            written([call("GET", "x", headers={"Content-Length": "9"})]), "multipart/mixed; boundary=b_01", id="short"
        ),
    ],
)
async def test_a_batch_that_cannot_be_read_is_refused_as_a_whole(stage: Stage, body: bytes, content_type: str) -> None:
    reply = await send(stage, body, user=ANA, content_type=content_type)
    assert (reply.status, reply.reason) == (400, "badRequest")
    assert [(row["kind"], row["status"]) for row in await diary(stage)][-1] == ("batch", 400)


async def test_nothing_but_calls_of_this_api_is_carried_out_in_a_batch(stage: Stage) -> None:
    strange = [b"POST /token HTTP/1.1\r\n\r\n", b"GET /drive/v3/files HTTP/1.1\r\n\r\n", call("POST", "events/watch")]
    answers = read(await send(stage, strange, user=ANA))
    assert [(answer.status, answer.reason) for answer in answers] == [(404, "notFound")] * 3


async def test_a_batch_may_have_as_many_parts_as_is_set(stage: Stage) -> None:
    parts = [call("GET", events(ANA), maxResults=1)] * 51
    assert len(read(await send(stage, parts, user=ANA))) == 51
    await stage.control("PUT", "faults", {"settings": {"batch_limit": 50}})
    assert len(read(await send(stage, parts[:50], user=ANA))) == 50
    assert (await send(stage, parts, user=ANA)).status == 400


async def test_parts_are_carried_out_in_a_seeded_order_and_answered_in_theirs(stage: Stage) -> None:
    async def history(seed: int) -> list[str]:
        async with a_stage(seed) as other:
            parts = [call("GET", events(ANA, f"event{number}")) for number in range(20)]
            answers = read(await send(other, parts, user=ANA))
            assert [answer.content_id for answer in answers] == [f"<response-{number}>" for number in range(1, 21)]
            return [row["event_id"] for row in await diary(other) if "batch" in row]

    first = await history(3)
    assert first == await history(3)
    assert first != await history(4)
    assert first != sorted(first, key=lambda name: int(name.removeprefix("event")))


async def test_the_second_write_to_one_calendar_is_a_conflict(stage: Stage) -> None:
    inserts = [call("POST", events(name), BODY, headers=JSON) for name in (ANA, "primary", ANA)]
    reads = [call("GET", events(ANA))] * 2

    answers = read(await send(stage, [*inserts, *reads], user=ANA))

    assert sorted(answer.status for answer in answers[:3]) == [200, 409, 409]
    assert [answer.status for answer in answers[3:]] == [200, 200]
    assert {answer.reason for answer in answers[:3] if answer.status == 409} == {"conflict"}
    assert len((await stage.pages())[0]["items"]) == 1
    await stage.control("PUT", "faults", {"settings": {"batch_conflicts": False}})
    assert [one.status for one in read(await send(stage, inserts, user=ANA))] == [200, 200, 200]


async def test_the_endpoint_can_be_away_and_can_refuse_mixed_credentials(stage: Stage) -> None:
    parts = [call("GET", events(user), headers=await bearer(stage, user)) for user in (ANA, CLEO)]
    await stage.control("PUT", "faults", {"settings": {"batch_mixed_credentials": False}})
    assert (await send(stage, parts)).status == 403
    assert read(await send(stage, parts[:1]))[0].status == 200
    await stage.control("PUT", "faults", {"settings": {"batch": False}})
    assert (await send(stage, parts)).status == 404
    assert (await stage.call("GET", events(ANA))).status == 200


async def test_each_part_has_its_own_entry_in_the_diary(stage: Stage) -> None:
    parts = [call("POST", events(ANA), BODY, headers=JSON), call("GET", events(CLEO), maxResults=3)]
    await send(stage, parts, user=ANA)
    await send(stage, parts[1:], user=ANA)
    rows = [row for row in await diary(stage) if "batch" in row]
    assert sorted((row["batch"], row["status"], row["kind"]) for row in rows) == [
        (1, 200, "edit"),
        (1, 404, "api"),
        (2, 404, "api"),
    ]
    assert next(row for row in rows if row["kind"] == "edit")["change"] is True
    assert {row["path"] for row in rows} == {f"/calendar/v3/calendars/{user}/events" for user in (ANA, CLEO)}


@pytest.mark.parametrize("agent", ["syncer (gzip)", "syncer"])
async def test_answers_are_compressed_for_who_asks_twice(stage: Stage, agent: str) -> None:
    headers = {"Accept-Encoding": "gzip", "User-Agent": agent, **await bearer(stage, ANA)}
    sent = {**headers, "Content-Type": "multipart/mixed; boundary=b_01"}
    batch = written([call("GET", events(ANA))])
    for verb, path, body, more in (("POST", PATH, batch, sent), ("GET", f"calendar/v3/{events(ANA)}", None, headers)):
        reply = await stage.request(verb, path, body, headers=more)
        assert ("gzip" in reply.headers.get("Content-Encoding", "")) == ("gzip" in agent)
        assert reply.status == 200
