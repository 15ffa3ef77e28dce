"""Sets the stage for a demo: a database, both simulators, tenants and calendars, and a worker ready to start."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from syncer import embedded
from syncer.embedded import folders
from syncer.model.budget import Limits
from syncer.model.calendar import Matcher, Policy
from syncer.model.errors import OperatorError
from syncer.settings import Settings
from syncer.simulator import ics
from syncer.simulator.clock import SimulatedClock
from syncer.simulator.demo import announced, remains
from syncer.simulator.demo import town as towns
from syncer.simulator.demo.claim import claimed
from syncer.simulator.demo.ledger import Ledger
from syncer.simulator.demo.town import SOLUTION, Town
from syncer.simulator.demo.wishes import Wishes
from syncer.simulator.demo.worker import Worker
from syncer.simulator.ics import Export
from syncer.simulator.people.record import Json, Place
from syncer.store import migrate, tenants
from syncer.store.database import Database
from syncer.store.tenants import NewCalendar, NewTenant

GRACE = timedelta(seconds=2)
FURNITURE, SERIES = 4, 1
"""Single events and series on a calendar that no file fills."""
TOLD_FURNITURE = 1
"""Single events where calendars are many."""
_REASONS = 3
_START_SECONDS = 120.0
_REQUESTS_A_DAY = 10**9
"""A demo is over in a minute; were a day's requests spread over a day, it would see little of them."""
_READ_BACK_SECONDS = 2.0
_READ_BACKS_A_SECOND, _TOLD_READ_BACKS_A_SECOND = 150, 20
_EDITS_A_MEETING = 6
_WORKER = {
    "SYNCER_PRIVATE_NETWORKS": "127.0.0.0/8",
    "SYNCER_CYCLE_SECONDS": "0.4",
    "SYNCER_RELIST_SECONDS": "0.3",
    "SYNCER_RESCUE_SECONDS": "0.3",
    "SYNCER_LEASE_SECONDS": "2",
    "SYNCER_LISTEN": "127.0.0.1:0",
    "SYNCER_SWEEPS": "1",
}
# Where messages tell, the rhythm is the budget's. A request may wait five seconds for room, which is less than a lease.
_TOLD_WORKER = {
    "SYNCER_LEASE_SECONDS": "8",
    "SYNCER_CYCLE_SECONDS": "10",
    "SYNCER_RELIST_SECONDS": "2",
    "SYNCER_RESCUE_SECONDS": "1",
    "SYNCER_SWEEPS": "4",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """All that a demo runs on.

    exports: by calendar id. cleared: the calendar that will be cleared. folder: credentials and the worker's log.
    """

    wishes: Wishes
    town: Town
    ledger: Ledger
    worker: Worker
    exports: Mapping[str, Export]
    cleared: Place
    folder: Path

    async def set_clock(self, at: datetime) -> None:
        """Make it `at` for both simulators and the database; the worker learns it from there."""
        self.town.clock.set(at)
        await self.ledger.set_clock(at)

    def credential(self, name: str) -> Json:
        """A credential of Google's that the service has."""
        found: Json = json.loads((self.folder / f"{name}.google").read_text("utf-8"))
        return found

    def keep(self, name: str, credential: Json) -> None:
        """Give the service a credential of Google's, in place of the one of that name."""
        _keep(self.folder, f"{name}.google", json.dumps(credential))


@asynccontextmanager
async def staged(wishes: Wishes, settings: Settings, tell: Callable[[str], None]) -> AsyncIterator[Stage]:
    """The stage for as long as the block lasts; afterwards nothing of it is left.

    tell: is told, in a sentence, what was removed that demos before had left.
    Raises OperatorError when the database, a file or a wish cannot be used.
    """
    places, exports = _cast(wishes, f"demo-{secrets.token_hex(3)}")
    async with AsyncExitStack() as stack:
        dsn = await _database(stack, settings)
        database = await stack.enter_async_context(Database.opened(dsn, connections=2))
        await _tidy(database, tell)
        folder = stack.enter_context(folders.owned(remains.PREFIX))
        ledger = Ledger(database, places[0].tenant.rpartition("-")[0])
        # First, for it is by its project that a demo which was killed is known, and its clock with it.
        stack.push_async_callback(ledger.remove)
        await _add_project(ledger, wishes)
        clock = SimulatedClock()
        if exports:
            before = await ledger.make_clock_settable()
            stack.push_async_callback(ledger.restore_clock, before)
            clock.set(ics.earliest_at(exports.values()) - timedelta(days=1))
            await ledger.set_clock(clock.now())
        town = await stack.enter_async_context(towns.built(places, clock=clock, seed=wishes.seed, with_series=True))
        await _enrol(ledger, town, folder)
        environment = _environment(dsn, town, folder) | _read_back(wishes, exports)
        if wishes.is_told:
            environment |= _TOLD_WORKER | await _receiver(stack, environment, folder)
            await announced.begin(town, announced.limits_for(len(places)))
        worker = Worker(environment, folder / "worker.log")
        stack.push_async_callback(worker.stop)
        yield Stage(wishes, town, ledger, worker, exports, _cleared(places), folder)


async def _add_project(ledger: Ledger, wishes: Wishes) -> None:
    limits = Limits(per_day=_REQUESTS_A_DAY)
    if wishes.is_told:
        limits = announced.limits_for(wishes.tenants * wishes.calendars)
    await tenants.add_project(
        ledger.database,
        ledger.project,
        per_minute=limits.per_minute,
        per_user_minute=limits.per_user_minute,
        per_day=limits.per_day,
    )


async def _receiver(stack: AsyncExitStack, environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Start a receiver of Google's messages, which goes on while workers are killed; gives what workers must know."""
    receiver = Worker(environment, folder / "receiver.log", "receive")
    stack.push_async_callback(receiver.stop)
    await receiver.start()
    async with asyncio.timeout(_START_SECONDS):
        address = await receiver.takes_calls()
    return {"SYNCER_NOTIFICATIONS_URL": f"{address}{announced.NOTIFICATIONS_PATH}"}


async def _database(stack: AsyncExitStack, settings: Settings) -> str:
    """The address of the operator's database, claimed, or of a throw-away one; its schema up to date."""
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        await stack.enter_async_context(claimed(dsn))
    else:
        dsn = (await stack.enter_async_context(embedded.throwaway(pg_bin=settings.pg_bin))).dsn
    await migrate.migrate(dsn)
    return dsn


async def _tidy(database: Database, tell: Callable[[str], None]) -> None:
    removed = [*await remains.reap_rows(database), *remains.reap_folders()]
    if removed:
        tell(f"Removed what a demo that was killed had left behind: {', '.join(removed)}.")


def _cast(wishes: Wishes, project: str) -> tuple[tuple[Place, ...], dict[str, Export]]:
    slugs = [f"{project}-{number}" for number in range(1, wishes.tenants + 1)]
    places = towns.places(slugs, wishes.calendars, {})
    cleared = _cleared(places)
    # The calendar that will be cleared gets a file only when there are as many files as calendars.
    seats = [place for place in places if place != cleared] + [cleared]
    exports = {}
    for path, place in zip(wishes.exports, seats, strict=False):
        try:
            exports[place.calendar_id] = ics.read(path, organizer=place.calendar_id)
        except ics.NotAnExport as error:
            raise OperatorError(str(error), exit_code=2) from None
    if exports and not any(export.events for export in exports.values()):
        raise OperatorError(f"None of the files holds an event that can be imported{_why(exports)}.", exit_code=2)
    zones = {calendar_id: export.time_zone for calendar_id, export in exports.items()}
    return towns.places(slugs, wishes.calendars, zones), exports


def _why(exports: Mapping[str, Export]) -> str:
    skipped = [one for export in exports.values() for one in export.skipped]
    reasons = "; ".join(str(one) for one in skipped[:_REASONS])
    return (f": {reasons}" if reasons else "") + ("; …" if len(skipped) > _REASONS else "")


def _cleared(places: tuple[Place, ...]) -> Place:
    """The last primary calendar: Google clears no other."""
    return [place for place in places if place.is_primary][-1]


async def _enrol(ledger: Ledger, town: Town, folder: Path) -> None:
    """Give the project its tenants and calendars, each credential as a file of its own.

    Every other tenant delegates to a service account; the others have a grant of their first person's. The last
    calendar of each has a grant of its own.
    """
    for number, (slug, account) in enumerate(town.accounts.items()):
        own = [place for place in town.world.places if place.tenant == slug]
        delegates = number % 2 == 0
        _keep(folder, f"{slug}.vendor", account["webhook_secret"])
        _keep(folder, f"{slug}.google", await (_delegation(town, slug) if delegates else _grant(town, own[0].owner)))
        _keep(folder, f"{own_grant(slug)}.google", await _grant(town, own[-1].owner))
        calendars = [
            NewCalendar(place.calendar_id, subject=place.owner if delegates else None) for place in own[:-1]
        ] + [NewCalendar(own[-1].calendar_id, credential=f"file:{own_grant(slug)}.google")]
        await tenants.add_tenant(ledger.database, _tenant(ledger.project, slug, account["webhook_url"]))
        for calendar in calendars:
            await tenants.add_calendar(ledger.database, slug, calendar)


def own_grant(tenant: str) -> str:
    """The name of the credential that a tenant's last calendar has for itself."""
    return f"{tenant}.last"


async def _delegation(town: Town, slug: str) -> str:
    return json.dumps(await town.google("POST", "service-accounts", {"domains": [f"{slug}.test"]}))


async def _grant(town: Town, user: str) -> str:
    return json.dumps(await town.google("POST", "users", {"email": user}))


def _tenant(project: str, slug: str, webhook_url: str) -> NewTenant:
    return NewTenant(
        slug=slug,
        project=project,
        credential=f"file:{slug}.google",
        provider_credential=f"file:{slug}.vendor",
        provider_settings={"url": webhook_url},
        policy=Policy(matchers=(Matcher(solution_type="addOn", solution_name=SOLUTION),), grace=GRACE),
    )


def _keep(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")


def furniture(wishes: Wishes) -> int:
    """Single events on a calendar that no file fills."""
    return TOLD_FURNITURE if wishes.is_told else FURNITURE


def _read_back(wishes: Wishes, exports: Mapping[str, Export]) -> dict[str, str]:
    """How often each meeting is read back: as often as so many meetings allow."""
    meetings = (
        sum(export.singles + export.masters for export in exports.values())
        + (furniture(wishes) + SERIES) * wishes.tenants * wishes.calendars
        + wishes.edits // _EDITS_A_MEETING
    )
    pace = _TOLD_READ_BACKS_A_SECOND if wishes.is_told else _READ_BACKS_A_SECOND
    return {"SYNCER_READ_BACK_SECONDS": f"{max(_READ_BACK_SECONDS, meetings / pace):.1f}"}


def _environment(dsn: str, town: Town, folder: Path) -> dict[str, str]:
    return {
        **_WORKER,
        "SYNCER_DATABASE_URL": dsn,
        "SYNCER_GOOGLE_API_ROOT": town.google_root,
        "SYNCER_TOKEN_URIS": f"{town.google_root}token",
        "SYNCER_CREDENTIALS_FOLDER": str(folder),
    }
