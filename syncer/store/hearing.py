"""Hearing: a connection of its own that Postgres tells things by (LISTEN), which is made again when it is gone.

What was told while there was none is lost, so each new connection is told of: whoever listens must look for itself.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from syncer.store.database import Database, translated

_CONNECT_SECONDS = 10.0
_BEAT_SECONDS = 5.0
_SETTINGS = {"application_name": "syncer", "timezone": "UTC"}


class Ear:
    """Listens on one channel of Postgres.

    heard: called with each payload. begun: called when a connection has begun to listen, the first and each later one.
    gone: rings when the connection is lost; `beat` makes another.
    """

    def __init__(
        self, database: Database, channel: str, *, heard: Callable[[str], None], begun: Callable[[], None]
    ) -> None:
        self.gone = asyncio.Event()
        self._database = database
        self._channel = channel
        self._heard = heard
        self._begun = begun
        self._connection: asyncpg.Connection | None = None

    async def beat(self) -> None:
        """Sees that the connection is there, for nobody tells that a server was killed. Raises StoreUnavailable."""
        self.gone.clear()
        is_well = False
        try:
            with translated():
                async with asyncio.timeout(_CONNECT_SECONDS + _BEAT_SECONDS):
                    await self._beat()
            is_well = True
        finally:
            if not is_well:
                self.close()

    async def _beat(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.execute("SELECT", timeout=_BEAT_SECONDS)
            return
        self._connection = connection = await asyncpg.connect(
            self._database.dsn, timeout=_CONNECT_SECONDS, server_settings=_SETTINGS
        )
        connection.add_termination_listener(self._lose)
        await connection.add_listener(self._channel, self._hear)
        self._begun()

    def close(self) -> None:
        """Listens no more, until the next beat."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _lose(self, connection: Any) -> None:
        if connection is self._connection:
            self.gone.set()

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._heard(str(payload))
