"""One push at work: its conference as it stands, its provider calls, and what is written down of them."""

from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from syncer.model.calendar import Tenant, Value
from syncer.model.conference import Change, Conference, Gone, NoRoom, Outcome, Retry, State
from syncer.model.errors import FencedOut, SyncerError, Unsent
from syncer.rules import timing
from syncer.store import conferences
from syncer.store.conferences import Noted, Told
from syncer.sync.tools import Project, Tools


@dataclass(slots=True)
class Came:
    """What came of a push, for whoever tells of it.

    outcomes: of its provider calls, in order. errors: what Google failed it with. has_room: no call of it had to be put
    off for what the provider grants. stuck: why the meeting waits for somebody from now on, in words of our
    own; None when it does not, or did so before.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    stuck: str | None = None
    errors: list[SyncerError] = field(default_factory=list)
    has_room: bool = True

    @property
    def is_gone(self) -> bool:
        """The provider has said last that it has no such meeting."""
        return bool(self.outcomes) and isinstance(self.outcomes[-1], Gone)


class Desk(Value, frozen=True):
    """conference: as it stands by now. failures: in a row before this push. came: noted as it comes."""

    tools: Tools
    project: Project
    tenant: Tenant
    conference: Conference
    failures: int
    came: Came

    def having(self, conference: Conference) -> "Desk":
        """The same desk with the conference as it stands now."""
        return replace(self, conference=conference)

    async def call(self, change: Change) -> Outcome:
        """One provider call, which ends before the lease does. Raises FencedOut if the lease is over already."""
        try:
            async with self.project.tenure.bounded():
                outcome = await self.tools.providers.apply(self.tenant, change, self.tools.calling)
        except TimeoutError:
            return Retry("the lease ended before the answer came", is_in_doubt=True)
        if isinstance(outcome, NoRoom):
            self.came.has_room = False
        else:
            self.came.outcomes.append(outcome)
        return outcome

    async def settle(self, after: Conference, *told: Told, reason: str | None = None) -> "Desk":
        """Writes down how the conference stands now: what was wanted when the push began is dealt with."""
        settled = replace(after, applied_version=after.wanted_version, is_in_doubt=False, failures=0, next_try_at=None)
        return await self.note(settled, *told, reason=reason)

    async def note(self, after: Conference, *told: Told, reason: str | None = None, is_touched: bool = False) -> "Desk":
        """Writes down how the conference stands now; what is wanted stays due.

        is_touched: it is to be pushed again under a version of its own. Raises FencedOut when the lease is another's,
        and leaves a doubt, for something may have been sent.
        """
        lease = self.project.lease
        try:
            await conferences.record(self.tools.database, lease, Noted(after, told, reason, is_touched))
        except FencedOut:
            await conferences.doubt(self.tools.database, after)
            raise
        return self.having(after)

    async def try_later(self, retry: Retry, *, during: str) -> None:
        """Has it tried again; held for a person once its provider has failed it for about a day."""
        if isinstance(retry, NoRoom):
            await self.wait_for_room(retry, during=during)
            return
        until = timing.held_until(self.failures + 1, now=self.tools.clock(), jitter=self.tools.chance())
        if until is None:
            await self.postpone(retry, during=during)
        else:
            await self.hold(retry, until=until, during=during)

    async def wait_for_room(self, full: NoRoom, *, during: str, is_touched: bool = False) -> None:
        """Writes down that nothing was sent, and when to try again: no failure, and told once.

        A meeting that is as wanted, and was only to be read, stays as it is.

        is_touched: nothing else would make it due.
        """
        conference = self.conference
        at = timing.room_at(full.after_seconds or 0.0, now=self.tools.clock(), jitter=self.tools.chance())
        reason = f"{during}: {full.reason}"
        is_due = is_touched or conference.wanted_version > conference.applied_version or conference.is_in_doubt
        if not is_due and conference.state is not State.LEAVING:
            reason = conference.reason or ""
        told = (
            []
            if reason == conference.reason or not reason
            else [Told("waits", {"reason": full.reason, "during": during})]
        )
        await self.note(replace(conference, next_try_at=at), *told, reason=reason or None, is_touched=is_touched)

    async def postpone(self, retry: Retry, *, during: str, is_touched: bool = False) -> None:
        """Writes down that it is to be tried again, and when. Told once, when it begins to fail.

        is_touched: nothing else would make it due.
        """
        at = timing.retry_at(
            self.failures + 1, now=self.tools.clock(), jitter=self.tools.chance(), asked_seconds=retry.after_seconds
        )
        doubted = replace(self.conference, is_in_doubt=self.conference.is_in_doubt or retry.is_in_doubt)
        told = Told("retry", {"reason": retry.reason, "during": during})
        reason = f"{during}: {retry.reason}"
        is_news = self.failures == 0
        await self.note(self._failed(doubted, at), *([told] if is_news else []), reason=reason, is_touched=is_touched)

    async def set_back(self, error: SyncerError, *told: Told, during: str) -> None:
        """Writes down that Google failed it, and when to try again by the error's remedy. Told once for each error.

        What is as wanted already comes again with a reading back, not before that time. What was not sent for want of
        room has not failed.
        """
        if isinstance(error, Unsent):
            await self.wait_for_room(NoRoom(error.reason, error.seconds), during=during)
            return
        reason = f"{during}: {error}"
        is_news = reason != self.conference.reason
        self.came.errors.append(error)
        await self.note(
            self._failed(self.conference, self.verdict(error).at), *(told if is_news else ()), reason=reason
        )

    def verdict(self, error: SyncerError) -> timing.Verdict:
        """What follows for this push from an error of Google's."""
        now, jitter = self.tools.clock(), self.tools.chance()
        return timing.after(error, failures=self.failures + 1, now=now, jitter=jitter)

    async def hold(self, retry: Retry, *, until: datetime, during: str) -> None:
        """Writes down that the provider has failed it too often: it waits for a person, its event, or a reading back.

        until: not even read before. A deletion waits for a person alone: `was_released` tells it from a guarded one.
        """
        conference = self.conference
        is_leaving = conference.state is State.LEAVING
        held = replace(
            conference,
            state=State.HELD if is_leaving else conference.state,
            was_released=conference.was_released or is_leaving,
            applied_version=conference.wanted_version,
            applied=None if conference.is_in_doubt or retry.is_in_doubt else conference.applied,
            is_in_doubt=False,
        )
        told = Told("gave_up", {"reason": retry.reason, "during": during})
        is_news = not timing.is_held(self.failures)
        reason = f"held after {self.failures + 1} failures in a row, {during}: {retry.reason}"
        await self.note(self._failed(held, until), *([told] if is_news else []), reason=reason)
        if is_news:
            self.came.stuck = f"held after {self.failures + 1} failures in a row, {during}: {retry.kind}"

    def _failed(self, conference: Conference, next_try_at: datetime) -> Conference:
        return replace(conference, failures=self.failures + 1, next_try_at=next_try_at)
