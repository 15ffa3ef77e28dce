"""Makes one exported VEVENT into the Event resource that it was at Google."""

import base64
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from icalendar import Event, vDDDTypes

RECURRENCE_LINES = ("RRULE", "EXRULE", "RDATE", "EXDATE")
STAMPS = ("CREATED", "LAST-MODIFIED", "DTSTAMP")
TIMES = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID")
TEXTS = {"summary": "SUMMARY", "description": "DESCRIPTION", "location": "LOCATION"}
ONCE = (*STAMPS, *TIMES, *TEXTS.values(), "UID", "SEQUENCE", "STATUS", "CLASS", "TRANSP", "X-GOOGLE-CONFERENCE")
READ = (*ONCE, *RECURRENCE_LINES, "ATTENDEE")
STATUSES = ("confirmed", "tentative", "cancelled")
VISIBILITIES = ("public", "private", "confidential")
ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentative"}


class Unusable(Exception):
    """An entry that cannot be imported; the message is the reason."""


def event_of(lines: Sequence[str], *, time_zone: str, organizer: str) -> dict[str, Any]:
    """The Event resource of an entry.

    lines: unfolded, from BEGIN:VEVENT to END:VEVENT. time_zone: the calendar's, for times in UTC or without a zone.
    Raises Unusable with the reason.
    """
    entry = _parse(lines)
    uid = str(entry.get("UID", "")).strip()
    if not uid:
        raise Unusable("it has no UID")
    event = {
        "id": event_id(uid),
        "iCalUID": uid,
        "status": _status(entry),
        **_stamps(entry),
        **_texts(entry),
        **_times(entry, time_zone),
        "creator": {"email": organizer, "self": True},
        "organizer": {"email": organizer, "self": True},
        **_manners(entry),
        **_attendees(entry, organizer),
        **_conference(entry),
        "eventType": "default",
    }
    return _placed(event, entry, recurrence=_recurrence(lines), time_zone=time_zone)


def event_id(uid: str) -> str:
    """The id that Google gives an event: its own UIDs begin with it, a foreign UID is spelt in base32hex.

    Source: Calendar API, Events resource, id (base32hex); seen in exports that hold an imported series in both forms.
    """
    if uid.endswith("@google.com"):
        return uid.partition("@")[0]
    return "_" + base64.b32hexencode(uid.encode()).decode().rstrip("=").lower()


def zone_named(name: str) -> ZoneInfo | None:
    """The IANA zone of that name, None if there is none."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return None


def _parse(lines: Sequence[str]) -> Any:
    try:
        entry = Event.from_ical("\r\n".join(lines) + "\r\n")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Unusable("it is not well-formed") from error
    broken = sorted({str(name) if name in READ else "lines" for name, _ in entry.errors} - set(STAMPS))
    if broken:
        raise Unusable(f"its {broken[0]} cannot be read")
    twice = [name for name in ONCE if isinstance(entry.get(name), list)]
    if twice:
        raise Unusable(f"it has more than one {twice[0]}")
    return entry


def _placed(event: dict[str, Any], entry: Any, *, recurrence: list[str], time_zone: str) -> dict[str, Any]:
    """The event as a single one, a master, or an exception of a series (whose master may be missing)."""
    original = entry.get("RECURRENCE-ID")
    is_cancelled = event["status"] == "cancelled"
    if original is None and is_cancelled:
        raise Unusable("it is cancelled")
    if original is None:
        return event | ({"recurrence": recurrence} if recurrence else {})
    if "RANGE" in original.params:
        raise Unusable("its RECURRENCE-ID stands for more than one occurrence")
    moment = _moment(original, time_zone)
    place = {"recurringEventId": event["id"], "originalStartTime": moment}
    return event | place | {"id": f"{event['id']}_{_stamp(moment)}"}


def _stamp(moment: dict[str, str]) -> str:
    """How an occurrence's id ends: a day, or an instant in UTC."""
    if "date" in moment:
        return moment["date"].replace("-", "")
    return datetime.fromisoformat(moment["dateTime"]).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _recurrence(lines: Sequence[str]) -> list[str]:
    """The recurrence lines as they stand, none unless one of them adds occurrences."""
    chosen = [str(line) for line in lines if line.partition(":")[0].partition(";")[0].upper() in RECURRENCE_LINES]
    return chosen if any(line.upper().startswith(("RRULE", "RDATE")) for line in chosen) else []


def _status(entry: Any) -> str:
    status = str(entry.get("STATUS", "confirmed")).lower()
    if status not in STATUSES:
        raise Unusable("its STATUS is none that Google knows")
    return status


def _stamps(entry: Any) -> dict[str, Any]:
    """When it was made and last changed; exports of old events hold stamps such as the year 0, so one helps out."""
    read = {name: entry[name].dt for name in STAMPS if isinstance(entry.get(name), vDDDTypes)}
    instants = {name: _shown_in(UTC, at) for name, at in read.items() if isinstance(at, datetime) and at.tzinfo}
    updated_at = instants.get("LAST-MODIFIED") or instants.get("DTSTAMP") or instants.get("CREATED")
    if updated_at is None:
        raise Unusable("it does not say when it was made or changed")
    created_at = instants.get("CREATED", updated_at)
    sequence = int(entry.get("SEQUENCE", 0))
    return {"created": _instant(created_at), "updated": _instant(updated_at), "sequence": sequence}


def _shown_in(zone: tzinfo, at: datetime) -> datetime:
    try:
        return at.astimezone(UTC).astimezone(zone)
    except OverflowError as error:
        raise Unusable("one of its times lies beyond the years 1 to 9999") from error


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _texts(entry: Any) -> dict[str, str]:
    texts = {field: str(entry[name]) for field, name in TEXTS.items() if name in entry}
    return {field: text for field, text in texts.items() if text}


def _times(entry: Any, time_zone: str) -> dict[str, Any]:
    if "DTSTART" not in entry:
        raise Unusable("it has no DTSTART")
    start = _moment(entry["DTSTART"], time_zone)
    end = _moment(entry["DTEND"], time_zone) if "DTEND" in entry else _end_without_dtend(entry, start)
    if start.keys() != end.keys():
        raise Unusable("its DTSTART and DTEND are not of one kind")
    if _when(end) < _when(start):
        raise Unusable("it ends before it starts")
    return {"start": start, "end": end}


def _end_without_dtend(entry: Any, start: dict[str, str]) -> dict[str, str]:
    """Source: RFC 5545, 3.6.1: a DURATION, else a whole day for a date and no time at all for an instant."""
    field = "date" if "date" in start else "dateTime"
    length = entry["DURATION"].dt if "DURATION" in entry else timedelta(days=1 if field == "date" else 0)
    try:
        ends = datetime.fromisoformat(start[field]) + length
    except (OverflowError, TypeError) as error:
        raise Unusable("its DURATION gives no end") from error
    return start | {field: ends.date().isoformat() if field == "date" else ends.isoformat()}


def _when(moment: dict[str, str]) -> datetime:
    return datetime.fromisoformat(moment.get("dateTime") or moment["date"])


def _moment(value: Any, time_zone: str) -> dict[str, str]:
    """A start or end in Google's form. In UTC or without a zone it stands in the calendar's own zone."""
    at = value.dt
    name = str(value.params.get("TZID", "")) or time_zone
    zone = zone_named(name)
    if zone is None:
        raise Unusable("it names a time zone that is not known")
    if not isinstance(at, datetime):
        return {"date": _day(at, zone)}
    placed = _shown_in(zone, at.replace(tzinfo=zone) if at.tzinfo is None else at)
    return {"dateTime": placed.isoformat(), "timeZone": name}


def _day(at: Any, zone: tzinfo) -> str:
    if not isinstance(at, date):
        raise Unusable("one of its times is neither a date nor an instant")
    return _shown_in(zone, datetime.combine(at, time(), zone)).date().isoformat()


def _manners(entry: Any) -> dict[str, str]:
    """Whether it blocks time and who may see it, where that is not the default."""
    manners = {}
    if str(entry.get("TRANSP", "")).upper() == "TRANSPARENT":
        manners["transparency"] = "transparent"
    visibility = str(entry.get("CLASS", "")).lower()
    if visibility in VISIBILITIES:
        manners["visibility"] = visibility
    return manners


def _attendees(entry: Any, organizer: str) -> dict[str, Any]:
    found = entry.get("ATTENDEE", [])
    rows = [_attendee(row, organizer) for row in (found if isinstance(found, list) else [found])]
    return {"attendees": rows} if rows else {}


def _attendee(row: Any, organizer: str) -> dict[str, Any]:
    email = row[len("mailto:") :] if row.lower().startswith("mailto:") else str(row)
    attendee = {"email": email, "responseStatus": ANSWERS.get(row.params.get("PARTSTAT", ""), "needsAction")}
    if row.params.get("CN", email) != email:
        attendee["displayName"] = str(row.params["CN"])
    marks = {
        "self": email.lower() == organizer.lower(),
        "organizer": email.lower() == organizer.lower(),
        "resource": row.params.get("CUTYPE") in {"RESOURCE", "ROOM"},
        "optional": row.params.get("ROLE") == "OPT-PARTICIPANT",
    }
    return attendee | {name: True for name, is_so in marks.items() if is_so}


def _conference(entry: Any) -> dict[str, Any]:
    """The conference behind X-GOOGLE-CONFERENCE: Google's own, or that of an add-on named for its host."""
    if "X-GOOGLE-CONFERENCE" not in entry:
        return {}
    link = str(entry["X-GOOGLE-CONFERENCE"])
    url = urlsplit(link)
    is_meet = url.hostname == "meet.google.com"
    solution = ("hangoutsMeet", "Google Meet") if is_meet else ("addOn", url.hostname or "unknown")
    conference = {
        "conferenceId": url.path.rpartition("/")[2],
        "conferenceSolution": {"key": {"type": solution[0]}, "name": solution[1]},
        "entryPoints": [{"entryPointType": "video", "uri": link, "label": (url.hostname or "") + url.path}],
    }
    return {"conferenceData": conference} | ({"hangoutLink": link} if is_meet else {})
