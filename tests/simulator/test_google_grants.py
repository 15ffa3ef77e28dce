"""The token endpoint: whose signature, whose name, for how long."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from syncer.simulator.google import grants
from tests.simulator.google_stage import ANA, CLEO, Reply, Stage, a_stage, events

SCOPE = "https://www.googleapis.com/auth/calendar.events"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


@pytest.fixture
async def key(stage: Stage) -> Any:
    return await stage.control("POST", "service-accounts", {"domains": ["tenant-a.test"]})


def assertion(key: Any, **claims: Any) -> str:
    """A signed JWT of a service account; claims override the good ones, None leaves one out."""
    now = int(time.time())
    good = {
        "iss": key["client_email"],
        "sub": ANA,
        "scope": SCOPE,
        "aud": key["token_uri"],
        "iat": now,
        "exp": now + 3600,
    }
    wanted = {name: value for name, value in {**good, **claims}.items() if value is not None}
    head = {"alg": "RS256", "typ": "JWT", "kid": key["private_key_id"]}
    text = ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in (head, wanted))
    private = serialization.load_pem_private_key(key["private_key"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    signature = private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + base64.urlsafe_b64encode(signature).decode().rstrip("=")


async def ask(stage: Stage, **form: str) -> Reply:
    """A request to the token endpoint."""
    return await stage.request("POST", "token", "&".join(f"{name}={value}" for name, value in form.items()).encode())


async def ask_with(stage: Stage, text: str) -> Reply:
    return await ask(stage, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=text)


async def test_a_good_assertion_gives_a_token_for_that_user(stage: Stage, key: Any) -> None:
    reply = await ask_with(stage, assertion(key))
    assert (reply.status, reply.body["expires_in"], reply.body["token_type"]) == (200, 3599, "Bearer")
    stage.tokens["delegated"] = reply.body["access_token"]
    assert (await stage.call("GET", events("primary"), user="delegated")).body["summary"] == ANA
    assert (await stage.call("GET", events(CLEO), user="delegated")).reason == "notFound"


async def test_a_wrong_signature_is_refused(stage: Stage, key: Any) -> None:
    other = await stage.control("POST", "service-accounts", {"domains": ["tenant-a.test"]})
    forged = {**key, "private_key": other["private_key"]}
    reply = await ask_with(stage, assertion(forged))
    assert reply.status == 400
    assert reply.body == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


@pytest.mark.parametrize(
    ("claims", "status", "error"),
    [
        ({"aud": "https://example.org/token"}, 400, "invalid_grant"),
        ({"iss": "nobody@example.org"}, 400, "invalid_grant"),
        ({"exp": 1_000_000_000}, 400, "invalid_grant"),
        ({"exp": 9_000_000_000}, 400, "invalid_grant"),
        ({"iat": 9_000_000_000}, 400, "invalid_grant"),
        ({"iat": None}, 400, "invalid_grant"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"scope": f"{SCOPE},openid"}, 400, "invalid_scope"),
        ({"sub": "nobody@tenant-a.test"}, 400, "invalid_grant"),
        ({"sub": "no address"}, 400, "invalid_grant"),
        ({"sub": CLEO}, 401, "unauthorized_client"),
    ],
)
async def test_an_assertion_that_claims_too_much_is_refused(
    stage: Stage, key: Any, claims: dict[str, Any], status: int, error: str
) -> None:
    reply = await ask_with(stage, assertion(key, **claims))
    assert (reply.status, reply.body["error"]) == (status, error)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30.e30", "W10.W10.W10", "é.b.c"])
async def test_an_assertion_that_is_none_is_refused(stage: Stage, text: str) -> None:
    assert (await ask_with(stage, text)).status == 400


async def test_a_refresh_grant_needs_its_clients_secret(stage: Stage) -> None:
    grant = await stage.control("POST", "users", {"email": ANA})
    good = {name: grant[name] for name in ("client_id", "client_secret", "refresh_token")}
    assert (await ask(stage, grant_type="refresh_token", **good)).status == 200
    wrong_secret = await ask(stage, grant_type="refresh_token", **{**good, "client_secret": "guess"})
    wrong_token = await ask(stage, grant_type="refresh_token", **{**good, "refresh_token": "guess"})
    assert (wrong_secret.status, wrong_secret.body["error"]) == (401, "invalid_client")
    assert wrong_token.body == {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}


async def test_an_unknown_grant_type_is_refused(stage: Stage) -> None:
    assert (await ask(stage, grant_type="password")).body["error"] == "unsupported_grant_type"
    assert (await stage.request("POST", "token", b"\xff\x00")).status == 400


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guess"}, {"Authorization": "Basic guess"}])
async def test_a_call_without_a_good_token_is_a_401(stage: Stage, headers: dict[str, str]) -> None:
    reply = await stage.request("GET", "calendar/v3/" + events(), headers=headers)
    assert (reply.status, reply.reason, reply.location) == (401, "authError", "Authorization")


async def test_a_token_ends_in_real_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "TOKEN_SECONDS", 0)
    await stage.token(ANA)
    assert (await stage.call("GET", events())).status == 401


async def test_expired_access_tokens_can_be_renewed(stage: Stage) -> None:
    await stage.token(ANA)
    assert await stage.control("POST", "expire-access-tokens") == {"expired": 1}
    assert (await stage.call("GET", events())).status == 401
    stage.tokens.clear()
    assert (await stage.call("GET", events())).status == 200


async def test_a_reading_scope_does_not_write(stage: Stage, key: Any) -> None:
    reply = await ask_with(stage, assertion(key, scope=f"{SCOPE}.readonly"))
    stage.tokens["reader"] = reply.body["access_token"]
    assert (await stage.call("GET", events(), user="reader")).status == 200
    refused = await stage.call("POST", events(), {}, user="reader")
    assert (refused.status, refused.reason) == (403, "insufficientPermissions")
