"""Telling: what goes wrong with loops, calendars and providers is logged once when it begins and once when it is over.

Nothing of an event's, and nothing that a provider said: kinds are words of our own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from syncer.model.calendar import Calendar, CalendarKey, Tenant
from syncer.model.conference import Retry
from syncer.model.errors import CursorExpired, SyncerError, Unsent
from syncer.sync.desk import Came

log = structlog.get_logger()
_KINDS_AN_ACCOUNT = 8
_MEETINGS_A_MINUTE = 20
_MINUTE = 60.0


@dataclass(slots=True)
class _Account:
    """Trouble at a provider account. kinds: those told. untold: failures since. failed_at: the last one, in monotonic
    seconds. answers: it has, since then.
    """

    tenant: str
    kinds: set[str] = field(default_factory=set)
    untold: int = 0
    failed_at: float = 0.0
    answers: bool = False


class Telling:
    """Keeps in mind what was told.

    calm_seconds: so long an account fails nobody until that is called over, for one that fails now and then would fill
    the log. now: monotonic seconds.
    """

    def __init__(self, *, calm_seconds: float = _MINUTE, now: Callable[[], float] = time.monotonic) -> None:
        self._calm_seconds = calm_seconds
        self._now = now
        self._loops: set[str] = set()
        self._projects: dict[int, str] = {}
        self._calendars: dict[CalendarKey, str] = {}
        self._narrow: set[CalendarKey] = set()
        self._accounts: dict[int, _Account] = {}
        self._minute_began_at = float("-inf")
        self._stuck = 0

    def loop_fails(self, name: str, error: SyncerError) -> None:
        """A loop's round failed, mostly for Postgres."""
        if name not in self._loops:
            self._loops.add(name)
            log.error("loop fails", loop=name, reason=str(error))

    def loop_works(self, name: str) -> None:
        """A loop's round went well."""
        if name in self._loops:
            self._loops.discard(name)
            log.info("loop recovered", loop=name)

    def looks_fail(self, project_id: int, error: SyncerError) -> None:
        """A whole batch of a project's looks was lost."""
        kind = type(error).__name__
        if self._projects.get(project_id) != kind:
            self._projects[project_id] = kind
            log.warning("looks fail", project_id=project_id, error_type=kind, reason=str(error))

    def looks_work(self, project_id: int) -> None:
        """A batch of a project's looks was answered."""
        if self._projects.pop(project_id, None) is not None:
            log.info("looks recovered", project_id=project_id)

    def calendar_fails(self, project_id: int, calendar: Calendar, error: SyncerError) -> None:
        """A calendar could not be looked at or pulled; what all looks of its project fail with is told of the project.

        An expired cursor is no trouble, nor is what waits for room in our own budget.
        """
        key, kind = calendar.key, type(error).__name__
        if self._projects.get(project_id) == kind or isinstance(error, Unsent):
            return
        if isinstance(error, CursorExpired):
            log.info("calendar read anew", tenant_id=key.tenant_id, calendar_id=key.calendar_id, reason=str(error))
        elif self._calendars.get(key) != kind:
            self._calendars[key] = kind
            log.warning(
                "calendar fails",
                tenant_id=key.tenant_id,
                calendar_id=key.calendar_id,
                error_type=kind,
                reason=str(error),
            )

    def calendar_works(self, calendar: Calendar) -> None:
        """A calendar was looked at."""
        key = calendar.key
        if self._calendars.pop(key, None) is not None:
            log.info("calendar recovered", tenant_id=key.tenant_id, calendar_id=key.calendar_id)

    def calendar_shows(self, calendar: Calendar, *, sees_details: bool) -> None:
        """A page of a calendar was read, with all that a writer sees or without."""
        key = calendar.key
        if not sees_details and key not in self._narrow:
            self._narrow.add(key)
            log.warning(
                "calendar access narrowed",
                tenant_id=key.tenant_id,
                calendar_id=key.calendar_id,
                reason="its events are not shown as a writer sees them, so they are left as they are",
            )
        elif sees_details and key in self._narrow:
            self._narrow.discard(key)
            log.info("calendar access regained", tenant_id=key.tenant_id, calendar_id=key.calendar_id)

    def pushed(self, tenant: Tenant, conference_id: int, came: Came) -> None:
        """What came of a push: the trouble of an account once for each kind, a meeting that is stuck for itself."""
        for outcome in came.outcomes:
            if isinstance(outcome, Retry):
                self._account_fails(tenant, outcome.kind)
            elif tenant.account_id in self._accounts:
                self._accounts[tenant.account_id].answers = True
        if came.stuck is not None:
            self._meeting_is_stuck(tenant, conference_id, came.stuck)

    def pass_time(self) -> None:
        """Tells what is over by now, and how much was left untold. Called every few seconds."""
        now = self._now()
        for account_id, account in list(self._accounts.items()):
            if account.answers and now - account.failed_at >= self._calm_seconds:
                del self._accounts[account_id]
                log.info("provider recovered", tenant=account.tenant, account_id=account_id, untold=account.untold)
        if now - self._minute_began_at >= _MINUTE:
            self._end_minute()

    def _account_fails(self, tenant: Tenant, kind: str) -> None:
        account = self._accounts.setdefault(tenant.account_id, _Account(tenant.slug))
        account.failed_at, account.answers = self._now(), False
        if kind in account.kinds or len(account.kinds) >= _KINDS_AN_ACCOUNT:
            account.untold += 1
            return
        account.kinds.add(kind)
        log.warning("provider fails", tenant=tenant.slug, account_id=tenant.account_id, reason=kind)

    def _meeting_is_stuck(self, tenant: Tenant, conference_id: int, reason: str) -> None:
        now = self._now()
        if now - self._minute_began_at >= _MINUTE:
            self._end_minute()
            self._minute_began_at = now
        self._stuck += 1
        if self._stuck <= _MEETINGS_A_MINUTE:
            log.warning("meeting is stuck", tenant=tenant.slug, conference_id=conference_id, reason=reason)

    def _end_minute(self) -> None:
        if self._stuck > _MEETINGS_A_MINUTE:
            log.warning("more meetings are stuck", untold=self._stuck - _MEETINGS_A_MINUTE)
        self._stuck = 0
