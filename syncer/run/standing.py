"""Standing: the database's own figures, asked for when somebody wants them, and kept for a while."""

import asyncio
import time

from syncer.model.errors import StoreError, StoreRefused
from syncer.rules import timing
from syncer.store import standing
from syncer.store.database import Database
from syncer.store.standing import Counts

_KEPT_SECONDS = 15.0
# What takes long is asked for less often: a hundredth of a connection's time, and no more.
_REST = 100
_PATIENCE_SECONDS = 5.0
# A receiver may have a role of few rights, and each refusal is a line in Postgres's log.
_REFUSED_SECONDS = 3600.0


class Standing:
    """counts: as they were last told, and what they were before Postgres went away; none where this process has no
    right to them. is_answered: Postgres answered when it was asked last.
    """

    def __init__(self, database: Database) -> None:
        self.counts: Counts = {}
        self.is_answered = False
        self._database = database
        self._told_at: float | None = None
        self._asks_at = float("-inf")
        self._asking = asyncio.Lock()

    async def renew(self) -> None:
        """Asks, unless that was done lately. Never fails, and takes some seconds at most."""
        async with self._asking:
            began = time.monotonic()
            if began >= self._asks_at:
                rest_seconds = await self._ask()
                self._asks_at = time.monotonic() + max(rest_seconds, (time.monotonic() - began) * _REST)

    async def _ask(self) -> float:
        """Gives how long not to ask again, at least."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self.counts = await standing.counts(self._database, held_failures=timing.HELD_AFTER_FAILURES)
        except StoreRefused:
            self.is_answered = True
            return _REFUSED_SECONDS
        except (StoreError, TimeoutError):
            self.is_answered = False
            return _KEPT_SECONDS
        self._told_at, self.is_answered = time.monotonic(), True
        return _KEPT_SECONDS

    def age_seconds(self) -> float | None:
        """How old the counts are; None before they were told."""
        return None if self._told_at is None else time.monotonic() - self._told_at
