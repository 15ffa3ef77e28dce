"""How a meeting stands, in a few words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from syncer.rules import timing

if TYPE_CHECKING:
    from syncer.store.overview import ConferenceView

_WRITING_BACK = "writing back to an event:"
DRIVES = "of its events that are not over it was made first, or took over when that one went; it drives until it goes"


def step(conference: "ConferenceView") -> str:
    """In a few words, whether the meeting is as wanted."""
    if conference.state in ("deleted", "gone", "detached", "watched"):
        return ""
    if conference.is_in_doubt:
        return "in doubt"
    if conference.wanted_version > conference.applied_version:
        if conference.failures:
            return f"{conference.failures} tries failed"
        return "waits for room" if conference.next_try_at is not None else "push due"
    if conference.state != "live":
        return "no event left"
    if is_refused(conference.reason, conference.failures):
        return "no, refused"
    if is_unshown(conference.reason, conference.failures):
        return "yes, but not shown"
    return "no, waits for a person" if timing.is_held(conference.failures) else "yes"


def is_unshown(reason: str | None, failures: int) -> bool:
    """Whether a meeting that is as wanted could not be told to some event of it."""
    return failures > 0 and (reason or "").startswith(_WRITING_BACK)


def is_refused(reason: str | None, failures: int) -> bool:
    """Whether a live meeting with nothing to be pushed is so because its provider refused the last change."""
    return reason is not None and failures == 0


def time_of(when: Mapping[str, object] | None) -> str | None:
    """A stored time (`at` or `day`, and perhaps `time_zone`) as text."""
    if not when:
        return None
    zone = f" ({when['time_zone']})" if when.get("time_zone") else ""
    return f"{when.get('at') or when.get('day')}{zone}"


def owned(tenant: str, owner: str | None) -> str | None:
    """Who alone may change and delete the meeting."""
    if owner is None:
        return None
    if owner == tenant:
        return f"{owner}, which alone changes and deletes it"
    return f"{owner}, which alone changes and deletes it; {tenant} only watches"
