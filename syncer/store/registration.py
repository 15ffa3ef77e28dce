"""Registration: calendars and conferences that a vendor's backend tells of, and provisional links of the latter."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from syncer.model.calendar import CalendarKey, Lease
from syncer.model.errors import StoreUnavailable
from syncer.model.reference import Sealed
from syncer.rules.provisional import Provisional
from syncer.store import statements, vault
from syncer.store.database import Database, Row
from syncer.store.ring import Key

Conferred = tuple[int, int]
"""tenant_id and conference_id."""


@dataclass(frozen=True, slots=True)
class NewCalendar:
    """A calendar as it is registered. credential: JSON of a user's own grant; it is sealed with `key`, in one go."""

    google_id: str
    subject: str | None = None
    addresses: tuple[str, ...] = ()
    credential: str | None = field(default=None, repr=False)
    key: Key | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewConference:
    """A conference as it is registered. google_id: of the calendar that its event is on."""

    google_id: str
    meeting_id: str
    event_id: str | None
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class PutCalendar:
    """is_new: it was not there before. state: active or paused."""

    is_new: bool
    state: str


@dataclass(frozen=True, slots=True)
class PutConference:
    """is_foreign: it is another tenant's, and nothing was written. expires_at: None when an event was read already."""

    is_foreign: bool
    is_new: bool
    state: str
    expires_at: datetime | None


class _Asked(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    event_ids: Sequence[str]


async def put_calendar(database: Database, tenant_id: int, wanted: NewCalendar) -> PutCalendar | None:
    """Makes a calendar or finds it, brings it up to date, and wakes its owner; None for a tenant that is gone.

    What is not given stays as it was. Needs no lease: it writes what operators write.
    """
    name = sealed = None
    if wanted.credential is not None and wanted.key is not None:
        name = _name_of(wanted.google_id)
        sealed = vault.made(wanted.key, Sealed("tenant", tenant_id, name), wanted.credential)
    addresses = sorted(address.lower() for address in wanted.addresses)
    row = await database.first(
        _statements()["put_calendar"], tenant_id, wanted.google_id, wanted.subject, addresses, name, sealed
    )
    return PutCalendar(row["is_new"], row["state"]) if row is not None else None


def _name_of(google_id: str) -> str:
    """What a calendar's own grant is called: its id is an address, which no name should tell."""
    return f"calendar-{hashlib.sha256(google_id.encode()).hexdigest()[:40]}"


async def changed(database: Database, tenant_id: int, google_id: str) -> bool:
    """Marks a calendar to be looked at, and wakes its owner; says whether the tenant has such a calendar."""
    return bool(await database.fetch(_statements()["changed"], tenant_id, google_id))


async def put_conference(database: Database, tenant_id: int, wanted: NewConference) -> PutConference | None:
    """Registers a conference, and wakes the owner of its calendar; None when the tenant has no such calendar.

    Asked again it changes nothing, but for an event id that was not known before.
    """
    for _ in range(2):
        row = await database.first(
            _statements()["put_conference"],
            tenant_id,
            wanted.google_id,
            wanted.meeting_id,
            wanted.event_id,
            wanted.expires_in_seconds,
        )
        if row is None:
            return None
        if row["is_foreign"] or row["state"] is not None:
            return PutConference(row["is_foreign"], row["is_new"], row["state"] or "", row["expires_at"])
    raise StoreUnavailable("A conference was not registered: somebody else writes it right now.")


async def expected_of_each(
    database: Database, asked: Sequence[tuple[CalendarKey, Sequence[str]]]
) -> list[dict[str, str]]:
    """Provisional links of these events of many calendars: for each calendar, meeting ids by event id."""
    found: list[dict[str, str]] = [{} for _ in asked]
    if any(event_ids for _, event_ids in asked):
        rows = [_Asked(key.tenant_id, key.calendar_id, event_ids) for key, event_ids in asked]
        for row in await database.fetch(_statements()["expected"], msgspec.json.encode(rows)):
            found[row["place"] - 1][row["event_id"]] = row["meeting_id"]
    return found


async def due(database: Database, tenant_ids: Iterable[int], *, limit: int) -> list[tuple[Conferred, Provisional]]:
    """Provisional links of these tenants that it is time to do something about, longest ago first."""
    rows = await database.fetch(_statements()["due"], list(tenant_ids), limit)
    return [((row["tenant_id"], row["conference_id"]), _provisional(row)) for row in rows]


def _provisional(row: Row) -> Provisional:
    return Provisional(
        key=CalendarKey(row["tenant_id"], row["calendar_id"]),
        event_id=row["event_id"],
        registered_at=row["registered_at"],
        expires_at=row["expires_at"],
        is_linked=row["is_linked"],
        is_live=row["is_live"],
    )


async def look_later(database: Database, conferred: Conferred, at: datetime) -> None:
    """The event of a provisional link is asked for again then."""
    tenant_id, conference_id = conferred
    await database.run(_statements()["look_later"], [tenant_id], [conference_id], [at])


async def expire(database: Database, lease: Lease, conferred: Conferred, what: str, reason: str) -> None:
    """Takes a provisional link away. what: let_go, leave or done. Writes nothing when the lease is another's."""
    tenant_id, conference_id = conferred
    fence = (lease.project_id, lease.owner, lease.epoch)
    await database.run(_statements()["expire"], *fence, [tenant_id], [conference_id], [what], [reason])


def _statements() -> Mapping[str, str]:
    return statements.of("registration")
