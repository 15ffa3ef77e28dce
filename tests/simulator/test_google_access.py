"""Access that ends and comes back: delegation, grants, suspended users, calendars that are not shared any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.google_stage import ANA, BO, CLEO, PEOPLE, Reply, Stage, a_stage, events
from tests.simulator.test_google_grants import assertion

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


@pytest.fixture
async def key(stage: Stage) -> Any:
    return await stage.control("POST", "service-accounts", {"domains": ["tenant-a.test"]})


async def by_key(stage: Stage, key: Any, user: str) -> Reply:
    form = {"grant_type": JWT, "assertion": assertion(key, sub=user)}
    async with stage.session.post(key["token_uri"], data=form) as response:
        return Reply(response.status, await response.json(), response.headers)


async def by_grant(stage: Stage, grant: Any) -> Reply:
    form = {name: grant[name] for name in ("client_id", "client_secret", "refresh_token")}
    async with stage.session.post(grant["token_uri"], data={**form, "grant_type": "refresh_token"}) as response:
        return Reply(response.status, await response.json(), response.headers)


async def listed(stage: Stage, token: str, calendar: str = ANA) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await stage.request("GET", f"calendar/v3/{events(calendar)}", headers=headers)).status


async def test_a_delegation_reaches_each_user_in_its_time(stage: Stage, key: Any) -> None:
    reaches_at = datetime.now(UTC) + timedelta(hours=20)
    await stage.control("PUT", f"users/{ANA}", {"delegated_at": reaches_at.isoformat()})
    refused = await by_key(stage, key, ANA)
    assert (refused.status, refused.body["error"]) == (401, "unauthorized_client")
    assert refused.body["error_description"].startswith("Client is unauthorized to retrieve access tokens")
    assert (await by_key(stage, key, BO)).status == 200
    await stage.control("PUT", "clock", {"now": (reaches_at + timedelta(minutes=1)).isoformat()})
    assert (await by_key(stage, key, ANA)).status == 200


async def test_a_withdrawn_delegation_ends_every_new_token_and_may_come_back(stage: Stage, key: Any) -> None:
    held = (await by_key(stage, key, ANA)).body["access_token"]
    await stage.control("PUT", f"service-accounts/{key['client_email']}", {"domains": []})
    assert {(await by_key(stage, key, user)).body["error"] for user in (ANA, BO)} == {"unauthorized_client"}
    assert await listed(stage, held) == 200
    await stage.control("PUT", f"service-accounts/{key['client_email']}", {"domains": ["tenant-a.test"]})
    assert (await by_key(stage, key, ANA)).status == 200


@pytest.mark.parametrize("state", ["suspended", "renamed"])
async def test_a_user_who_is_not_there_any_more_has_no_token(stage: Stage, key: Any, state: str) -> None:
    grant = await stage.control("POST", "users", {"email": ANA})
    held = [(await by_key(stage, key, ANA)).body["access_token"], (await by_grant(stage, grant)).body["access_token"]]
    await stage.control("PUT", f"users/{ANA}", {"state": state})
    refused = await by_key(stage, key, ANA)
    assert (refused.status, refused.body) == (
        400,
        {"error": "invalid_grant", "error_description": "Invalid email or User ID"},
    )
    assert (await by_grant(stage, grant)).body["error"] == "invalid_grant"
    assert [await listed(stage, token) for token in held] == [401, 401]
    assert (await by_key(stage, key, BO)).status == 200
    await stage.control("PUT", f"users/{ANA}", {"state": "active"})
    assert (await by_key(stage, key, ANA)).status == 200


async def test_revoked_grants_are_over_and_a_new_consent_helps(stage: Stage, key: Any) -> None:
    old = await stage.control("POST", "users", {"email": ANA})
    held, delegated = (await by_grant(stage, old)).body["access_token"], (await by_key(stage, key, ANA)).body
    assert await stage.control("POST", f"users/{ANA}/revoke") == {"revoked": 1}
    refused = await by_grant(stage, old)
    assert (refused.status, refused.body) == (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )
    assert await listed(stage, held) == 401
    assert await listed(stage, delegated["access_token"]) == 200
    assert (await by_grant(stage, await stage.control("POST", "users", {"email": ANA}))).status == 200


async def test_one_clients_grant_may_be_revoked_alone(stage: Stage) -> None:
    first, second = [await stage.control("POST", "users", {"email": ANA}) for _ in range(2)]
    await stage.control("POST", f"users/{ANA}/revoke", {"client_id": first["client_id"]})
    assert [(await by_grant(stage, grant)).status for grant in (first, second)] == [400, 200]


async def test_access_tokens_may_end_for_all_but_people(stage: Stage, key: Any) -> None:
    form = {"grant_type": JWT, "assertion": assertion(key)}
    async with stage.session.post(key["token_uri"], data=form, headers=PEOPLE) as response:
        peoples = (await response.json())["access_token"]
    clients = (await by_key(stage, key, ANA)).body["access_token"]
    assert await stage.control("POST", "expire-access-tokens", {"spare_people": True}) == {"expired": 1}
    assert [await listed(stage, token) for token in (peoples, clients)] == [200, 401]


async def test_a_calendar_may_be_lost_narrowed_and_regained(stage: Stage) -> None:
    await stage.insert(summary="A secret")
    token = await stage.sync_token()
    await stage.control("PUT", f"calendars/{ANA}/acl", {"user": ANA, "role": "none"})
    assert (await stage.call("GET", events())).reason == "notFound"
    await stage.control("PUT", f"calendars/{ANA}/acl", {"user": ANA, "role": "freeBusyReader"})
    narrowed = (await stage.call("GET", events())).body
    assert narrowed["accessRole"] == "freeBusyReader"
    assert "secret" not in str(narrowed["items"])
    await stage.control("PUT", f"calendars/{ANA}/acl", {"user": ANA, "role": "owner"})
    assert (await stage.call("GET", events(), syncToken=token)).reason == "fullSyncRequired"
    assert (await stage.pages())[0]["items"][0]["summary"] == "A secret"


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("PUT", "users/nobody@tenant-a.test", {}, 404),
        ("PUT", f"users/{ANA}", {"state": "asleep"}, 400),
        ("PUT", f"users/{ANA}", {"delegated_at": "soon"}, 400),
        ("POST", "users/nobody@tenant-a.test/revoke", None, 404),
        ("PUT", "service-accounts/nobody@example.org", {"domains": []}, 404),
        ("PUT", f"calendars/{ANA}/acl", {"user": CLEO, "role": "king"}, 400),
        ("PUT", "calendars/nothing@tenant-a.test/acl", {"user": CLEO, "role": "reader"}, 404),
        ("POST", "users", {"email": ANA, "project": ""}, 400),
    ],
)
async def test_what_makes_no_sense_is_told_in_a_sentence(
    stage: Stage, verb: str, path: str, body: Any, status: int
) -> None:
    reply = await stage.request(verb, f"simulator/{path}", body)
    assert reply.status == status
    assert reply.body["error"].endswith(".")
