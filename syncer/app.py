"""The composition root: from settings to a worker that runs."""

import os
import random
import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncer.clients.google.auth import Credentials
from syncer.clients.google.calendar import Capacity, GoogleCalendar
from syncer.clients.http import Http
from syncer.clients.providers.directory import Providers
from syncer.clients.references import References
from syncer.run import garbage, stalls
from syncer.run.bells import Bells
from syncer.run.listening import Address
from syncer.run.ownership import Ownership, Pace
from syncer.run.receiver import Receiver
from syncer.run.supervisor import Limits, Rhythm, Supervisor
from syncer.settings import Settings
from syncer.store.database import Database
from syncer.sync.tools import Clock, Tools


async def run(settings: Settings, dsn: str) -> None:
    """Serves everything in one process until SIGTERM or SIGINT, then ends what is under way.

    dsn: a migrated database. Raises OperatorError or StoreUnavailable when it cannot start.
    """
    bells = Bells()
    with bells.on_signals(), garbage.rare():
        async with (
            stalls.watching(),
            tools_of(settings, dsn) as tools,
            Receiver(tools).listening(Address.of(settings.listen)),
        ):
            await supervisor_of(settings, tools).run(bells)


@asynccontextmanager
async def tools_of(settings: Settings, dsn: str) -> AsyncIterator[Tools]:
    """The walls and the clock, for as long as the block lasts."""
    async with Database.opened(dsn) as database, _http(settings) as http:
        references = references_of(settings)
        credentials = Credentials(http, references, token_uris=settings.token_uris)
        capacity = Capacity(settings.requests, settings.batch_calls, settings.request_seconds)
        google = GoogleCalendar(http, credentials, api_root=settings.google_api_root, capacity=capacity)
        yield Tools(
            database=database,
            google=google,
            providers=Providers(http, references, deadline_seconds=settings.request_seconds),
            clock=Clock(),
            chance=random.SystemRandom().random,
            zones=frozenset(zoneinfo.available_timezones()),
        )


def _http(settings: Settings) -> Http:
    return Http(is_compressed=settings.gzip, private_networks=settings.private_networks)


def references_of(settings: Settings) -> References:
    """What `file:` and `env:` references may name."""
    return References(folder=settings.credentials_folder, env_prefix=settings.credentials_prefix, environ=os.environ)


def supervisor_of(settings: Settings, tools: Tools) -> Supervisor:
    """A worker over these tools."""
    ownership = Ownership(tools, Pace(settings.lease_seconds, settings.cycle_seconds))
    limits = Limits(
        sweeps=settings.sweeps,
        pulls=settings.pulls,
        long_pulls=settings.long_pulls,
        pushes=settings.pushes,
        pushes_per_provider=settings.pushes_per_provider,
    )
    rhythm = Rhythm(
        beat=min(settings.relist_seconds, settings.lease_seconds / 3),
        rescue=settings.rescue_seconds,
        read_back=settings.read_back_seconds,
        grace=settings.grace_seconds,
    )
    return Supervisor(tools, ownership, limits, rhythm)
