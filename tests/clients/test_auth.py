"""Tokens: asked for once, renewed early, dropped when refused, and never shown."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.auth import crypt, jwt

from syncer.clients.google.auth import SCOPES, Credentials
from syncer.clients.http import Http
from syncer.clients.references import References
from syncer.clients.secret import Secret
from syncer.model.errors import (
    AccessDenied,
    GrantLost,
    OperatorError,
    OutsideError,
    Refused,
    SyncerError,
    Throttled,
    Unreachable,
    Unreadable,
)

Put = Callable[[str, Any], str]
Key = Callable[[str], dict[str, str]]
USER = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}


@dataclass
class Endpoint:
    """A token endpoint that counts, and answers with numbered tokens unless told otherwise."""

    forms: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def answer(self, request: web.Request) -> web.Response:
        self.arrived.set()
        await self.gate.wait()
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        good = {"access_token": f"ya29.{len(self.forms)}", "expires_in": 3600, "token_type": "Bearer"}
        body = good if self.body is None else self.body
        return web.json_response(body, status=self.status, headers=self.headers)


@dataclass
class Clock:
    at: float = field(default_factory=time.time)  # real at first: the verifier goes by it

    def __call__(self) -> float:
        return self.at


@dataclass
class Desk:
    """Credentials before an endpoint, with a clock to turn."""

    credentials: Credentials
    endpoint: Endpoint
    clock: Clock
    uri: str

    async def token(self, reference: str, subject: str | None = None) -> str:
        return (await self.credentials.access_token(reference, subject)).reveal()


@pytest.fixture
async def desk(http: Http, references: References, serve: Any) -> Desk:
    endpoint, clock = Endpoint(), Clock()
    uri = f"{await serve(endpoint.answer)}token"
    return Desk(Credentials(http, references, token_uris=(uri,), clock=clock), endpoint, clock, uri)


async def test_a_token_is_asked_for_once_however_many_ask(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": desk.uri})
    tokens = await asyncio.gather(*(desk.token(reference) for _ in range(50)))
    assert set(tokens) == {"ya29.1"}
    assert desk.endpoint.forms == [
        {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    ]


class Counted(Mapping[str, str]):
    """An environment that counts how often it is read."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables
        self.reads = 0

    def __getitem__(self, name: str) -> str:
        self.reads += 1
        return self.variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)


async def test_a_key_is_read_once_for_however_many_subjects(desk: Desk, http: Http, service_account: Key) -> None:
    environ = Counted({"SYNCER_CREDENTIAL_KEY": orjson.dumps(service_account(desk.uri)).decode()})
    references = References(folder=None, env_prefix="SYNCER_CREDENTIAL_", environ=environ)
    credentials = Credentials(http, references, token_uris=(desk.uri,))
    subjects = [f"user-{number}@example.test" for number in range(20)]
    tokens = await asyncio.gather(*(credentials.access_token("env:SYNCER_CREDENTIAL_KEY", one) for one in subjects))
    assert len({token.reveal() for token in tokens}) == 20
    assert environ.reads == 1


async def test_a_service_account_signs_for_its_subject(
    desk: Desk, put: Put, service_account: Key, rsa_key: rsa.RSAPrivateKey
) -> None:
    reference = put("k.json", service_account(desk.uri))
    await asyncio.gather(desk.token(reference, "ana@example.test"), desk.token(reference, "bo@example.test"))
    form = desk.endpoint.forms[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    public_key = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    library: Any = jwt
    claims = library.decode(form["assertion"], certs=public_key, audience=desk.uri)
    assert library.decode_header(form["assertion"])["kid"] == "k1"
    assert claims["exp"] - claims["iat"] == 3600
    assert (claims["iss"], claims["aud"]) == ("syncer@example.test", desk.uri)
    assert claims["scope"] == " ".join(SCOPES)
    subjects = {library.decode(each["assertion"], verify=False)["sub"] for each in desk.endpoint.forms}
    assert subjects == {"ana@example.test", "bo@example.test"}


async def test_a_key_is_parsed_once(
    desk: Desk, put: Put, service_account: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    original: Any = crypt.RSASigner.from_string

    def counted(key: str, key_id: str | None = None) -> Any:
        parsed.append("key")
        return original(key, key_id)

    monkeypatch.setattr(crypt.RSASigner, "from_string", counted)
    reference = put("k.json", service_account(desk.uri))
    for subject in ("ana@example.test", "bo@example.test", "cy@example.test"):
        await desk.token(reference, subject)
    assert parsed == ["key"]


async def test_a_token_is_renewed_between_80_and_90_percent_of_its_life(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": desk.uri})
    await desk.token(reference)
    desk.clock.at += 3600 * 0.79
    assert await desk.token(reference) == "ya29.1"
    desk.clock.at += 3600 * 0.12
    assert await desk.token(reference) == "ya29.2"


async def test_a_refused_token_is_dropped_and_only_that(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": desk.uri})
    old = await desk.credentials.access_token(reference, None)
    desk.credentials.forget(reference, None, old)
    assert await desk.token(reference) == "ya29.2"
    desk.credentials.forget(reference, None, old)
    desk.credentials.forget("file:other.json", None, Secret("ya29.2"))
    assert await desk.token(reference) == "ya29.2"


async def test_an_early_renewal_that_fails_costs_nothing(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": desk.uri})
    await desk.token(reference)
    desk.endpoint.status = 503
    desk.clock.at += 3600 * 0.95
    assert [await desk.token(reference) for _ in range(5)] == ["ya29.1"] * 5
    assert len(desk.endpoint.forms) == 2
    desk.clock.at += 3600 * 0.05
    with pytest.raises(Unreachable):
        await desk.token(reference)


async def test_a_failure_is_shared_by_all_who_waited_and_the_next_asks_again(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": desk.uri})
    desk.endpoint.status, desk.endpoint.body = 400, {"error": "invalid_grant"}
    failures = await asyncio.gather(*(desk.token(reference) for _ in range(20)), return_exceptions=True)
    assert {type(failure) for failure in failures} == {GrantLost}
    assert len(desk.endpoint.forms) == 1
    desk.endpoint.status, desk.endpoint.body = 200, None
    assert await desk.token(reference) == "ya29.2"


async def test_a_replaced_key_file_is_read_after_the_old_one_failed(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": desk.uri})
    desk.endpoint.status, desk.endpoint.body = 400, {"error": "invalid_grant"}
    with pytest.raises(GrantLost):
        await desk.token(reference)
    desk.endpoint.status, desk.endpoint.body = 200, None
    put("u.json", {**USER, "refresh_token": "new", "token_uri": desk.uri})
    await desk.token(reference)
    assert desk.endpoint.forms[-1]["refresh_token"] == "new"


async def test_one_who_gives_up_does_not_fail_the_others(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": desk.uri})
    desk.endpoint.gate.clear()
    first, second = (asyncio.create_task(desk.token(reference)) for _ in range(2))
    async with asyncio.timeout(10):
        await desk.endpoint.arrived.wait()
        first.cancel()
        desk.endpoint.gate.set()
        assert (await second).startswith("ya29.")


@pytest.mark.parametrize(
    ("status", "error", "description", "kind"),
    [
        (401, "unauthorized_client", "Unauthorized client or scope in request.", AccessDenied),
        (400, "access_denied", "", AccessDenied),
        (400, "admin_policy_enforced", "", AccessDenied),
        (400, "invalid_grant", "Invalid email or User ID", GrantLost),
        (400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)", GrantLost),
        (400, "invalid_grant", "Invalid JWT Signature.", GrantLost),
        (400, "invalid_grant", "Token has been expired or revoked.", GrantLost),
        (400, "invalid_scope", "", AccessDenied),
        (401, "invalid_client", "", GrantLost),
        (401, "deleted_client", "", GrantLost),
        (401, "disabled_client", "", GrantLost),
        (403, "org_internal", "", AccessDenied),
        (500, "internal_failure", "Backend Error", Unreachable),
        (503, "", "", Unreachable),
        (403, "rate_limit_exceeded", "", Throttled),
        (429, "", "", Throttled),
        (401, "", "", GrantLost),
        (400, "invalid_request", "", Refused),
        (400, "canary canary", "canary", Refused),
    ],
)
async def test_each_refusal_of_the_endpoint_is_told_apart(
    desk: Desk, put: Put, status: int, error: str, description: str, kind: type[SyncerError]
) -> None:
    desk.endpoint.status, desk.endpoint.headers = status, {"Retry-After": "7"}
    desk.endpoint.body = {"error": error, "error_description": f"{description}"}
    with pytest.raises(kind) as caught:
        await desk.token(put("u.json", {**USER, "token_uri": desk.uri}))
    assert type(caught.value) is kind
    assert isinstance(caught.value, OutsideError)
    assert caught.value.retry_after_seconds == 7
    assert "canary" not in str(caught.value)
    assert ("clock" in str(caught.value)) == ("short-lived" in description)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": "", "expires_in": 1},
        {"access_token": "x", "expires_in": 9, "token_type": "mac"},
        {"access_token": 7},
    ],
)
async def test_an_answer_without_a_token_is_unreadable(desk: Desk, put: Put, body: dict[str, Any]) -> None:
    desk.endpoint.body = body
    with pytest.raises(Unreadable):
        await desk.token(put("u.json", {**USER, "token_uri": desk.uri}))


async def test_an_endpoint_off_the_list_is_never_asked(desk: Desk, put: Put) -> None:
    reference = put("u.json", {**USER, "token_uri": f"{desk.uri}/elsewhere"})
    with pytest.raises(OperatorError, match="names a token_uri that is not allowed"):
        await desk.token(reference)
    with pytest.raises(OperatorError):
        await desk.credentials.check(reference)
    assert desk.endpoint.forms == []


async def test_a_check_finds_a_key_that_is_none(desk: Desk, put: Put, service_account: Key) -> None:
    good = put("good.json", service_account(desk.uri))
    await desk.credentials.check(good)
    bad = put("bad.json", {**service_account(desk.uri), "private_key": "-----BEGIN PRIVATE KEY-----\ncanary"})
    with pytest.raises(OperatorError, match="no usable RSA key") as caught:
        await desk.credentials.check(bad)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None
    assert desk.endpoint.forms == []
