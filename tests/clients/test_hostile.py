"""A hostile endpoint costs a bounded time and a bounded memory, learns nothing, and hurts nobody else."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from typing import Any

import orjson
import pytest
from aiohttp import web

from syncer.clients.http import Http, Limits
from syncer.clients.providers.base import Setup
from syncer.clients.providers.webhook import WebhookProvider
from syncer.clients.secret import Secret
from syncer.model.conference import Change, ChangeKind, Outcome, Rejected, Retry
from syncer.model.errors import OutsideError
from tests.clients.hostile import BEHAVIOURS, behaving
from tests.clients.test_http import CANARY, said

LIMITS = Limits(deadline_seconds=1.0, body_bytes=64 * 1024)
# A loaded machine's own slowness comes on top of the deadline.
PATIENCE_SECONDS = 5.0
MEMORY_BYTES = 16 * 1024 * 1024
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="


async def failed(http: Http, url: str) -> OutsideError:
    headers = {"Authorization": Secret(f"Bearer {CANARY}")}
    with pytest.raises(OutsideError) as caught:
        await http.send_to_tenant("POST", url, headers=headers, body=b"{}", limits=LIMITS)
    return caught.value


def test_there_are_enough_of_them() -> None:
    assert len(BEHAVIOURS) >= 40


@pytest.mark.parametrize("name", BEHAVIOURS)
async def test_it_costs_no_more_than_its_deadline_and_its_cap(http: Http, name: str) -> None:
    async with behaving(BEHAVIOURS[name]) as url:
        tracemalloc.start()
        began_at = time.monotonic()
        try:
            error = await failed(http, url)
            took_seconds, memory = time.monotonic() - began_at, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert took_seconds < LIMITS.deadline_seconds + PATIENCE_SECONDS
    assert memory < MEMORY_BYTES
    assert CANARY not in said(error)
    assert error.__context__ is None


async def test_one_that_hangs_holds_up_nobody_else(http: Http) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")

    slow = BEHAVIOURS["takes the connection and says nothing"]
    async with behaving(slow) as bad, behaving(answer) as good, asyncio.TaskGroup() as group:
        hanging = [group.create_task(failed(http, bad)) for _ in range(50)]
        for _ in range(5):
            got = await http.send_to_tenant("GET", good, headers={}, body=None, limits=LIMITS)
            assert got.body == b"fine"
        assert not any(one.done() for one in hanging)


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned", b"garbage", b"\r\n\r\n"])
async def test_an_answer_that_nobody_asked_for_answers_nobody(http: Http, more: bytes) -> None:
    """Connections are kept for the next call, which may be another tenant's."""
    asked: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            asked.append(len(asked))
            body = b"answer %d" % asked[-1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s" % (len(body), body, more))
            await writer.drain()

    async with behaving(behave) as url:
        for number in range(5):
            try:
                got = await http.send_to_tenant("GET", url, headers={}, body=None, limits=LIMITS)
            except OutsideError:
                continue
            assert got.body == b"answer %d" % asked[-1], number


def answering(status: int, body: bytes, **headers: str) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={**headers, "Content-Type": "application/json"})

    return answer


async def outcome_of(http: Http, url: str) -> Outcome:
    provider = WebhookProvider(Setup({"url": url}, "file:hook", Secret(SECRET), http, LIMITS.deadline_seconds))
    return await provider.apply(Change(ChangeKind.DELETE, "acme", "81", 3, "key"))


def whole(**changed: Any) -> bytes:
    """An answer as agreed, but for this."""
    holds: dict[str, Any] = {
        "title": "a", "description": None, "start": "2099-12-01T10:00:00Z", "end": "2099-12-01T11:00:00Z",
        "all_day": False, "timezone": None, "recurrence": [], "organizer": None, "attendee_count": 0,
    }  # fmt: skip
    conference = {
        "id": "81",
        "join_url": "https://meet.example.org/81",
        "passcode": "",
        "dial_in": [],
        "revision": 3,
        "holds": holds,
    }
    return orjson.dumps({"status": "applied", "conference": conference} | changed)


LIES: dict[str, bytes] = {
    "HTML": b"<html><body>It works!</body></html>",
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1e999",
    "deep nesting": b"[" * 60_000,
    "deep nesting in a field": b'{"status": ' + b'{"a":' * 10_000,
    "no status": b'{"conference": null}',
    "an unknown status": b'{"status": "done"}',
    "a status of another kind": b'{"status": ["applied"]}',
    "another tenant's meeting": whole(conference={**orjson.loads(whole())["conference"], "id": "82"}),
    "a meeting without an id": whole(conference={}),
    "text that is not UTF-8": b'{"status": "applied\xff"}',
    "half a surrogate": b'{"status": "\\ud800"}',
    "one status twice": b'{"status": "applied", "status": "done"}',
    "a revision beyond all": whole(conference={**orjson.loads(whole())["conference"], "revision": 2**63}),
    "a time that is none": whole().replace(b"2099-12-01T10:00:00Z", b"2099-13-41T10:00:00Z"),
    "stale without its revision": b'{"status": "stale"}',
    "replaced by itself": whole(status="replaced"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
async def test_an_answer_that_cannot_be_believed_is_tried_again(http: Http, serve: Any, lie: bytes) -> None:
    """It leaves a doubt, for the call may have been done; nothing of it is taken over."""
    outcome = await outcome_of(http, await serve(answering(200, lie)))
    assert isinstance(outcome, Retry)
    assert outcome.is_in_doubt
    assert len(outcome.reason) <= 200
    assert outcome.reason.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        *("1000000000", "-1", "-1000000000", "nan", "inf", "-inf", "1e308", "1e-308", "0x10", "9" * 60, "9" * 5000, ""),
        *("soon", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"),
        *("Thu, 99 Xxx 0000 99:99:99 GMT", "2026-13-45", "0001-01-01T00:00:00+23:59", "２", "1,000", "1 ; 2"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_no_retry_after_stops_us_for_more_than_a_day(http: Http, serve: Any, text: str, status: int) -> None:
    outcome = await outcome_of(http, await serve(answering(status, b"", **{"Retry-After": text})))
    assert isinstance(outcome, Retry)
    assert outcome.after_seconds is None or 0 <= outcome.after_seconds <= 86_400


@pytest.mark.parametrize("detail", ["x" * 60_000, "\x1b]52;c;Y2FuYXJ5\x07", "a\r\nb\u2028c\u202ed", "\x00", "\ud800"])
async def test_what_a_refusal_says_is_short_and_plain(http: Http, serve: Any, detail: str) -> None:
    body = ('{"title": "no", "detail": "' + "".join(f"\\u{ord(sign):04x}" for sign in detail) + '"}').encode()
    outcome = await outcome_of(http, await serve(answering(422, body)))
    assert isinstance(outcome, Rejected)
    assert len(outcome.reason) <= 200
    assert not set(outcome.reason) & set("\x1b\x07\r\n\x00\u2028")
