"""The batch endpoint: many calls in one request, carried out in any order, answered in theirs.

Source: Calendar API, "Batch requests". What Google answers to a batch it cannot take is a guess: 400, as a whole.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from aiohttp import web

from syncer.simulator.google import multipart, refusals, replies, requests
from syncer.simulator.google.desk import Answered, Desk, Turn
from syncer.simulator.google.exchange import Exchange
from syncer.simulator.google.faces import Stage
from syncer.simulator.google.faults import BATCHES_REFUSED, BATCHES_SPOILT
from syncer.simulator.google.multipart import Malformed, Part
from syncer.simulator.google.refusals import Refusal
from syncer.simulator.google.replies import Reply
from syncer.simulator.google.requests import Asked
from syncer.simulator.google.times import Json

PATH = "/batch/calendar/v3"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
BREATH = 16
"""Parts that are carried out before others get a turn."""
HTML_PAGE = b"<!DOCTYPE html><html><title>Sign in to the network</title><p>Please sign in.</html>"

Sheet = list[tuple[str, bytes]]


class Batches:
    """Answers batches, each under a number of its own."""

    def __init__(self, stage: Stage, desk: Desk, exchange: Exchange, seed: int) -> None:
        self._stage = stage
        self._desk = desk
        self._exchange = exchange
        self._chance = random.Random(f"{seed}:batches")
        self._count = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to one batch. Only a batch that is refused as a whole has a diary entry of its own."""
        outer = requests.of_http(request, await request.read())
        await self._exchange.delay(outer)
        try:
            fault = None if outer.is_from_people else self._refusing_fault()
            if fault is not None:
                return await self._turned_away(request, outer, self._refusal(fault), fault)
            calls, ids = self._calls(outer)
        except Refusal as refusal:
            return await self._turned_away(request, outer, replies.refused(refusal))
        answers = await self._carried_out(calls)
        greetings = [greeting for answer in answers for greeting in answer.greetings]
        async with self._stage.messages.around(greetings):
            reply = self._reply(outer, ids, answers)
            return await self._exchange.send(request, outer, reply, [answer.entry for answer in answers])

    def _calls(self, outer: Asked) -> tuple[list[Asked], list[str]]:
        """The calls of a batch and the Content-IDs of their answers. Raises Refusal for one that cannot be taken."""
        switches = self._stage.world.switches
        if not switches.batch:
            raise refusals.not_found()
        try:
            parts = multipart.split(outer.body, multipart.boundary_of(outer.headers.get("content-type", "")))
        except Malformed as malformed:
            raise refusals.bad_batch(str(malformed)) from malformed
        if not parts:
            raise refusals.bad_batch("0 items")
        if len(parts) > switches.batch_limit:
            raise refusals.bad_batch(f"{len(parts)} items, of which at most {switches.batch_limit} are taken")
        self._count += 1
        calls = [_call(outer, part, self._count) for part in parts]
        if not switches.batch_mixed_credentials and len({call.headers.get("authorization") for call in calls}) > 1:
            raise Refusal(403, "forbidden", "A batch may carry the credentials of one caller only.")
        return calls, [multipart.response_id(part.content_id) for part in parts]

    async def _carried_out(self, calls: Sequence[Asked]) -> list[Answered]:
        """The answers in the calls' order, whatever the order in which they were carried out."""
        turn = Turn()
        order = self._chance.sample(range(len(calls)), len(calls))
        answers: dict[int, Answered] = {}
        for done, number in enumerate(order):
            if done % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            answers[number] = self._desk.answer(calls[number], turn)
        return [answers[number] for number in range(len(calls))]

    def _reply(self, outer: Asked, ids: Sequence[str], answers: Sequence[Answered]) -> Reply:
        sheet = [(content_id, replies.as_part(answer.reply)) for content_id, answer in zip(ids, answers, strict=True)]
        fault = None if outer.is_from_people else self._spoiling_fault(len(sheet))
        if fault is not None:
            sheet = self._spoilt(sheet, fault)
            for answer in answers:
                answer.entry["batch_fault"] = fault
        boundary = f"batch_{''.join(self._chance.choices(LETTERS, k=24))}"
        body = multipart.joined(boundary, sheet)
        if fault == "batch_truncated":
            body = body[: self._chance.randrange(len(body) // 4, len(body) * 3 // 4)]
        return Reply(200, body, f"multipart/mixed; boundary={boundary}")

    def _refusing_fault(self) -> str | None:
        return next((kind for kind in BATCHES_REFUSED if self._stage.faults.strikes(kind)), None)

    def _spoiling_fault(self, parts: int) -> str | None:
        kinds = [kind for kind in BATCHES_SPOILT if parts > 1 or kind != "batch_disorder"]
        return next((kind for kind in kinds if self._stage.faults.strikes(kind)), None)

    def _spoilt(self, sheet: Sheet, fault: str) -> Sheet:
        place = self._chance.randrange(len(sheet))
        if fault == "batch_disorder":
            turned = self._chance.randrange(1, len(sheet))
            return sheet[turned:] + sheet[:turned]
        if fault == "batch_part_missing":
            return sheet[:place] + sheet[place + 1 :]
        if fault == "batch_wrong_id":
            # Another call's id where there is one, else a stranger's.
            other = sheet[place - 1][0] if len(sheet) > 1 else "<response-stranger>"
            return [*sheet[:place], (other, sheet[place][1]), *sheet[place + 1 :]]
        return sheet

    def _refusal(self, fault: str) -> Reply:
        match fault:
            case "batch_401":
                return replies.refused(refusals.unauthenticated())
            case "batch_403":
                return replies.refused(Refusal(403, "forbidden", "Forbidden"))
            case "batch_413":
                return Reply(
                    413,
                    b"<html><title>413</title>Your client issued a request that was too large.</html>",
                    replies.HTML_TYPE,
                )
            case "batch_429":
                return self._desk.refused(refusals.rate_limited(429))
            case "batch_502":
                return replies.html_error()
            case _:
                return Reply(200, HTML_PAGE, replies.HTML_TYPE)

    async def _turned_away(
        self, request: web.Request, outer: Asked, reply: Reply, fault: str | None = None
    ) -> web.StreamResponse:
        note = outer.note()
        note.kind, note.status = "batch", reply.status
        if fault is not None:
            note.marks["fault"] = fault
        entry: Json = self._stage.diary.write(note)
        return await self._exchange.send(request, outer, reply, [entry])


def _call(outer: Asked, part: Part, batch: int) -> Asked:
    """A part as a call: what the batch carries outside holds for it, unless it says otherwise itself."""
    path, query = requests.query_of(part.target)
    shared = {name: value for name, value in outer.headers.items() if not name.startswith("content-")}
    headers = shared | part.headers
    return Asked(part.verb, path, {**outer.query, **query}, headers, part.body, batch)
