"""The simulated Google as a web application: Calendar API v3, token endpoint and control face."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

import orjson
from aiohttp import web

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google import refusals, selection
from syncer.simulator.google.control import Control
from syncer.simulator.google.diary import Diary, Note
from syncer.simulator.google.faces import METHODS, Answer, Call, Method, Stage
from syncer.simulator.google.faults import Faults
from syncer.simulator.google.grants import Access, Denied, Grants
from syncer.simulator.google.parameters import Query
from syncer.simulator.google.refusals import Refusal
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import World

API = "/calendar/v3"
BODY_LIMIT_BYTES = 64 * 1024 * 1024
JSON_TYPE = "application/json; charset=UTF-8"
NO_CACHE = "no-cache, no-store, max-age=0, must-revalidate"
HTML_ERROR = (
    b"<!DOCTYPE html><html><title>Error 502 (Server Error)!!1</title><p>The server encountered an error.</html>"
)
READ_HEADERS = ("if-match", "x-simulator-people", "x-simulator-add-on")

Responding = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as bytes."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    etag: str = ""


class GoogleSimulator:
    """A Google Calendar of its own, in memory; every random choice comes from the seed."""

    def __init__(self, clock: SimulatedClock, seed: int) -> None:
        world = World(clock, seed)
        self._stage = Stage(world, Faults(seed), Diary(clock))
        self._grants = Grants(seed, world.users)

    def application(self) -> web.Application:
        """The application: `calendar/v3/…`, `token`, and the control face below `simulator/`."""
        application = web.Application(client_max_size=BODY_LIMIT_BYTES)
        for method in METHODS:
            application.router.add_route(method.verb, API + method.route, self._api(method))
        application.router.add_post("/token", self._token)
        application.router.add_routes(Control(self._stage, self._grants).routes())
        application.router.add_route("*", API + "/{rest:.*}", self._unknown)
        return application

    def _api(self, method: Method) -> Responding:
        async def respond(request: web.Request) -> web.Response:
            body = await request.read()
            note = _note_of(request)
            reply = self._reply(method, request, body, note)
            note.status = reply.status
            self._stage.diary.write(note)
            return _response(reply)

        return respond

    def _reply(self, method: Method, request: web.Request, body: bytes, note: Note) -> Reply:
        try:
            access = self._access(method, request, note)
            if note.actor == "client" and self._stage.faults.strikes("server_error"):
                note.marks["fault"] = "server_error"
                return self._server_error()
            query = Query({name: request.query.getall(name) for name in request.query}, method.name)
            selected = selection.read(query.text("fields")) if query.has("fields") else {}
            headers = {name: request.headers[name] for name in READ_HEADERS if name in request.headers}
            call = Call(self._stage, access.subject, request.match_info, query, headers, body, note)
            return _written(method.face(call), selected)
        except Refusal as refusal:
            return Reply(refusal.status, orjson.dumps(refusal.body()))

    def _access(self, method: Method, request: web.Request, note: Note) -> Access:
        access = self._grants.access_of(request.headers.get("Authorization", ""))
        if access is None:
            raise refusals.unauthenticated()
        note.subject = access.subject
        if not access.scopes & method.scopes:
            raise refusals.scope_missing()
        return access

    def _server_error(self) -> Reply:
        backend = Refusal(500, "backendError", "Backend Error").body()
        unavailable = Refusal(503, "backendError", "Service Unavailable").body()
        return (
            Reply(500, orjson.dumps(backend)),
            Reply(502, HTML_ERROR, "text/html; charset=UTF-8"),
            Reply(503, orjson.dumps(unavailable)),
        )[self._stage.faults.pick(3)]

    async def _token(self, request: web.Request) -> web.Response:
        form = parse_qs((await request.read()).decode("utf-8", "replace"))
        note = _note_of(request)
        note.kind = "token"
        try:
            status, body = 200, self._grants.token({name: values[-1] for name, values in form.items()})
            access = self._grants.access_of(f"Bearer {body['access_token']}")
            note.subject = access.subject if access else None
        except Denied as denied:
            status = denied.status
            body = {"error": denied.error, "error_description": denied.description}
        note.status = status
        self._stage.diary.write(note)
        return _response(Reply(status, orjson.dumps(body)))

    async def _unknown(self, request: web.Request) -> web.Response:
        note = _note_of(request)
        note.status = 404
        self._stage.diary.write(note)
        return _response(Reply(404, orjson.dumps(refusals.not_found().body())))


def _note_of(request: web.Request) -> Note:
    values = {name: request.query.getall(name) for name in request.query}
    note = Note(
        request.method,
        request.path,
        {name: found[0] if len(found) == 1 else found for name, found in values.items()},
        actor="people" if request.headers.get("X-Simulator-People") == "1" else "client",
        calendar_id=request.match_info.get("calendarId"),
        event_id=request.match_info.get("eventId"),
    )
    if request.method != "GET":
        note.marks["if_match"] = "If-Match" in request.headers
    return note


def _written(answer: Answer, selected: selection.Selection) -> Reply:
    if answer.body is None:
        return Reply(answer.status, b"")
    body: Json = selection.chosen(answer.body, selected)
    return Reply(answer.status, orjson.dumps(body), etag=str(answer.body.get("etag", "")))


def _response(reply: Reply) -> web.Response:
    headers = {"Content-Type": reply.content_type, "Cache-Control": NO_CACHE}
    if reply.etag:
        headers["ETag"] = reply.etag
    if reply.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
    if reply.status == 204:
        headers.pop("Content-Type")
    return web.Response(status=reply.status, body=reply.body, headers=headers)
