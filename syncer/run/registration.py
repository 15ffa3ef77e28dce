"""Registration: what a vendor's backend tells us with its tenant's key: calendars, conferences, and that one changed.

The key is looked at before anything else is read, each time; a key touches its own tenant's rows alone. Each answer of
2xx comes after its commit. `openapi.json` beside this says the same for other people.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import Annotated, TypeVar

import msgspec
import orjson
from aiohttp import web
from msgspec import Meta

from syncer.clients.google import auth
from syncer.clients.google.credential import GOOGLE_TOKEN_URI
from syncer.clients.secret import Secret
from syncer.model.errors import OperatorError
from syncer.run.listening import Refusal, answer
from syncer.run.rates import Rates
from syncer.store import api_keys, registration
from syncer.store.api_keys import Bearer
from syncer.store.database import Database
from syncer.store.registration import NewCalendar, NewConference
from syncer.store.ring import Key, Keys

CALENDARS, CONFERENCES = "/v1/calendars", "/v1/conferences"
CHANGED = "/v1/calendars/{calendar}/changed"
DESCRIPTION = "/v1/openapi.json"
_TOO_MANY = "This key has made as many calls in the last minute as it may; send it again after Retry-After seconds."
_NO_KEY = (
    "The header Authorization does not carry a good key: send `Authorization: Bearer KEY` with one of your tenant."
)
_LONGEST_GOOGLE_ID, _LONGEST_ADDRESS = 1024, 320
_GOOGLE_ID = re.compile(r"[^\s/?]+")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Given = Annotated[str, Meta(min_length=1, max_length=16_384)]


class _Grant(msgspec.Struct, forbid_unknown_fields=True):
    """A user's consent, as OAuth gave it to the vendor's client."""

    client_id: Given
    client_secret: Given
    refresh_token: Given
    token_uri: Given = GOOGLE_TOKEN_URI


class _Calendar(msgspec.Struct, forbid_unknown_fields=True):
    calendar: Text
    subject: Text | None = None
    addresses: Annotated[list[Text], Meta(max_length=50)] = []
    grant: _Grant | None = None


class _Named(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[str, Meta(min_length=1, max_length=512)]


class _Conference(msgspec.Struct, forbid_unknown_fields=True):
    calendar: Text
    conference: _Named
    event_id: Text | None = None
    expires_in_seconds: Annotated[int, Meta(ge=60, le=2_592_000)] = 86_400


Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Sealing:
    """What users' grants are kept with. keys: the key ring, if there is one. token_uris: where tokens may be got."""

    keys: Keys
    token_uris: Collection[str] = (GOOGLE_TOKEN_URI,)


class Registration:
    """Takes what vendors register. refused: calls without a good key, since the start. too_many: of a key at a time."""

    def __init__(self, database: Database, sealing: Sealing | None = None, rates: Rates | None = None) -> None:
        self.refused = self.too_many = 0
        self._rates = rates if rates is not None else Rates()
        self._database = database
        self._sealing = sealing or Sealing(Keys(None))
        self._description = resources.files("syncer.run").joinpath("openapi.json").read_bytes()

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [
            web.post(CALENDARS, self._put_calendar),
            web.post(CONFERENCES, self._put_conference),
            web.post(CHANGED, self._take_change),
            web.get(DESCRIPTION, self._describe),
        ]

    async def _describe(self, _request: web.Request) -> web.Response:
        """`GET /v1/openapi.json`: what this face takes and answers."""
        return web.Response(body=self._description, content_type="application/json")

    async def _put_calendar(self, request: web.Request) -> web.Response:
        """`POST /v1/calendars`: 201 for a calendar that is new, 200 for one that was there."""
        bearer = await self._bearer(request)
        body = _decoded(await request.read(), _Calendar)
        _refuse_calendar(body.calendar)
        if body.subject is not None:
            _refuse_address(body.subject, "/subject")
        for place, address in enumerate(body.addresses):
            _refuse_address(address, f"/addresses/{place}")
        credential, key = self._sealed(body) if body.grant is not None else (None, None)
        wanted = NewCalendar(body.calendar, body.subject, tuple(body.addresses), credential, key)
        put = await registration.put_calendar(self._database, bearer.tenant_id, wanted)
        if put is None:
            raise _no_key()
        content = {"calendar": body.calendar, "state": put.state, "is_new": put.is_new}
        return answer(content, status=HTTPStatus.CREATED if put.is_new else HTTPStatus.OK)

    async def _put_conference(self, request: web.Request) -> web.Response:
        """`POST /v1/conferences`: 201 for a conference that is new, 200 for one that was known."""
        bearer = await self._bearer(request)
        body = _decoded(await request.read(), _Conference)
        _refuse_calendar(body.calendar)
        _refuse_unprintable(body.conference.id, "/conference/id")
        _refuse_unprintable(body.event_id or "-", "/event_id")
        wanted = NewConference(body.calendar, body.conference.id, body.event_id, body.expires_in_seconds)
        put = await registration.put_conference(self._database, bearer.tenant_id, wanted)
        if put is None:
            raise _no_calendar("/calendar")
        if put.is_foreign:
            raise Refusal(409, "The conference is another tenant's of the same provider account.", at="/conference/id")
        content = {
            "calendar": body.calendar,
            "conference": {"id": body.conference.id},
            "state": put.state,
            "expires_at": put.expires_at,
            "is_new": put.is_new,
        }
        return answer(content, status=HTTPStatus.CREATED if put.is_new else HTTPStatus.OK)

    async def _take_change(self, request: web.Request) -> web.Response:
        """`POST /v1/calendars/{calendar}/changed`: 204 once the mark is committed. A body is not read."""
        bearer = await self._bearer(request)
        google_id = request.match_info["calendar"]
        if not _is_printable(google_id) or not await registration.changed(self._database, bearer.tenant_id, google_id):
            raise _no_calendar(None)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _bearer(self, request: web.Request) -> Bearer:
        """Whose key the request carries. Raises Refusal, with nothing of its body read."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        found = await api_keys.bearer(self._database, key.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            self.refused += 1
            raise _no_key()
        if (seconds := self._rates.wait_seconds(found.key_id)) > 0:
            self.too_many += 1
            raise Refusal(429, _TOO_MANY, headers={"Retry-After": str(math.ceil(seconds))})
        return found

    def _sealed(self, body: _Calendar) -> tuple[str, Key]:
        """A user's grant as it is kept, and the key to seal it with. Raises Refusal."""
        try:
            key = self._sealing.keys.ring().primary
        except OperatorError:
            # What is wrong with the ring is its operator's to know.
            raise Refusal(
                422,
                "This installation has no key ring to seal a grant with, so it keeps none: its operator sets "
                "SYNCER_KEY_RING.",
                at="/grant",
            ) from None
        text = orjson.dumps({"type": "authorized_user", **msgspec.to_builtins(body.grant)}).decode()
        try:
            auth.refuse_unusable("grant", Secret(text), token_uris=self._sealing.token_uris)
        except OperatorError as error:
            sentence = f"{str(error).rstrip('.')}."
        else:
            return text, key
        raise Refusal(422, f"{sentence[0].upper()}{sentence[1:]}", at="/grant")


def _no_key() -> Refusal:
    return Refusal(401, _NO_KEY, headers={"WWW-Authenticate": "Bearer", "Connection": "close"})


def _no_calendar(at: str | None) -> Refusal:
    return Refusal(404, f"The tenant has no such calendar; POST {CALENDARS} makes it one.", at=at)


def _decoded(body: bytes, shape: type[Body]) -> Body:
    """A body in its shape. Raises Refusal, which says where it is not, and nothing of what stands there."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        sentence, _, where = str(error).partition(" - at `")
        refusal = Refusal(422, f"{sentence}.", at=_pointer(where.rstrip("`")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        refusal = Refusal(400, "The body is not JSON.", at="")
    # Outside of the `except`: those errors may hold what was sent.
    raise refusal


def _pointer(path: str) -> str:
    """A JSON pointer (RFC 6901) for a path as msgspec writes it: `$.conference.id`."""
    return "".join(f"/{name or place}" for name, place in _STEP.findall(path.removeprefix("$")))


def _refuse_calendar(google_id: str) -> None:
    is_id = bool(_GOOGLE_ID.fullmatch(google_id)) and _is_printable(google_id) and google_id not in (".", "..")
    if google_id.lower() == "primary":
        raise Refusal(
            422,
            "A calendar is named by its id, which is its user's address where it is their primary one.",
            at="/calendar",
        )
    if not is_id:
        raise Refusal(422, "A calendar's id has no spaces, slashes and question marks.", at="/calendar")


def _refuse_address(text: str, at: str) -> None:
    if not (_ADDRESS.fullmatch(text) and _is_printable(text) and len(text) <= _LONGEST_ADDRESS):
        raise Refusal(422, "It is not an e-mail address.", at=at)


def _refuse_unprintable(text: str, at: str) -> None:
    if not _is_printable(text):
        raise Refusal(422, "An id consists of characters that can be seen.", at=at)


def _is_printable(text: str) -> bool:
    # A lone surrogate can be in no row either; it is not printable.
    return text.isprintable() and len(text) <= _LONGEST_GOOGLE_ID
