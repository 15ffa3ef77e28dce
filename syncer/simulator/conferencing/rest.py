"""The REST face for the vendor's own users and add-on: create, list, read, change and delete meetings."""

import hashlib
from typing import Any

import orjson
from aiohttp import web

from syncer.simulator.conferencing.changes import TELLER
from syncer.simulator.conferencing.diary import Action, Note, state_of
from syncer.simulator.conferencing.meetings import BLANK, Access, Meeting, Wanted
from syncer.simulator.conferencing.vendor import Account, Remembered
from syncer.simulator.conferencing.wire import VENDOR, Refusal, answer, convert, encode, parse, raw_answer

PAGE_LIMIT = 500
KEY_LIMIT = 255


async def create_meeting(request: web.Request) -> web.Response:
    """A new meeting (201); under an `Idempotency-Key` that made one before, the same answer and no second one."""
    account = _account(request)
    content = parse(await request.read())
    key = request.headers.get("Idempotency-Key")
    fingerprint = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
    if key is not None and key in account.creations:
        return _repeat(request, account, account.creations[key], fingerprint=fingerprint)
    external_key = content.pop("external_key", None)
    if external_key is not None and not _is_key(external_key):
        raise Refusal(422, f"`external_key` is a text of at most {KEY_LIMIT} characters.")
    wanted = convert(BLANK | content, Wanted)
    meeting = request.app[VENDOR].create(account, wanted, external_key=external_key)
    body = encode(meeting.as_json())
    if key is not None:
        account.creations[key] = Remembered(fingerprint, body, "created", meeting.id)
    _note(request, account, "create", status=201, meeting=meeting, applied=True)
    return raw_answer(body, status=201)


def _repeat(request: web.Request, account: Account, old: Remembered, *, fingerprint: bytes) -> web.Response:
    if old.fingerprint != fingerprint:
        raise Refusal(422, "This Idempotency-Key was used before for another meeting.")
    meeting = account.meetings[old.meeting_id]
    _note(request, account, "create", status=201, meeting=meeting, repeated=True)
    return raw_answer(old.answer, status=201)


async def list_meetings(request: web.Request) -> web.Response:
    """A page of meetings, oldest first: `limit`, `after` (the last page's `next`), `state`, `external_key`."""
    account = _account(request)
    start, limit = _number(request, "after", 0), _number(request, "limit", 100)
    if not 1 <= limit <= PAGE_LIMIT:
        raise Refusal(400, f"`limit` is a number from 1 to {PAGE_LIMIT}.")
    chosen = [meeting for meeting in account.meetings.values() if _is_asked_for(request, meeting)]
    end = start + limit
    page = [meeting.as_json() for meeting in chosen[start:end]]
    _note(request, account, "read", status=200, meeting=None)
    return answer({"meetings": page, "next": str(end) if end < len(chosen) else None})


async def read_meeting(request: web.Request) -> web.Response:
    """One meeting; a deleted one is still shown, with its state."""
    account = _account(request)
    meeting = account.meetings.get(request.match_info["meeting_id"])
    if meeting is None:
        raise Refusal(404, "There is no meeting with this id.")
    _note(request, account, "read", status=200, meeting=meeting)
    return answer(meeting.as_json())


async def change_meeting(request: web.Request) -> web.Response:
    """The meeting after a change of any field it holds, its `passcode`, or `"new_join_url": true`."""
    account = _account(request)
    content = parse(await request.read())
    meeting = _live_meeting(request, account)
    access = {name: content.pop(name) for name in ("passcode", "new_join_url") if name in content}
    wanted = convert(meeting.held() | content, Wanted)
    changed = request.app[VENDOR].change(account, meeting, wanted, convert(access, Access))
    _note(request, account, "update", status=200, meeting=changed, applied=True)
    request.app[TELLER].tell(account, meeting.id)
    return answer(changed.as_json())


async def delete_meeting(request: web.Request) -> web.Response:
    """Nothing (204); the meeting is deleted."""
    account = _account(request)
    meeting = _live_meeting(request, account)
    deleted = request.app[VENDOR].delete(account, meeting, revision=meeting.revision)
    _note(request, account, "delete", status=204, meeting=deleted, applied=True)
    request.app[TELLER].tell(account, meeting.id)
    return web.Response(status=204)


def _account(request: web.Request) -> Account:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    account = request.app[VENDOR].account_by_token.get(token)
    if scheme.lower() != "bearer" or account is None:
        raise Refusal(401, "The bearer token is not that of an account.", headers={"WWW-Authenticate": "Bearer"})
    return account


def _live_meeting(request: web.Request, account: Account) -> Meeting:
    meeting = account.meetings.get(request.match_info["meeting_id"])
    if meeting is None or meeting.state == "deleted":
        raise Refusal(404, "There is no live meeting with this id.")
    return meeting


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= KEY_LIMIT


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Refusal(400, f"`{name}` is a whole number.")
    return int(text)


def _is_asked_for(request: web.Request, meeting: Meeting) -> bool:
    state = request.query.get("state", meeting.state)
    external_key = request.query.get("external_key", meeting.external_key)
    return meeting.state == state and meeting.external_key == external_key


def _note(request: web.Request, account: Account, action: Action, *, meeting: Meeting | None, **more: Any) -> None:
    note = Note(account.slug, "rest", action, **state_of(meeting), **more)
    request.app[VENDOR].diary.write(note)
