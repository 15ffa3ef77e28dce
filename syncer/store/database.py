"""The seam to Postgres: one pool, and every foreign error made ours.

A Postgres error's text holds row values, so only its SQLSTATE, constraint and table go on.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import asyncpg

from syncer.durations import Durations
from syncer.model.errors import OperatorError, StoreBusy, StoreRefused, StoreUnavailable

Row = asyncpg.Record
_COMMAND_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_SETTINGS = {
    "application_name": "syncer",
    "timezone": "UTC",
    # Somebody's open transaction must not hold up what has nothing to do with its rows; `store.group` finds what has.
    "lock_timeout": "2s",
    # Compiling a statement of many parts would cost more than running it.
    "jit": "off",
    # Rows are named by their keys. A plan made while a table was small must not go on reading all of it as it grows.
    "enable_seqscan": "off",
    # What is asked for comes in one parameter that no plan can look into: made once, it is as good as made each time.
    "plan_cache_mode": "force_generic_plan",
}


@contextmanager
def translated() -> Iterator[None]:
    """Makes asyncpg's errors ours: StoreUnavailable, StoreRefused, or OperatorError for an address that is wrong.

    None of them says a word of what the rows hold.
    """
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise OperatorError(f"The database address cannot be used ({type(error).__name__}).", exit_code=2) from None
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise OperatorError("The database refuses this user or password; mend SYNCER_DATABASE_URL.") from None
    except (
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        # A connection that was cut at the wrong moment confuses asyncpg's own protocol.
        asyncpg.InternalClientError,
        asyncpg.OperatorInterventionError,
    ) as error:
        raise StoreUnavailable(f"Postgres went away ({type(error).__name__}).") from None
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise StoreBusy(f"Postgres has a row that somebody else holds ({type(error).__name__}).") from None
    except (asyncpg.TransactionRollbackError, asyncpg.ReadOnlySQLTransactionError) as error:
        raise StoreUnavailable(f"Postgres could not do it now ({type(error).__name__}).") from None
    except asyncpg.InsufficientResourcesError as error:
        raise StoreUnavailable(f"Postgres is out of resources ({type(error).__name__}).") from None
    except asyncpg.PostgresError as error:
        where = getattr(error, "constraint_name", None) or getattr(error, "table_name", None) or ""
        text = f"Postgres refused a statement: {type(error).__name__} {error.sqlstate} {where}".rstrip()
        raise StoreRefused(text, constraint=getattr(error, "constraint_name", None) or "") from None
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Postgres cannot be reached ({type(error).__name__}).") from None


class Database:
    """A pool of connections to one database. JSON goes in and comes out as bytes.

    durations: of statements, with the wait for a connection.
    """

    def __init__(self, pool: asyncpg.Pool, dsn: str = "") -> None:
        self.durations = Durations()
        self._pool = pool
        # For a connection beside the pool (`store.hearing`).
        self.dsn = dsn
        # What waits to go together, by its kind (`store.group`).
        self.groups: dict[object, Any] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, dsn: str, *, connections: int = 8) -> AsyncIterator[Self]:
        """A database for as long as the block lasts.

        Raises OperatorError when the address cannot be used, StoreUnavailable when nobody answers there.
        """
        pool = await _pool_of(dsn, connections)
        try:
            yield cls(pool, dsn)
        finally:
            # A frozen server must not hold up our own end.
            pool.terminate()

    async def fetch(self, sql: str, *arguments: object) -> list[Row]:
        """All rows of one statement."""
        with self._timed():
            return await self._pool.fetch(sql, *arguments)

    async def first(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        with self._timed():
            return await self._pool.fetchrow(sql, *arguments)

    async def value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row, or None."""
        with self._timed():
            return await self._pool.fetchval(sql, *arguments)

    async def run(self, sql: str, *arguments: object) -> str:
        """One statement for its effect; gives Postgres's status line."""
        with self._timed():
            return await self._pool.execute(sql, *arguments)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            with translated():
                yield
        finally:
            self.durations.note(time.monotonic() - began)


async def _pool_of(dsn: str, connections: int) -> asyncpg.Pool:
    with translated():
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections,
            command_timeout=_COMMAND_SECONDS,
            timeout=_CONNECT_SECONDS,
            init=_prepare,
            reset=_leave,
            server_settings=_SETTINGS,
        )


async def _leave(_connection: Any) -> None:
    """Nothing to clear away: each statement stands alone, and asking Postgres to forget would cost as much as most."""


async def _prepare(connection: Any) -> None:
    # Jsonb in Postgres's own wire form: a version byte, then the text. Bytes both ways, decoded by who needs them.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda text: b"\x01" + text,
        decoder=lambda raw: bytes(raw[1:]),
        format="binary",
    )
