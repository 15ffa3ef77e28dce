"""Access tokens: one per credential and subject, in memory, refreshed once however many ask.

Expiry and signatures go by real time at both ends: this module asks the machine's clock and no other.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec
from google.auth import crypt, jwt

from syncer.clients.google import errors
from syncer.clients.google.credential import GOOGLE_TOKEN_URI, AuthorizedUser, Credential, ServiceAccount, parse
from syncer.clients.http import BAD_JSON, Http, Limits
from syncer.clients.references import References
from syncer.clients.secret import Secret
from syncer.model.errors import (
    OperatorError,
    Remedy,
    StoreError,
    SyncerError,
    Throttled,
    Unreachable,
    Unreadable,
)
from syncer.model.reference import as_written

SCOPES = ("https://www.googleapis.com/auth/calendar.events",)

_LIMITS = Limits(deadline_seconds=20.0, body_bytes=64 * 1024)
_ASSERTION_SECONDS = 3600
_LIFE_SHARE = (0.8, 0.9)
_AGAIN_SECONDS = 30.0
_LONGEST_SECONDS = 86_400.0
# It goes into header lines as it is. Source: RFC 6750, 2.1.
_TOKEN = re.compile(r"[\x21-\x7e]+")
# Whoever mends what these ask for may do it by giving another credential.
_MENDED_BY_PEOPLE = (Remedy.ASK, Remedy.PARK, Remedy.LEAVE)
_REPLACED = object()
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(slots=True)
class _Slot:
    """One (reference, subject): its token, and what came of the last attempt to get one."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: Secret | None = None
    refresh_at: float = 0.0
    expires_at: float = 0.0
    attempts: int = 0
    last: Secret | SyncerError | None = None


@dataclass(frozen=True, slots=True)
class _Grantor:
    """A credential, ready to ask with: its key is parsed (that costs some 45 ms, a signature one)."""

    credential: Credential
    signer: crypt.RSASigner | None


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float
    token_type: str = "Bearer"  # noqa: S105  # the scheme's name


class Credentials:
    """Gives access tokens for references.

    token_uris: endpoints that may be asked. scopes: asked for with a service account; a user's grant has its own.
    clock: real time, seconds since 1970.
    """

    def __init__(
        self,
        http: Http,
        references: References,
        *,
        token_uris: Collection[str] = (GOOGLE_TOKEN_URI,),
        scopes: tuple[str, ...] = SCOPES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._references = references
        self._token_uris = frozenset(token_uris)
        self._scopes = scopes
        self._clock = clock
        self._chance = random.SystemRandom()
        self._grantor_by_reference: dict[str, _Grantor] = {}
        self._reading: dict[str, asyncio.Lock] = {}
        self._replaced: Counter[str] = Counter()
        self._slot_by_key: dict[tuple[str, str | None], _Slot] = {}
        # Of references that failed: what marked the value that did.
        self._mark_by_reference: dict[str, object] = {}
        self._failed_mark_by_reference: dict[str, object] = {}
        self._mended: frozenset[str] = frozenset()

    async def check(self, reference: str) -> None:
        """Reads and checks a credential without using it. Raises OperatorError."""
        _ready(reference, await self._parsed(reference))

    async def keep_up(self) -> None:
        """Drops what is kept of credentials that were replaced meanwhile. May be called all the time."""
        for reference in await self._references.replaced():
            self._grantor_by_reference.pop(reference, None)
            self._replaced[reference] += 1
            if reference in self._failed_mark_by_reference:
                self._failed_mark_by_reference[reference] = _REPLACED
            for key, slot in self._slot_by_key.items():
                if key[0] == reference:
                    slot.token = slot.last = None

    async def mind(self, references: Iterable[str]) -> None:
        """Has `mended` tell of these too, which failed before this process was there."""
        for reference in references:
            if reference not in self._failed_mark_by_reference:
                self._failed_mark_by_reference[reference] = await self._references.watch(reference)

    async def mended(self) -> frozenset[str]:
        """References that failed and have another value by now. May be called all the time.

        Each is given twice in a row: whoever failed with the old value a moment ago may be noticed only after that.
        """
        await self.keep_up()
        before, self._mended = (
            self._mended,
            frozenset(
                [one for one, mark in self._failed_mark_by_reference.items() if mark != self._references.mark(one)]
            ),
        )
        for reference in self._mended:
            del self._failed_mark_by_reference[reference]
        return before | self._mended

    def held(self, reference: str, subject: str | None) -> Secret | None:
        """The token that `access_token` would give at once, None when it would have to ask."""
        slot = self._slot_by_key.get((reference, subject))
        return slot.token if slot is not None and self._clock() < slot.refresh_at else None

    async def access_token(self, reference: str, subject: str | None) -> Secret:
        """A token that is good for some minutes at least.

        subject: the user whom a service account speaks for; a user's grant is for its own user, whoever is named.
        Raises OperatorError, GrantLost, AccessDenied, Throttled, Unreachable, Unreadable, Refused.
        """
        await self.keep_up()
        slot = self._slot_by_key.setdefault((reference, subject), _Slot())
        if slot.token is not None and self._clock() < slot.refresh_at:
            return slot.token
        seen = slot.attempts
        async with slot.lock:
            # Whoever waited for another's attempt takes what came of it, a failure too.
            last = slot.last if slot.attempts != seen else None
            last = last or await self._attempt(slot, reference, subject)
        if isinstance(last, Secret):
            return last
        raise last.with_traceback(None)

    def forget(self, reference: str, subject: str | None, token: Secret) -> None:
        """Drops a token that was refused, so that the next call refreshes; nothing if it was replaced already."""
        slot = self._slot_by_key.get((reference, subject))
        if slot is not None and slot.token == token:
            slot.token = slot.last = None

    async def _attempt(self, slot: _Slot, reference: str, subject: str | None) -> Secret | SyncerError:
        """Refreshes a slot, or keeps why not. While the old token lives, a passing failure costs nothing."""
        asked_at, before = self._clock(), self._replaced[reference]
        try:
            answer = await self._ask(reference, subject)
        except SyncerError as error:
            slot.last = self._failed(slot, reference, error, asked_at=asked_at)
            if error.remedy in _MENDED_BY_PEOPLE:
                is_known = self._replaced[reference] == before
                mark = self._mark_by_reference.get(reference) if is_known else _REPLACED
                self._failed_mark_by_reference[reference] = mark
        else:
            life_seconds = min(max(answer.expires_in, 0.0), _LONGEST_SECONDS)
            slot.last = slot.token = Secret(answer.access_token)
            slot.refresh_at = asked_at + life_seconds * self._chance.uniform(*_LIFE_SHARE)
            slot.expires_at = asked_at + life_seconds
            if self._replaced[reference] != before:
                # The credential was replaced meanwhile: good for whoever waits for it, and for nobody after them.
                slot.token, slot.refresh_at = None, 0.0
        slot.attempts += 1
        return slot.last

    def _failed(self, slot: _Slot, reference: str, error: SyncerError, *, asked_at: float) -> Secret | SyncerError:
        if (
            slot.token is not None
            and isinstance(error, Unreachable | Throttled | StoreError)
            and asked_at < slot.expires_at
        ):
            slot.refresh_at = asked_at + _AGAIN_SECONDS
            return slot.token
        slot.token = None
        # What the reference points at may be replaced by now: it is read anew at the next attempt.
        self._grantor_by_reference.pop(reference, None)
        return error

    async def _ask(self, reference: str, subject: str | None) -> _TokenAnswer:
        grantor = await self._grantor(reference)
        token_uri = grantor.credential.token_uri
        host = errors.host_of(token_uri)
        answer = await self._http.send(
            "POST",
            token_uri,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(self._form(grantor, subject)).encode(),
            limits=_LIMITS,
        )
        if answer.status != 200:
            raise errors.token_error_of(host, answer)
        return _read(host, answer.body)

    def _form(self, grantor: _Grantor, subject: str | None) -> dict[str, str]:
        credential = grantor.credential
        if isinstance(credential, AuthorizedUser):
            return {
                "grant_type": "refresh_token",
                "client_id": credential.client_id,
                "client_secret": credential.client_secret.reveal(),
                "refresh_token": credential.refresh_token.reveal(),
            }
        now = int(self._clock())
        claims: dict[str, str | int] = {
            "iss": credential.client_email,
            "scope": " ".join(self._scopes),
            "aud": credential.token_uri,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        if subject is not None:
            claims["sub"] = subject
        return {"grant_type": _JWT_GRANT, "assertion": _signed(grantor, claims)}

    async def _grantor(self, reference: str) -> _Grantor:
        # One at a time: thousands of subjects may speak through one key, and all of them ask when a worker starts.
        async with self._reading.setdefault(reference, asyncio.Lock()):
            known = self._grantor_by_reference.get(reference)
            if known is None:
                # Before it is read: a file that is replaced meanwhile is another one then.
                self._mark_by_reference[reference] = self._references.mark(reference)
                # In a thread, for parsing a key blocks for longer than the loop should.
                known = await asyncio.to_thread(_ready, reference, await self._parsed(reference))
                self._grantor_by_reference[reference] = known
        return known

    async def _parsed(self, reference: str) -> Credential:
        return parse(reference, await self._references.read(reference), token_uris=self._token_uris)


def refuse_unusable(reference: str, text: Secret, *, token_uris: Collection[str]) -> None:
    """Raises OperatorError for a credential that could not be used, as `Credentials.check` does."""
    _ready(reference, parse(reference, text, token_uris=token_uris))


def _ready(reference: str, credential: Credential) -> _Grantor:
    if isinstance(credential, AuthorizedUser):
        return _Grantor(credential, None)
    try:
        return _Grantor(credential, _signer(credential))
    except ValueError:
        pass  # told below: what the parser says may quote the key
    raise OperatorError(
        f"credential {as_written(reference)} has no usable RSA key in private_key: give the key file anew"
    )


def _signer(credential: ServiceAccount) -> crypt.RSASigner:
    signer: crypt.RSASigner = crypt.RSASigner.from_string(  # type: ignore[no-untyped-call]
        credential.private_key.reveal(), credential.private_key_id
    )
    return signer


def _signed(grantor: _Grantor, claims: dict[str, str | int]) -> str:
    assertion: bytes = jwt.encode(grantor.signer, claims)  # type: ignore[no-untyped-call]
    return assertion.decode()


def _read(host: str, body: bytes) -> _TokenAnswer:
    try:
        answer = msgspec.json.decode(body, type=_TokenAnswer)
    except BAD_JSON:
        answer = _TokenAnswer("", 0.0)
    if not _TOKEN.fullmatch(answer.access_token) or answer.token_type.lower() != "bearer":
        raise Unreadable(host, 200, "without a token that can be used")
    return answer
