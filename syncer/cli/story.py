"""What was done to a meeting, as sentences from its history."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from syncer.rules import timing

if TYPE_CHECKING:
    from syncer.store.overview import ConferenceView, Happening

_WRITING_BACK = "writing back to an event:"
_SENTENCES: Mapping[str, str] = {
    "linked": "{event} refers to the meeting",
    "changed": "{event} was changed by people",
    "read_anew": "the calendar is read from the start",
    "unlinked": "{event} no longer refers to the meeting",
    "updated": "the meeting was updated at its provider",
    "unchanged": "the provider had the meeting as wanted already",
    "deleted": "the meeting was deleted at its provider",
    "gone": "the provider has no such meeting (any more)",
    "replaced": "the provider gave the meeting a new id",
    "rejected": "the provider refused the change, which is not repeated",
    "retry": "the call to the provider failed, and is tried again later",
    "stale": "the provider had taken a later revision from us already; ours changed nothing",
    "read_back": "the meeting was read back at its provider",
    "held": "its deletion is held for a person",
    "released": "a person let its deletion through",
    "handed_over": "another tenant drives the meeting now",
    "leaving": "no event is left; the meeting is deleted after the grace if its event is really gone",
    "kept": "the meeting is kept",
    "wrote_back": "{event} was given what its provider says now",
    "write_back_refused": "{event} could not be given what its provider says",
    "detached": "the meeting is no longer ours to touch",
    "set_aside": "{event} cannot be used",
}
# In the order in which they are told.
_FACTS: Mapping[str, str] = {
    "during": "while {}",
    "changed": "changed: {}",
    "drifted": "it differs from what is wanted, so it is pushed again",
    "revision": "revision {}",
    "rung": "in {}",
    "rungs": "tried: {}",
    "grace_seconds": "a grace of {} s",
    "ms": "{} ms",
}


def sentence(happening: "Happening") -> str:
    """One line of history. Kinds and details that are not known here are told by their names."""
    text = _SENTENCES.get(happening.kind, happening.kind.replace("_", " ")).format(event=_event(happening))
    reason = happening.detail.get("reason")
    told = {name: happening.detail[name] for name in _FACTS if name in happening.detail} | dict(happening.detail)
    facts = [_fact(name, value) for name, value in told.items() if name != "reason" and value not in (None, [])]
    whole = f"{text[:1].upper()}{text[1:]}"
    if reason:
        whole += f": {str(reason).rstrip('.')}"
    return f"{whole} ({'; '.join(facts)})." if facts else f"{whole}."


def step(conference: "ConferenceView") -> str:
    """In a few words, whether the meeting is as wanted."""
    if conference.state in ("deleted", "gone", "detached", "watched"):
        return ""
    if conference.is_in_doubt:
        return "in doubt"
    if conference.wanted_version > conference.applied_version:
        return f"{conference.failures} tries failed" if conference.failures else "push due"
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


def _event(happening: "Happening") -> str:
    if happening.event_id is None:
        return "an event"
    where = f" on {happening.calendar}" if happening.calendar else ""
    return f"event {happening.event_id}{where}"


def _fact(name: str, value: object) -> str:
    text = ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
    return _FACTS.get(name, f"{name.replace('_', ' ')} {{}}").format(text)
