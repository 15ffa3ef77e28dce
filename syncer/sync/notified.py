"""Notified: which calendars are to be looked at because Google told of them, and when that is done.

The marks in the database are the truth, and are read when a project is taken, when Postgres tells of one, and now and
then; what was told in between is never lost, only later. A mark goes when a look that began after it was read has
ended well.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from syncer.model.errors import StoreError
from syncer.store import notified
from syncer.store.hearing import Ear
from syncer.sync.tools import Project, Tools

_READ_AGAIN_SECONDS = 30.0
_SHORTEST_REST_SECONDS, _LONGEST_REST_SECONDS = 0.01, 1.0


class Notified:
    """Reads marks and takes them away.

    ear: hears Postgres tell of marks. bell: rings when there is something to read. found: rings when a calendar is due.
    unlisted: it rings this when a calendar is told of that is not known yet, so that somebody lists it.
    """

    def __init__(self, tools: Tools, unlisted: asyncio.Event) -> None:
        self.bell = asyncio.Event()
        self.found = asyncio.Event()
        self.ear = Ear(tools.database, notified.CHANNEL, heard=self._hear, begun=self._begin)
        self._tools = tools
        self._unlisted = unlisted
        self._told_of: set[int] = set()
        self._has_missed = False

    def _hear(self, payload: str) -> None:
        with contextlib.suppress(ValueError):  # anybody may notify
            self._told_of.add(int(payload))
            self.bell.set()

    def _begin(self) -> None:
        self._has_missed = True
        self.bell.set()

    async def read(self, projects: Mapping[int, Project]) -> None:
        """Takes over the marks of the projects that have or may have some, and takes away those that are answered.

        projects: those served now, by id. Raises StoreError.
        """
        self.bell.clear()
        for project in list(projects.values()):
            await notified.forget(self._tools.database, project.answered())
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        due = self._due(projects, began_at)
        if not due:
            return
        try:
            count = await self._read(due)
        except StoreError:
            self._told_of.update(due)
            raise
        for project in due.values():
            project.marks_read_at = began_at
        if count:
            # Where very many wait, they are read over and over; Postgres rests as long as that took.
            await asyncio.sleep(min(loop.time() - began_at, _LONGEST_REST_SECONDS))

    async def rest(self, projects: Mapping[int, Project]) -> None:
        """Until a calendar is told of, or the time of one that was has come; a second at most."""
        now = self._tools.clock().timestamp()
        soonest = min((project.next_told() for project in projects.values()), default=now + _LONGEST_REST_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(soonest - now, _SHORTEST_REST_SECONDS), _LONGEST_REST_SECONDS)):
                await self.found.wait()
        self.found.clear()

    def _due(self, projects: Mapping[int, Project], now: float) -> dict[int, Project]:
        told_of, self._told_of = self._told_of, set()
        has_missed, self._has_missed = self._has_missed, False
        due: dict[int, Project] = {}
        for project_id, project in projects.items():
            is_due = has_missed or project_id in told_of or now - project.marks_read_at >= _READ_AGAIN_SECONDS
            if is_due and project.since:
                due[project_id] = project
            elif is_due:
                self._told_of.add(project_id)  # its calendars are not known yet
        return due

    async def _read(self, due: Mapping[int, Project]) -> int:
        count = 0
        async for page in notified.pages(self._tools.database, list(due)):
            count += len(page) == notified.PAGE
            now = self._tools.clock()
            for mark in page:
                project = due[mark.project_id]
                if mark.key not in project.calendars:
                    self._unlisted.set()
                elif project.notified(mark.key, now, mark):
                    self.found.set()
            await asyncio.sleep(0)
        return count
