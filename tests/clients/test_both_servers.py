"""The clients against the simulators: what one side promises and the other refuses."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from syncer.clients.google.auth import Credentials
from syncer.clients.google.calendar import Failed, GoogleCalendar, Looked, Patch, look_at
from syncer.clients.http import Http
from syncer.clients.providers.base import Unauthorized
from syncer.clients.providers.directory import Providers
from syncer.clients.references import References
from syncer.model.calendar import Calendar, CalendarKey, Cursor, Policy, Tenant, When
from syncer.model.conference import Applied, Change, ChangeKind, Gone, Retry, Stale, Wanted
from syncer.model.errors import AccessDenied, Conflict, CursorExpired, Missing
from syncer.simulator.clock import SimulatedClock
from syncer.simulator.conferencing import ConferencingSimulator
from syncer.simulator.google import GoogleSimulator
from syncer.simulator.serve import serving
from tests.simulator.watching import Watcher

Put = Callable[[str, Any], str]
ANA = "ana@tenant-a.test"
START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
EVENT = {
    "id": "abc123",
    "summary": "Design review",
    "start": {"dateTime": "2026-12-01T10:00:00+01:00", "timeZone": "Europe/Paris"},
    "end": {"dateTime": "2026-12-01T11:00:00+01:00", "timeZone": "Europe/Paris"},
}


@dataclass
class Google:
    """A simulated Google with Ana's calendar and one event, and our way to it."""

    root: str
    calendars: GoogleCalendar
    reference: str
    people: aiohttp.ClientSession

    async def tell(self, method: str, path: str, body: Any) -> Any:
        async with self.people.request(method, f"{self.root}simulator/{path}", json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    def calendar(self, subject: str | None = ANA, **cursor: Any) -> Calendar:
        key = CalendarKey(1, 1)
        return Calendar(key, ANA, subject, self.reference, frozenset(), Cursor(**cursor))

    async def page(self, **cursor: Any) -> Any:
        (answered,) = await self.calendars.look([look_at(self.calendar(**cursor), START - timedelta(days=1))])
        assert isinstance(answered, Looked), answered
        return msgspec.json.decode(answered.body)


@pytest.fixture
async def google(http: Http, references: References, put: Put) -> AsyncIterator[Google]:
    watcher = Watcher(requests=True)
    simulator = GoogleSimulator(SimulatedClock(START - datetime.now(UTC)), 1, witness=watcher)
    headers = {"X-Simulator-People": "1"}
    async with serving(simulator.application()) as root, aiohttp.ClientSession(headers=headers) as people:
        credentials = Credentials(http, references, token_uris=(f"{root}token",))
        room = Google(root, GoogleCalendar(http, credentials, api_root=root), "file:sa.json", people)
        await room.tell("POST", "calendars", {"id": ANA, "time_zone": "Europe/Paris"})
        await room.tell("POST", f"calendars/{ANA}/load", {"events": [EVENT]})
        put("sa.json", await room.tell("POST", "service-accounts", {"domains": ["tenant-a.test"]}))
        put("user.json", await room.tell("POST", "users", {"email": ANA}))
        yield room
    watcher.check()


async def test_a_calendar_is_read_and_then_only_its_changes(google: Google) -> None:
    first = await google.page()
    assert [event["id"] for event in first["items"]] == ["abc123"]
    token = first["nextSyncToken"]
    assert (await google.page(sync_token=token, is_full_read=False))["items"] == []
    calendar, etag = google.calendar(), first["items"][0]["etag"]
    after = msgspec.json.decode(await google.calendars.patch(1, Patch(calendar, "abc123", {"location": "here"}, etag)))
    assert (after["location"], after["etag"] != etag) == ("here", True)
    changed = await google.page(sync_token=token, is_full_read=False)
    assert [event["location"] for event in changed["items"]] == ["here"]
    with pytest.raises(Conflict):
        await google.calendars.patch(1, Patch(calendar, "abc123", {"location": "there"}, etag))
    assert msgspec.json.decode(await google.calendars.get(calendar, "abc123")) == after


async def test_a_users_own_grant_serves_too(google: Google) -> None:
    google.reference = "file:user.json"
    assert len((await google.page(subject=None))["items"]) == 1


@pytest.mark.parametrize("token", ["nonsense", "Q0FJUw=="])
async def test_a_token_that_google_never_gave_asks_for_a_full_read(google: Google, token: str) -> None:
    looks = [look_at(google.calendar(sync_token=token, is_full_read=False), None)]
    (answered,) = await google.calendars.look(looks)
    assert isinstance(answered, Failed)
    assert isinstance(answered.error, CursorExpired)


async def test_what_is_not_there_or_not_allowed_is_told_apart(google: Google) -> None:
    with pytest.raises(Missing):
        await google.calendars.get(google.calendar(), "zzzzz")
    with pytest.raises(AccessDenied):
        await google.calendars.get(google.calendar(subject="eve@elsewhere.test"), "abc123")


WANTED = Wanted(
    title="Design review, moved",
    description=None,
    starts=When(at=START, time_zone="Europe/Paris"),
    ends=When(at=START + timedelta(hours=1), time_zone="Europe/Paris"),
    time_zone="Europe/Paris",
    organizer=ANA,
    attendee_count=3,
)


@dataclass
class Vendor:
    """A simulated conferencing system with one meeting, and our way to it."""

    root: str
    providers: Providers
    tenant: Tenant
    meeting_id: str
    people: aiohttp.ClientSession

    async def apply(self, kind: ChangeKind, revision: int, key: str, wanted: Wanted | None = None) -> Any:
        change = Change(kind, "acme", self.meeting_id, revision, key, ("title",) if wanted else (), wanted)
        return await self.providers.apply(self.tenant, change)

    async def faults(self, **following: int) -> None:
        async with self.people.put(f"{self.root}simulator/faults", json={"next": following}) as response:
            assert response.status == 200, await response.text()


@pytest.fixture
async def vendor(http: Http, references: References, put: Put) -> AsyncIterator[Vendor]:
    simulator = ConferencingSimulator(SimulatedClock(), 1)
    async with serving(simulator.application()) as root, aiohttp.ClientSession() as people:
        async with people.post(f"{root}simulator/accounts", json={"slug": "acme"}) as response:
            account = await response.json()
        headers = {"Authorization": f"Bearer {account['api_token']}", "Idempotency-Key": "k"}
        meeting = {"title": "Design review", "start": "2026-12-01T08:00:00Z", "end": "2026-12-01T09:00:00Z"}
        async with people.post(f"{root}v1/meetings", json=meeting, headers=headers) as response:
            made = await response.json()
        credential = put("hook", account["webhook_secret"])
        settings = (("url", account["webhook_url"]),)
        tenant = Tenant(1, "acme", Policy(matchers=()), 1, "webhook", settings, credential)
        yield Vendor(root, Providers(http, references), tenant, made["id"], people)


async def test_a_meeting_follows(vendor: Vendor) -> None:
    updated = await vendor.apply(ChangeKind.UPDATE, 2, "k2", WANTED)
    assert isinstance(updated, Applied)
    assert updated.meeting.holds is not None
    assert (updated.meeting.revision, updated.meeting.holds.title) == (2, WANTED.title)
    assert updated.meeting.holds.starts.at == START
    assert await vendor.apply(ChangeKind.UPDATE, 2, "k2", WANTED) == updated
    assert await vendor.apply(ChangeKind.READ, 2, "r1") == updated
    assert await vendor.apply(ChangeKind.UPDATE, 1, "k1", WANTED) == Stale(2)
    assert isinstance(await vendor.apply(ChangeKind.DELETE, 3, "k3"), Gone)
    assert isinstance(await vendor.apply(ChangeKind.READ, 3, "r2"), Gone)


@pytest.mark.parametrize(("fault", "is_in_doubt"), [("server_error", True), ("lost_answer", True), ("too_many", False)])
async def test_a_fault_there_is_a_retry_here(vendor: Vendor, fault: str, *, is_in_doubt: bool) -> None:
    await vendor.faults(**{fault: 1})
    outcome = await vendor.apply(ChangeKind.UPDATE, 2, "k2", WANTED)
    assert isinstance(outcome, Retry)
    assert outcome.is_in_doubt is is_in_doubt
    assert isinstance(await vendor.apply(ChangeKind.UPDATE, 2, "k2", WANTED), Applied)


async def test_a_secret_that_was_renewed_is_used_without_a_restart(vendor: Vendor, put: Put, tmp_path: Path) -> None:
    right = (tmp_path / "credentials" / "hook").read_text()
    put("hook", "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==")
    assert isinstance(await vendor.apply(ChangeKind.UPDATE, 2, "k2", WANTED), Retry)
    put("hook", right)
    assert isinstance(await vendor.apply(ChangeKind.UPDATE, 2, "k2", WANTED), Applied)


async def test_the_account_can_be_tried_out(vendor: Vendor, put: Put) -> None:
    assert "answers signed calls" in await (await vendor.providers.of(vendor.tenant)).probe()
    put("hook", "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==")
    vendor.tenant = dataclasses.replace(vendor.tenant, account_id=2)
    why = "the endpoint does not accept our signature: the credential's secret and the vendor's must be the same"
    assert await vendor.apply(ChangeKind.READ, 1, "r") == Unauthorized(why, kind=f"the endpoint answered 401: {why}")
