"""The webhook face: signed calls that say how a meeting should be, each carried out at most once."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, assert_never

import msgspec
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from syncer.simulator.conferencing.diary import Action, Note, state_of
from syncer.simulator.conferencing.faults import Fault
from syncer.simulator.conferencing.meetings import Meeting, Wanted
from syncer.simulator.conferencing.vendor import Account, Remembered, Vendor
from syncer.simulator.conferencing.wire import VENDOR, Refusal, convert, encode, parse, raw_answer

Outcome = Literal["applied", "unchanged", "not_found", "stale"]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which meeting is meant."""

    id: str


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every call says: whose meeting, which one, and how new the word is."""

    tenant: str
    revision: Annotated[int, msgspec.Meta(ge=0)]
    conference: Reference


class Change(Target, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an update says on top: the whole wanted state, and which fields differ from the last one."""

    changed: tuple[str, ...]
    wanted: Wanted


class Updated(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="conference.updated"):
    """Make the meeting as wanted."""

    timestamp: str
    content: Change = msgspec.field(name="data")


class Deleted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="conference.deleted"):
    """Delete the meeting."""

    timestamp: str
    content: Target = msgspec.field(name="data")


class Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="conference.read"):
    """Say how the meeting is."""

    timestamp: str
    content: Target = msgspec.field(name="data")


Call = Updated | Deleted | Read


@dataclass(frozen=True, slots=True)
class Visit:
    """One verified call on its way: who calls, under which key, and what is asked."""

    vendor: Vendor
    account: Account
    webhook_id: str
    call: Call

    def note(self, *, status: int | None, **more: Any) -> None:
        """Write into the diary what came of the call."""
        known = {"meeting_id": self.call.content.conference.id} | more
        action = _action(self.call)
        self.vendor.diary.write(Note(self.account.slug, "webhook", action, status, **known))


async def take_call(request: web.Request) -> web.Response:
    """The answer to one signed call; refused ones are in the diary too."""
    vendor = request.app[VENDOR]
    account = vendor.accounts.get(request.match_info["slug"])
    if account is None:
        raise Refusal(404, "There is no account of that name.")
    body = await request.read()
    try:
        call = _verified(account, request, body)
    except Refusal as refusal:
        vendor.diary.write(Note(account.slug, "webhook", None, refusal.status))
        raise
    return await _answer(request, Visit(vendor, account, request.headers["webhook-id"], call))


def _verified(account: Account, request: web.Request, body: bytes) -> Call:
    try:
        Webhook(account.webhook_secret).verify(body, dict(request.headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:  # ValueError: the header is no list of signatures
        raise Refusal(401, "The signature does not fit the body, the id and the time.") from error
    # msgspec takes a union of tagged structs, which is no type to mypy.
    return convert(parse(body), Call)  # type: ignore[arg-type]


async def _answer(request: web.Request, visit: Visit) -> web.Response:
    fault = visit.vendor.faults.draw(is_reading=isinstance(visit.call, Read))
    match fault:
        case Fault.SLOW:
            await asyncio.sleep(visit.vendor.faults.slow_seconds)
        case Fault.SERVER_ERROR:
            return _fail(visit)
        case Fault.TOO_MANY:
            visit.note(status=429)
            raise Refusal(429, "Too many calls at once.", headers={"Retry-After": "1"})
        case Fault.REFUSED:
            visit.note(status=422)
            raise Refusal(422, "The meeting is locked by its owner.", code="meeting-locked")
        case Fault.LOST_ANSWER | None:
            pass
        case _:
            assert_never(fault)
    is_lost = fault is Fault.LOST_ANSWER
    body = _once(visit, status=None if is_lost else 200)
    if is_lost and request.transport is not None:
        request.transport.abort()
    return raw_answer(body)


def _fail(visit: Visit) -> web.Response:
    status = visit.vendor.faults.server_error_status()
    visit.note(status=status)
    if status == 502:  # as a proxy in front of the vendor would say it
        page = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
        return web.Response(status=status, text=page, content_type="text/html")
    raise Refusal(status, "The call was not carried out.")


def _once(visit: Visit, *, status: int | None) -> bytes:
    """The body of the answer; a call that was carried out before gets the old one and changes nothing."""
    fingerprint = _fingerprint(visit.call)
    old = visit.account.webhook_answers.get(visit.webhook_id)
    if old is not None and old.fingerprint != fingerprint:
        visit.note(status=422)
        raise Refusal(422, "This webhook-id was used before for another call.")
    if old is not None:
        visit.note(status=status, outcome=old.outcome, repeated=True, **_now(visit))
        return old.answer
    outcome, meeting = _carry_out(visit)
    answer = encode(_report(outcome, meeting))
    remembered = Remembered(fingerprint, answer, outcome, visit.call.content.conference.id)
    visit.account.webhook_answers[visit.webhook_id] = remembered
    visit.note(status=status, outcome=outcome, applied=outcome == "applied", **state_of(meeting))
    return answer


def _carry_out(visit: Visit) -> tuple[Outcome, Meeting | None]:
    vendor, account, call = visit.vendor, visit.account, visit.call
    meeting = account.meetings.get(call.content.conference.id)
    revision = call.content.revision
    if meeting is None or meeting.state == "deleted":
        return "not_found", None
    if isinstance(call, Read):
        return "unchanged", meeting
    if revision < meeting.revision:
        return "stale", meeting
    if isinstance(call, Deleted):
        return "applied", vendor.delete(account, meeting, revision=revision)
    if call.content.wanted.is_same_as(meeting.holds):
        return "unchanged", vendor.note_revision(account, meeting, revision=revision)
    return "applied", vendor.apply(account, meeting, call.content.wanted, revision=revision)


def _report(outcome: Outcome, meeting: Meeting | None) -> dict[str, Any]:
    if meeting is None:
        return {"status": outcome}
    return {"status": outcome, "conference": meeting.as_conference()}


def _now(visit: Visit) -> dict[str, Any]:
    return state_of(visit.account.meetings.get(visit.call.content.conference.id))


def _fingerprint(call: Call) -> bytes:
    """The same for every attempt of one call; a retry may carry a fresh timestamp."""
    content = call.content
    wanted = content.wanted if isinstance(content, Change) else None
    said = [_action(call), content.tenant, content.conference.id, content.revision, wanted]
    return hashlib.sha256(msgspec.json.encode(said)).digest()


def _action(call: Call) -> Action:
    match call:
        case Updated():
            return "update"
        case Deleted():
            return "delete"
        case Read():
            return "read"
        case _:
            assert_never(call)
