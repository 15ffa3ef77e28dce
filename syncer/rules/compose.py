"""How a meeting should be, what to call for it, and what to write back to its events."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from urllib.parse import urlsplit

from msgspec import structs

from syncer.model.calendar import Event, Link, Value, When
from syncer.model.conference import Change, ChangeKind, Conference, Meeting, Override, Series, Wanted
from syncer.rules import block

WRITE_BACKS_A_DAY = 5
NO_RUNG = "none"
"""No way works on this event: `Link.rung` where writing to it once more would only make its text longer."""
_NOT_OF_A_NUMBER = re.compile(r"[^0-9+]")


def wanted(driver: Event) -> Wanted | None:
    """How the meeting of this event should be; None for an event without times (free/busy, a stub)."""
    if driver.starts is None or driver.ends is None:
        return None
    return Wanted(
        title=driver.title,
        description=driver.description,
        starts=driver.starts,
        ends=driver.ends,
        time_zone=driver.starts.time_zone,
        organizer=driver.organizer,
        attendee_count=driver.attendee_count,
    )


def changed(aim: Wanted, held: Wanted | None) -> tuple[str, ...]:
    """Names of the fields in which they differ, all of them when nothing is held. Times compare as instants."""
    if held is None:
        return Wanted.__struct_fields__
    if aim == held:
        return ()
    return tuple([name for name in Wanted.__struct_fields__ if _differs(getattr(aim, name), getattr(held, name))])


def held(conference: Conference, meeting: Meeting) -> Wanted | None:
    """What a meeting that was read back is to be compared by; None when nothing is known.

    A provider that cannot hold all that it was given (a title cut short) is not told again and again: what it has held
    since we left it counts as applied.
    """
    if conference.is_in_doubt:
        return meeting.holds
    before = conference.meeting.holds if conference.meeting else None
    if meeting.holds is None or (before is not None and not changed(meeting.holds, before)):
        return conference.applied
    return meeting.holds


def not_held(aim: Wanted, meeting: Meeting) -> tuple[str, ...]:
    """Names of the fields in which a meeting, by its provider's word, is not as it was told to be."""
    return changed(aim, meeting.holds) if meeting.holds is not None else ()


def _differs(aim: object, held: object) -> bool:
    return aim != held and _bare(aim) != _bare(held)


def _bare(part: object) -> object:
    """A part of what is wanted, times as what they are and not as they were said."""
    if isinstance(part, When):
        return part.at, part.day
    if isinstance(part, tuple):
        return tuple(_bare(one) for one in part)
    if isinstance(part, Override):
        starts, ends = part.starts, part.ends
        return part.original_start, starts.at, starts.day, ends.at, ends.day, part.title, part.description
    if isinstance(part, Series):
        return tuple(_bare(one) for one in structs.astuple(part))
    return part


def update(conference: Conference, tenant: str, aim: Wanted) -> Change:
    """The call that makes the meeting as wanted. `conference.applied` is what it is known to hold."""
    return Change(
        kind=ChangeKind.UPDATE,
        tenant=tenant,
        meeting_id=_address(conference),
        revision=conference.wanted_version,
        key=_key(conference, ChangeKind.UPDATE),
        changed=changed(aim, conference.applied),
        wanted=aim,
    )


def deletion(conference: Conference, tenant: str) -> Change:
    """The call that deletes the meeting."""
    return _bare_change(conference, tenant, ChangeKind.DELETE)


def reading(conference: Conference, tenant: str, now: datetime) -> Change:
    """The call that asks how the meeting is. Its key is new each time, or the provider would repeat an old answer."""
    change = _bare_change(conference, tenant, ChangeKind.READ)
    return structs.replace(change, key=f"{change.key}_{now.timestamp():.6f}")


def _bare_change(conference: Conference, tenant: str, kind: ChangeKind) -> Change:
    return Change(kind, tenant, _address(conference), conference.wanted_version, _key(conference, kind))


def _address(conference: Conference) -> str:
    # A provider that cannot edit in place has given the meeting a new id; its events go on naming the old one.
    return conference.meeting.meeting_id if conference.meeting else conference.meeting_id


def _key(conference: Conference, kind: ChangeKind) -> str:
    # A pure function of what is wanted: each retry, by whichever worker, sends the same.
    text = f"{conference.tenant_id}/{conference.conference_id}/{conference.wanted_version}/{kind.value}"
    return f"sync_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


class Patch(Value, frozen=True):
    """A write-back. body: what to patch, by field of the Event resource. rung: name of the way taken."""

    rung: str
    body: tuple[tuple[str, object], ...]


def is_shown(event: Event, meeting: Meeting) -> bool:
    """The event tells its guests the meeting's join URL, passcode and dial-in, and nothing else in our own block."""
    shown = event.shown
    if shown.block is not None:
        return block.says(shown.block, meeting)
    urls = (*shown.join_urls, *([shown.location] if shown.location else []))
    return (
        (meeting.join_url is None or meeting.join_url in urls)
        and (meeting.passcode is None or meeting.passcode == shown.passcode)
        and {_number(given) for given in meeting.dial_in} <= {_number(told) for told in shown.dial_in}
    )


def _number(dial_in: str) -> str:
    """A number without its scheme, the blanks people read it by, and the code that is dialled after it."""
    return _NOT_OF_A_NUMBER.sub("", re.split("[,;]", dial_in)[0])


def patches(link: Link, meeting: Meeting, ladder: Sequence[str]) -> Iterator[Patch]:
    """The ways to write back, best first, each made as it is asked for; none when the event shows everything already.

    A rung that worked before comes first; a rung that cannot say what is missing is left out.
    """
    if is_shown(link.event, meeting) or link.rung == NO_RUNG:
        return
    start = ladder.index(link.rung) if link.rung in ladder else 0
    rungs = ["description"] if link.event.shown.block is not None else list(ladder[start:])
    for rung in rungs:
        patch = _patch(rung, link, meeting)
        if patch is not None:
            yield patch


def _patch(rung: str, link: Link, meeting: Meeting) -> Patch | None:
    event = link.event
    if rung == "conferenceData":
        # A passcode stands beside the address: without one there is nowhere to say it.
        can_say = meeting.join_url is not None or meeting.passcode is None
        data = _conference_data(event, meeting)
        return Patch(rung, (("conferenceData", data),)) if can_say and not _other_points(event) else None
    if rung == "location":
        return _location(link, meeting)
    return Patch(rung, (("description", block.join(event.description, meeting)),))


def without_block(event: Event) -> Patch:
    """The patch that takes our block out of an event, and leaves the user's own text to the byte."""
    return Patch("description", (("description", event.description or ""),))


def _location(link: Link, meeting: Meeting) -> Patch | None:
    event = link.event
    # What we wrote there before is ours still if it leads to the same host.
    is_ours = link.rung == "location" and _host(event.shown.location) == _host(meeting.join_url)
    # A place that the user wrote is theirs; and a location says neither passcode nor numbers.
    is_free = not event.shown.location or event.shown.location in event.shown.join_urls or is_ours
    written = structs.replace(event, shown=structs.replace(event.shown, location=meeting.join_url))
    says_enough = is_shown(written, meeting)
    if not (is_free and says_enough and meeting.join_url):
        return None
    return Patch("location", (("location", meeting.join_url),))


def is_spoilt(read: Event, before: Event) -> bool:
    """Our lines were put into an event, and whoever keeps it made a text out of them that is not ours any more."""
    return read.shown.block is None and read.description != before.description


def _host(url: str | None) -> str | None:
    return urlsplit(url).netloc or None if url and "://" in url else None


def _conference_data(event: Event, meeting: Meeting) -> dict[str, object]:
    solution = event.solution
    points: list[dict[str, str]] = []
    if meeting.join_url:
        video = {"entryPointType": "video", "uri": meeting.join_url}
        points.append({**video, "passcode": meeting.passcode} if meeting.passcode else video)
    points += [{"entryPointType": "phone", "uri": _phone_uri(number)} for number in meeting.dial_in]
    return {
        "conferenceId": solution.conference_id if solution else meeting.meeting_id,
        "conferenceSolution": {
            "key": {"type": solution.key_type if solution else "addOn"},
            "name": solution.name if solution else None,
        },
        "entryPoints": points,
        "parameters": {"addOnParameters": {"parameters": dict(solution.parameters if solution else ())}},
    }


def _other_points(event: Event) -> bool:
    # The list is replaced as a whole, and we would have to make up what we do not know: leave such an event alone.
    known = {*event.shown.join_urls, *event.shown.dial_in}
    return event.solution is not None and any(uri not in known for uri in event.solution.uris)


def _phone_uri(dial_in: str) -> str:
    return f"tel:{''.join(dial_in.removeprefix('tel:').split())}"


def write_backs_left(link: Link, today: date) -> int:
    """How many write-backs this event may still get today without a user's change.

    The cap stops a loop with whoever else rewrites the event.
    """
    spent = link.write_backs if link.write_backs_on == today else 0
    return max(0, WRITE_BACKS_A_DAY - spent)
