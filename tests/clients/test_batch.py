"""Calls in batches: what is sent, which answer is whose, and what happens where a batch cannot be had."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog.testing
from aiohttp import web

from syncer.clients.google.batch import Batches, Call, Lost, Outcome, Size
from syncer.clients.http import Answer, Http, Limits
from syncer.clients.secret import Secret
from syncer.model.errors import OutsideError, Remedy, Throttled, Unreachable, Unreadable

LIMITS = Limits(deadline_seconds=10, body_bytes=100_000)
CALLS = [
    (Call("GET", f"calendar/v3/calendars/c{number}/events?x={number}", ("file:a", None)), Secret(f"t{number}"))
    for number in range(5)
]
PART = re.compile(rb"Content-ID: <([^>]+)>\r\n\r\n(\S+) (\S+) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n"

Answering = Callable[["Asked"], web.Response]


@dataclass
class Asked:
    """One batch as a server sees it. parts: (Content-ID, method, path, headers)."""

    request: web.Request
    body: bytes

    @property
    def parts(self) -> list[tuple[bytes, bytes, bytes, bytes]]:
        return PART.findall(self.body)


def part(name: bytes, body: bytes, head: bytes = _HEAD) -> bytes:
    return b"Content-Type: application/http\r\nContent-ID: <response-" + name + b">\r\n\r\n" + head % len(body) + body


def answer(
    parts: Sequence[bytes], *, end: bytes = b"--", kind: str = 'multipart/mixed; boundary="b x"'
) -> web.Response:
    body = b"".join(b"--b x\r\n" + one + b"\r\n" for one in parts) + b"--b x" + end
    return web.Response(body=body, headers={"Content-Type": kind})


def honest(asked: Asked) -> list[bytes]:
    """Each part answers with its own path."""
    return [part(name, b'{"path": "%s"}' % path) for name, _, path, _ in asked.parts]


@dataclass
class Google:
    """Answers batches as told, and single calls with their path."""

    answering: Answering = field(default=lambda asked: answer(honest(asked)))
    batches: list[Asked] = field(default_factory=list)
    singles: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        if request.path != "/batch/calendar/v3":
            self.singles.append(request.headers["Authorization"])
            return web.json_response({"path": request.raw_path})
        self.batches.append(Asked(request, await request.read()))
        return self.answering(self.batches[-1])


@dataclass
class Room:
    google: Google
    batches: Batches

    async def send(self, calls: Sequence[tuple[Call, Secret]] = CALLS) -> list[Outcome]:
        return await self.batches.send(calls)

    async def lost(self) -> OutsideError:
        """Sends, and finds every call lost with its batch for the same reason."""
        outcomes = await self.send()
        errors = {outcome.error for outcome in outcomes if isinstance(outcome, Lost) and outcome.is_shared}
        assert len(outcomes) == len(CALLS)
        (error,) = errors
        return error


@pytest.fixture
async def room(http: Http, serve: Any) -> Room:
    google = Google()
    return Room(google, Batches(http, LIMITS, root=await serve(google.answer)))


def is_right(outcomes: Sequence[Outcome]) -> bool:
    bodies = [outcome.body for outcome in outcomes if isinstance(outcome, Answer)]
    return [b"/c%d/" % number in body for number, body in enumerate(bodies)] == [True] * len(CALLS)


async def test_each_call_goes_with_its_own_token_and_gets_its_own_answer(room: Room) -> None:
    assert is_right(await room.send())
    (asked,) = room.google.batches
    assert [(method, path, headers) for _, method, path, headers in asked.parts] == [
        (b"GET", f"/{call.path}".encode(), f"Authorization: Bearer t{number}".encode())
        for number, (call, _) in enumerate(CALLS)
    ]
    assert "Authorization" not in asked.request.headers


async def test_a_conditional_patch_carries_its_etag_and_body(room: Room) -> None:
    patch = Call(
        "PATCH", "calendar/v3/calendars/c0/events/e?x=0", ("file:a", None), '"35"', '{"location":"ü"}'.encode()
    )
    await room.send([(patch, Secret("t")), *CALLS[1:]])
    (asked,) = room.google.batches
    assert (
        b'If-Match: "35"\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"location":"\xc3\xbc"}\r\n--'
        in asked.body
    )


async def test_one_parts_failure_is_its_own(room: Room) -> None:
    def answering(asked: Asked) -> web.Response:
        parts = honest(asked)
        head = b"HTTP/1.1 429 Too Many\r\nContent-Type: text/html\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n"
        parts[2] = part(asked.parts[2][0], b"<html>", head)
        return answer(parts)

    room.google.answering = answering
    outcomes = await room.send()
    statuses = [outcome.status for outcome in outcomes if isinstance(outcome, Answer)]
    assert statuses == [200, 200, 429, 200, 200]
    assert isinstance(outcomes[2], Answer)
    assert outcomes[2].headers["retry-after"] == "7"


def renamed(asked: Asked) -> list[bytes]:
    return [part(b"x" + name, b"{}") for name, *_ in asked.parts]


MANGLED: dict[str, Answering] = {
    "in another order": lambda asked: answer(list(reversed(honest(asked)))),
    "one missing": lambda asked: answer(honest(asked)[1:]),
    "one twice": lambda asked: answer([*honest(asked), honest(asked)[0]]),
    "under other names": lambda asked: answer(renamed(asked)),
    "without an end": lambda asked: answer(honest(asked), end=b""),
    "cut off in a part": lambda asked: answer([*honest(asked)[:-1], honest(asked)[-1][:-3]]),
    "a part that is no answer": lambda asked: answer([*honest(asked)[:-1], part(asked.parts[-1][0], b"{}", b"%d?")]),
    "a page of HTML": lambda asked: answer(honest(asked), kind="text/html"),
    "nothing": lambda _: answer([]),
}


@pytest.mark.parametrize("answering", MANGLED.values(), ids=list(MANGLED))
async def test_answers_that_cannot_be_told_apart_are_nobodys(room: Room, answering: Answering) -> None:
    room.google.answering = answering
    assert isinstance(await room.lost(), Unreadable)
    assert len(room.google.batches) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {}, Throttled),
        (403, {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}, Throttled),
        (500, {}, Unreachable),
        (503, {}, Unreachable),
    ],
)
async def test_a_batch_that_is_put_off_loses_all_its_calls(
    room: Room, status: int, body: Any, kind: type[OutsideError]
) -> None:
    room.google.answering = lambda _: web.json_response(body, status=status)
    assert isinstance(await room.lost(), kind)
    assert room.google.singles == []


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_where_there_is_no_endpoint_calls_go_one_by_one(room: Room, status: int) -> None:
    room.google.answering = lambda _: web.Response(status=status)
    assert is_right(await room.send())
    assert is_right(await room.send())
    assert len(room.google.batches) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_where_mixed_credentials_are_refused_calls_go_by_subject(room: Room, status: int) -> None:
    def answering(asked: Asked) -> web.Response:
        tokens = {headers for *_, headers in asked.parts}
        return answer(honest(asked)) if len(tokens) == 1 else web.json_response({}, status=status)

    room.google.answering = answering
    two = [
        (Call(call.method, call.path, (f"file:{number % 2}", None)), Secret(f"t{number % 2}"))
        for number, (call, _) in enumerate(CALLS)
    ]
    assert is_right(await room.send(two))
    assert [len(asked.parts) for asked in room.google.batches] == [5, 3, 2]
    assert {asked.request.headers.get("Authorization") for asked in room.google.batches[1:]} == {
        "Bearer t0",
        "Bearer t1",
    }


async def test_where_no_credential_is_taken_calls_go_one_by_one(room: Room) -> None:
    room.google.answering = lambda _: web.json_response({}, status=403)
    with structlog.testing.capture_logs() as lines:
        assert is_right(await room.send())
    assert len(room.google.singles) == len(CALLS)
    assert [(line["instead"], line["seconds"]) for line in lines] == [("by subject", 3600.0), ("one by one", 3600.0)]
    assert "share" not in str(lines)


@pytest.mark.parametrize("status", [400, 413])
async def test_a_batch_that_is_too_large_goes_in_smaller_ones(room: Room, status: int) -> None:
    room.google.answering = lambda asked: (
        answer(honest(asked)) if len(asked.parts) <= 2 else web.Response(status=status)
    )
    assert is_right(await room.send())
    assert is_right(await room.send())
    assert max(len(asked.parts) for asked in room.google.batches[1:]) == 2


@pytest.mark.parametrize("status", [400, 413])
async def test_an_endpoint_that_takes_no_size_is_not_asked_for_ever(room: Room, status: int) -> None:
    room.google.answering = lambda _: web.Response(status=status)
    assert is_right(await room.send())
    assert len(room.google.batches) < len(CALLS)
    assert len(room.google.singles) == len(CALLS)


async def test_one_subjects_refusal_leaves_the_others_their_batches(room: Room) -> None:
    def answering(asked: Asked) -> web.Response:
        tokens = {headers for *_, headers in asked.parts}
        is_taken = len(tokens) == 1 and b"Authorization: Bearer t1" not in tokens
        return answer(honest(asked)) if is_taken else web.json_response({}, status=403)

    room.google.answering = answering
    whose = [number // 3 for number in range(6)]
    calls = [
        (Call("GET", f"calendar/v3/calendars/c{number}/events?x={number}", (f"file:{one}", None)), Secret(f"t{one}"))
        for number, one in enumerate(whose)
    ]
    for _ in range(3):
        outcomes = await room.send(calls)
        assert all(isinstance(outcome, Answer) and outcome.status == 200 for outcome in outcomes)
    assert [len(asked.parts) for asked in room.google.batches].count(6) == 1
    assert room.google.singles == ["Bearer t1"] * 9


async def test_answers_that_are_too_large_together_are_asked_for_apart(room: Room) -> None:
    def answering(asked: Asked) -> web.Response:
        return answer(
            [part(name, b'{"path": "%s", "x": "%s"}' % (path, b"x" * 30_000)) for name, _, path, _ in asked.parts]
        )

    room.google.answering = answering
    assert is_right(await room.send())


async def test_calls_beyond_the_size_go_in_batches_of_their_own(room: Room) -> None:
    room.batches.size.calls = 2
    assert is_right(await room.send())
    assert sorted(len(asked.parts) for asked in room.google.batches) == [2, 2]
    assert len(room.google.singles) == 1


def test_slow_answers_make_batches_smaller_and_quick_ones_larger() -> None:
    size = Size(1000)
    assert size.calls == 50
    size.answered(50, 5.0)
    assert size.calls == 10
    for _ in range(40):
        size.answered(size.calls, 0.1)
    assert size.calls == 1000
    size.answered(3, 0.1)
    assert size.calls == 1000
    size.answered(1000, 0.9)
    assert size.calls == 1000


def test_a_slow_answer_to_a_small_batch_says_nothing_of_a_full_one() -> None:
    size = Size(50)
    size.answered(2, 5.0)
    assert size.calls == 50


def grown(size: Size, batches: int) -> int:
    for _ in range(batches):
        size.answered(size.calls, 0.1)
    return size.calls


def test_a_size_that_was_refused_comes_back_after_a_good_while() -> None:
    size = Size(100)
    size.refused(50)
    assert grown(size, 400) == 25
    assert grown(size, 400) == 100


@pytest.mark.parametrize("most", [2, 50])
def test_there_is_always_a_way_back_to_larger_batches(most: int) -> None:
    size = Size(most)
    size.answered(most, 1000.0)
    size.refused(2)
    assert size.calls == 2
    assert grown(size, 1000) == most


def test_an_operator_can_do_without_batches() -> None:
    size = Size(1)
    size.answered(1, 0.1)
    assert size.calls == 1


async def test_refusals_of_batches_under_way_together_are_one_step_down(room: Room) -> None:
    def answering(asked: Asked) -> web.Response:
        tokens = {headers for *_, headers in asked.parts}
        return answer(honest(asked)) if len(tokens) == 1 else web.json_response({}, status=403)

    room.google.answering = answering
    two = [
        (Call(call.method, call.path, (f"file:{number % 2}", None)), Secret(f"t{number % 2}"))
        for number, (call, _) in enumerate(CALLS)
    ]
    found = await asyncio.gather(*(room.send(two) for _ in range(3)))
    assert all(is_right(outcomes) for outcomes in found)
    assert room.google.singles == []


async def test_a_token_refused_by_subject_is_that_subjects_alone(room: Room) -> None:
    def answering(asked: Asked) -> web.Response:
        tokens = {headers for *_, headers in asked.parts}
        is_taken = len(tokens) == 1 and b"t1" not in asked.body
        return answer(honest(asked)) if is_taken else web.json_response({}, status=401)

    room.google.answering = answering
    two = [
        (Call(call.method, call.path, (f"file:{number % 2}", None)), Secret(f"t{number % 2}"))
        for number, (call, _) in enumerate(CALLS)
    ]
    for _ in range(2):
        outcomes = await room.send(two)
        assert [outcome.status for outcome in outcomes if isinstance(outcome, Answer)] == [200, 401, 200, 401, 200]
    assert room.google.singles == []


@pytest.mark.parametrize("status", [402, 409, 410, 412, 422])
async def test_what_is_said_of_a_whole_batch_parks_and_resets_nobody(room: Room, status: int) -> None:
    room.google.answering = lambda _: web.json_response({}, status=status)
    assert (await room.lost()).remedy is Remedy.AGAIN
    room.google.answering = lambda _: web.Response(status=302, headers={"Location": "/elsewhere"})
    assert (await room.lost()).remedy is Remedy.AGAIN


async def test_waiting_for_a_turn_makes_no_batch_smaller(http: Http, serve: Any) -> None:
    google, gate = Google(), asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        if request.path != "/batch/calendar/v3":
            await gate.wait()
        return await google.answer(request)

    batches = Batches(http, LIMITS, root=await serve(slowly), at_once=1)
    size = batches.size.calls
    first = asyncio.create_task(batches.send(CALLS[:1]))
    second = asyncio.create_task(batches.send(CALLS * 10))
    loop = asyncio.get_running_loop()
    loop.call_later(1.1, gate.set)
    await asyncio.gather(first, second)
    assert batches.size.calls >= size
