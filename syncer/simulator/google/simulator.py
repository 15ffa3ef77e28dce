"""The simulated Google as a web application: Calendar API v3 with its batches, token endpoint and control face."""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson
from aiohttp import web

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google import batch, requests
from syncer.simulator.google.batch import Batches
from syncer.simulator.google.channels import Channels
from syncer.simulator.google.control import Control
from syncer.simulator.google.control_access import AccessControl
from syncer.simulator.google.control_notifications import NotificationControl
from syncer.simulator.google.desk import Desk, Witness
from syncer.simulator.google.diary import Diary, Note
from syncer.simulator.google.exchange import Exchange
from syncer.simulator.google.faces import Stage
from syncer.simulator.google.faults import Faults
from syncer.simulator.google.grants import Denied, Grants
from syncer.simulator.google.messages import Messages
from syncer.simulator.google.quotas import Quotas
from syncer.simulator.google.replies import Reply
from syncer.simulator.google.requests import Asked
from syncer.simulator.google.routes import API
from syncer.simulator.google.world import World

BODY_LIMIT_BYTES = 64 * 1024 * 1024


class GoogleSimulator:
    """A Google Calendar of its own, in memory; every random choice comes from the seed.

    witness: is shown each call of the API and its answer, those in a batch one by one.
    """

    def __init__(self, clock: SimulatedClock, seed: int, *, witness: Witness | None = None) -> None:
        world = World(clock, seed)
        diary = Diary(clock)
        messages = Messages(world, Channels(clock, seed), diary)
        self._stage = Stage(world, Faults(seed), diary, Quotas(clock, seed), messages)
        self._grants = Grants(seed, world.users, clock)
        self._exchange = Exchange(self._stage)
        self._desk = Desk(self._stage, self._grants, witness)
        self._batches = Batches(self._stage, self._desk, self._exchange, seed)

    def application(self) -> web.Application:
        """The application: `calendar/v3/…`, `batch/calendar/v3`, `token`, and the control face below `simulator/`.

        While it is served it sends the messages of channels, to addresses on this machine only.
        """
        application = web.Application(client_max_size=BODY_LIMIT_BYTES)
        application.router.add_post(batch.PATH, self._batches.answer)
        application.router.add_post("/token", self._token)
        application.router.add_routes(Control(self._stage, self._grants).routes())
        application.router.add_routes(AccessControl(self._stage, self._grants).routes())
        application.router.add_routes(NotificationControl(self._stage).routes())
        application.cleanup_ctx.append(self._stage.messages.open)
        application.router.add_route("*", API + "/{rest:.*}", self._single)
        return application

    async def _single(self, request: web.Request) -> web.StreamResponse:
        asked = requests.of_http(request, await request.read())
        await self._exchange.delay(asked)
        answered = self._desk.answer(asked)
        async with self._stage.messages.around(answered.greetings):
            return await self._exchange.send(request, asked, answered.reply, [answered.entry])

    async def _token(self, request: web.Request) -> web.StreamResponse:
        asked = requests.of_http(request, await request.read())
        form = parse_qs(asked.body.decode("utf-8", "replace"))
        note = asked.note()
        note.kind = "token"
        await self._exchange.delay(asked)
        try:
            self._check_token_fault(asked, note)
            status, body = (
                200,
                self._grants.token(
                    {name: values[-1] for name, values in form.items()}, is_peoples=asked.is_from_people
                ),
            )
            access = self._grants.access_of(f"Bearer {body['access_token']}")
            note.subject = access.subject if access else None
        except Denied as denied:
            status = denied.status
            body = {"error": denied.error, "error_description": denied.description}
        note.status = status
        entry = self._stage.diary.write(note)
        return await self._exchange.send(request, asked, Reply(status, orjson.dumps(body)), [entry])

    def _check_token_fault(self, asked: Asked, note: Note) -> None:
        if asked.is_from_people:
            return
        if self._stage.faults.strikes("token_server_error"):
            note.marks["fault"] = "token_server_error"
            raise Denied((500, 503)[self._stage.faults.pick(2)], "internal_failure", "Backend Error")
        if self._stage.faults.strikes("token_rate_limited"):
            note.marks["fault"] = "token_rate_limited"
            raise Denied(429, "rate_limit_exceeded", "Too many requests.")
