"""The composition root: from settings to a worker that runs."""

import os
import random
import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from syncer.clients.google.auth import Credentials
from syncer.clients.google.calendar import Capacity, GoogleCalendar
from syncer.clients.http import Http
from syncer.clients.providers.directory import Providers
from syncer.clients.references import References
from syncer.run import garbage, lag, stalls
from syncer.run.bells import Bells
from syncer.run.limits import Limits, Rhythm, Watching
from syncer.run.listening import Address
from syncer.run.ownership import Ownership, Pace
from syncer.run.rates import Rates
from syncer.run.receiver import Receiver
from syncer.run.registration import Sealing
from syncer.run.supervisor import Supervisor
from syncer.settings import Settings
from syncer.store.database import Database
from syncer.store.ring import Keys
from syncer.store.vault import Vault
from syncer.sync.calling import Calling
from syncer.sync.tools import Clock, Tools


async def run(settings: Settings, dsn: str, *, takes_calls: bool = True) -> None:
    """Serves all projects until SIGTERM or SIGINT, then ends what is under way.

    dsn: a migrated database. takes_calls: those from outside, too; without, only probes and metrics are answered.
    Raises OperatorError or StoreUnavailable when it cannot start.
    """
    bells = Bells()
    with bells.on_signals(), garbage.rare():
        async with (
            stalls.watching() as stalled,
            tools_of(settings, dsn) as tools,
        ):
            receiver, supervisor = receiver_of(settings, tools), supervisor_of(settings, tools)
            with lag.measured() as lags:
                receiver.metrics.watch(supervisor=supervisor, stalls=stalled, lags=lags)
                receiver.probes.watch(bells, supervisor.ownership)
                async with receiver.listening(Address.of(settings.listen), takes_calls=takes_calls):
                    await supervisor.run(bells)


async def receive(settings: Settings, dsn: str) -> None:
    """Takes calls from vendors and from Google until SIGTERM or SIGINT, and does nothing else.

    dsn: a migrated database. Raises OperatorError or StoreUnavailable when it cannot start.
    """
    bells = Bells()
    with bells.on_signals(), lag.measured() as lags:
        async with tools_of(settings, dsn) as tools:
            receiver = receiver_of(settings, tools)
            receiver.metrics.watch(lags=lags)
            receiver.probes.watch(bells)
            async with receiver.listening(Address.of(settings.listen)):
                await bells.stop.wait()


@asynccontextmanager
async def tools_of(settings: Settings, dsn: str) -> AsyncIterator[Tools]:
    """The walls and the clock, for as long as the block lasts."""
    async with Database.opened(dsn) as database, tools_over(settings, database) as tools:
        yield tools


@asynccontextmanager
async def tools_over(settings: Settings, database: Database) -> AsyncIterator[Tools]:
    """The same over a database that stays open when the block ends."""
    async with _http(settings) as http:
        references = references_of(settings, vault_of(settings, database))
        credentials = Credentials(http, references, token_uris=settings.token_uris)
        capacity = Capacity(
            settings.requests, settings.batch_calls, settings.request_seconds, patch_weight=settings.patch_weight
        )
        google = GoogleCalendar(http, credentials, api_root=settings.google_api_root, capacity=capacity)
        yield Tools(
            database=database,
            google=google,
            providers=Providers(http, references, deadline_seconds=settings.request_seconds),
            calling=Calling(database),
            clock=Clock(),
            chance=random.SystemRandom().random,
            zones=_zones(),
        )


@cache
def _zones() -> frozenset[str]:
    """The IANA names that are known; to gather them is to read a thousand files."""
    return frozenset(zoneinfo.available_timezones())


def _http(settings: Settings) -> Http:
    return Http(is_compressed=settings.gzip, private_networks=settings.private_networks)


def vault_of(settings: Settings, database: Database) -> Vault:
    """What opens sealed credentials. Raises OperatorError when a key ring is set that cannot be used."""
    keys = Keys(settings.key_ring)
    if settings.key_ring is not None:
        keys.ring()
    return Vault(database, keys)


def references_of(settings: Settings, vault: Vault) -> References:
    """What references may name."""
    return References(
        folder=settings.credentials_folder,
        env_prefix=settings.credentials_prefix,
        environ=os.environ,
        vault=vault,
    )


def receiver_of(settings: Settings, tools: Tools) -> Receiver:
    """What takes calls over these tools."""
    sealing = Sealing(Keys(settings.key_ring), settings.token_uris)
    return Receiver(tools, sealing, Rates(settings.key_calls_per_minute, now=tools.clock.seconds))


def supervisor_of(settings: Settings, tools: Tools) -> Supervisor:
    """A worker over these tools."""
    beat_seconds = min(settings.relist_seconds, settings.lease_seconds / 3)
    ownership = Ownership(tools, Pace(settings.lease_seconds, settings.cycle_seconds, beat_seconds))
    limits = Limits(
        sweeps=settings.sweeps,
        pulls=settings.pulls,
        long_pulls=settings.long_pulls,
        pushes=settings.pushes,
        pushes_per_provider=settings.pushes_per_provider,
    )
    rhythm = Rhythm(
        beat=beat_seconds,
        rescue=settings.rescue_seconds,
        read_back=settings.read_back_seconds,
        grace=settings.grace_seconds,
    )
    watching = Watching(settings.notifications_url, settings.channel_seconds)
    return Supervisor(tools, ownership, limits, rhythm, watching)
