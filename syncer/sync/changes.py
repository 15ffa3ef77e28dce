"""Changes at the provider: which meetings are to be read back because their vendor said that they changed there."""

from collections.abc import Container, Iterable
from datetime import datetime

from syncer.store import changes
from syncer.store.changes import Mark
from syncer.sync.push import Push
from syncer.sync.tools import Tools

_MARKS_A_ROUND = 500
_MARKS_AN_ACCOUNT = 100


class Changes:
    """Hands out marked meetings to be read back, and takes a mark away once that was done.

    What was handed out is known here only: after a crash a meeting is read once more, which does no harm.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._handed_out: dict[tuple[int, int], tuple[Mark, datetime]] = {}

    async def due(self, tenant_ids: Iterable[int], *, busy: Container[tuple[int, int]]) -> list[Push]:
        """The readings that are due, to be begun at once.

        busy: (tenant, conference) ids whose push is under way, looked at when the rows have come. A reading that began
        before its mark was seen may have come too early, so those wait for the next round.
        """
        await self._forget(busy)
        found = await changes.due(self._tools.database, tenant_ids, limit=_MARKS_A_ROUND, per_account=_MARKS_AN_ACCOUNT)
        now = self._tools.clock()
        readable: list[Push] = []
        for mark in found:
            key = (mark.tenant_id, mark.conference_id)
            if key not in busy:
                self._handed_out[key] = (mark, now)
                readable += [Push(*key, reads_back=True)] if mark.is_readable else []
        return readable

    async def _forget(self, busy: Container[tuple[int, int]]) -> None:
        done = {key: seen for key, seen in self._handed_out.items() if key not in busy}
        await changes.forget(self._tools.database, done.values())
        for key in done:
            del self._handed_out[key]
