"""Answers one call, whether it came alone or in a batch: who asks, may they, does a fault strike, the method itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from syncer.simulator.google import refusals, replies, selection
from syncer.simulator.google.diary import Note
from syncer.simulator.google.faces import METHODS, Answer, Call, Method, Stage
from syncer.simulator.google.grants import Access, Grants
from syncer.simulator.google.messages import Message
from syncer.simulator.google.parameters import Query
from syncer.simulator.google.quotas import Usage
from syncer.simulator.google.refusals import Refusal
from syncer.simulator.google.replies import Reply
from syncer.simulator.google.requests import Asked
from syncer.simulator.google.routes import Routes
from syncer.simulator.google.times import Json

Witness = Callable[[Asked, Reply], None]
UNCHANGING = ("events.watch", "channels.stop")
"""Methods that change no calendar, though they are no GET."""
READ_HEADERS = ("if-match", "x-simulator-people", "x-simulator-add-on")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and its entry in the diary, to which more may be noted.

    greetings: the sync message of a channel that it opened, to be sent with it.
    """

    reply: Reply
    entry: Json
    greetings: list[Message]


@dataclass(slots=True)
class Turn:
    """What the calls that are answered together share.

    written: the calendars that one of them wrote to. projects: whose quota they used.
    """

    written: set[str] = field(default_factory=set)
    projects: set[str] = field(default_factory=set)


class Desk:
    """Where calls are answered, each whole before the next one begins. witness: is shown each call and its answer."""

    def __init__(self, stage: Stage, known_grants: Grants, witness: Witness | None = None) -> None:
        self._witness = witness
        self._stage = stage
        self._grants = known_grants
        self._routes = Routes(METHODS)

    def answer(self, asked: Asked, turn: Turn | None = None) -> Answered:
        """The answer to a call, noted in the diary. turn: of the batch that it is a part of."""
        note = asked.note()
        try:
            reply = self._reply(asked, note, turn)
        except Refusal as refusal:
            reply = self.refused(refusal)
        note.status = reply.status
        if self._witness is not None:
            self._witness(asked, reply)
        entry = self._stage.diary.write(note)
        return Answered(reply, entry, self._stage.messages.commit())

    def refused(self, refusal: Refusal) -> Reply:
        """The answer to a call that is refused; one that is refused for load may say how long to wait."""
        seconds = self._stage.world.switches.retry_after_seconds
        if seconds is not None and refusal.reason in refusals.USAGE_REASONS:
            refusal.headers["Retry-After"] = str(seconds)
        return replies.refused(refusal)

    def _reply(self, asked: Asked, note: Note, turn: Turn | None) -> Reply:
        found = self._routes.found(asked.verb, asked.path)
        if found is None:
            raise refusals.not_found()
        method, path = found
        note.calendar_id, note.event_id = path.get("calendarId"), path.get("eventId")
        access = self._access(method, asked, note)
        query = Query(asked.query, method.name)
        is_writing = not _reads(asked) and method.name not in UNCHANGING
        written = _calendars(access, path, query) if is_writing else set()
        if not asked.is_from_people:
            self._charge(method, asked, access, written)
            reply = self._fault(note)
            if reply is not None:
                return reply
        selected = selection.read(query.text("fields")) if query.has("fields") else {}
        headers = {name: asked.headers[name] for name in READ_HEADERS if name in asked.headers}
        call = Call(self._stage, access, path, query, headers, asked.body, note)
        if turn is not None:
            self._check_turn(turn, access, written)
        return _written(method.face(call), selected, asked.headers.get("if-none-match") if _reads(asked) else None)

    def _access(self, method: Method, asked: Asked, note: Note) -> Access:
        access = self._grants.access_of(asked.headers.get("authorization", ""))
        if access is None:
            raise refusals.unauthenticated()
        note.subject = access.subject
        if not access.scopes & method.scopes:
            raise refusals.scope_missing()
        return access

    def _fault(self, note: Note) -> Reply | None:
        """What strikes any call before anything is done."""
        faults = self._stage.faults
        for kind in ("token_refused", "rate_limited", "server_error"):
            if not faults.strikes(kind):
                continue
            note.marks["fault"] = kind
            if kind == "server_error":
                return self._server_error()
            if kind == "token_refused":
                raise refusals.unauthenticated()
            raise refusals.rate_limited((403, 429)[faults.pick(2)])
        return None

    def _server_error(self) -> Reply:
        backend = Refusal(500, "backendError", "Backend Error")
        unavailable = Refusal(503, "backendError", "Service Unavailable")
        return (replies.refused(backend), replies.html_error(), replies.refused(unavailable))[
            self._stage.faults.pick(3)
        ]

    def _charge(self, method: Method, asked: Asked, access: Access, written: set[str]) -> None:
        named = (asked.query.get("quotaUser") or [""])[-1] or asked.headers.get("x-goog-quota-user", "")
        weight = self._stage.world.switches.patch_weight if method.name == "events.patch" else 1
        calendar_id = min(written, default=None)
        usage = Usage(access.project, named or access.charged, access.subject, calendar_id, weight)
        self._stage.quotas.charge(usage)

    def _check_turn(self, turn: Turn, access: Access, written: set[str]) -> None:
        """Refuse the second write of a batch to one calendar; count batches over the projects of several."""
        if access.project not in turn.projects:
            turn.projects.add(access.project)
            self._stage.quotas.mixed_batches += len(turn.projects) == 2
        if written & turn.written and self._stage.world.switches.batch_conflicts:
            raise refusals.conflict()
        turn.written |= written


def _calendars(access: Access, path: Mapping[str, str], query: Query) -> set[str]:
    """The ids of the calendars that a call names."""
    named = (path.get("calendarId", ""), query.text("destination"))
    return {access.subject if name == "primary" else name.lower() for name in named if name}


def _reads(asked: Asked) -> bool:
    return asked.verb == "GET"


def _written(answer: Answer, selected: selection.Selection, if_none_match: str | None) -> Reply:
    """The answer as bytes, its fields chosen; 304 without a body when the caller has this version."""
    if answer.body is None:
        return Reply(answer.status, b"")
    etag = str(answer.body.get("etag", ""))
    if if_none_match is not None and etag in [tag.strip() for tag in if_none_match.split(",")]:
        return Reply(304, b"", etag=etag)
    body: Json = selection.chosen(answer.body, selected)
    return Reply(answer.status, orjson.dumps(body), etag=etag)
