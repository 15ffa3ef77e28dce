"""What lies ahead of a series, and which of its edits a part of it can have."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncer.simulator.people.faces import Google, event_path
from syncer.simulator.people.record import AnyKind, Json, Kind, Meant, Record, Reference, SeriesKind

SPLITS: frozenset[AnyKind] = frozenset(
    {SeriesKind.SPLIT_API, SeriesKind.SPLIT_API_BARE, SeriesKind.SPLIT_UI, SeriesKind.SPLIT_UI_BARE}
)
LEAST: dict[AnyKind, int] = {
    SeriesKind.RENAME_SERIES: 1,
    SeriesKind.MOVE_SERIES: 1,
    SeriesKind.RENAME_INSTANCE: 1,
    SeriesKind.MOVE_INSTANCE: 1,
    SeriesKind.SHORTEN_INSTANCE: 1,
    SeriesKind.SWAP_INSTANCE: 3,
    SeriesKind.CANCEL_INSTANCE: 3,
    SeriesKind.DUPLICATE_SERIES: 1,
    # One that is over makes no new link, and rightly so; nor is it looked for when a calendar is read anew.
    SeriesKind.MOVE_SERIES_CALENDAR: 1,
    SeriesKind.UNDELETE_SERIES: 1,
    SeriesKind.DELETE_SERIES: 1,
    SeriesKind.DECLINE: 1,
    Kind.INVITE: 1,
    Kind.CHANGE_AT_PROVIDER: 1,
    **dict.fromkeys(SPLITS, 3),
}
"""How many occurrences a series must have ahead for such an edit."""
_ON_ANY: frozenset[AnyKind] = frozenset({Kind.INVITE, Kind.CHANGE_AT_PROVIDER, SeriesKind.DECLINE})
_ON_ONE: frozenset[AnyKind] = frozenset({Kind.RENAME, Kind.MOVE_TIME, Kind.CHANGE_AT_PROVIDER})
_SOON = timedelta(hours=1)
_MOST = "20"


def fits(kind: AnyKind, where: Reference, record: Record) -> bool:
    """Whether an event is of the sort that such an edit is made to: single, a series, or an instance met alone."""
    meant = record.meant[where]
    if meant.is_single:
        return isinstance(kind, Kind) or kind is SeriesKind.DECLINE
    if meant.master is not None:
        series = record.meant.get(meant.master)
        return kind in _ON_ONE and (series is None or series.meeting_id != meant.meeting_id)
    if kind is SeriesKind.RESTORE_INSTANCE:
        return any(other.master == where for other in record.called_off.values())
    return kind in _ON_ANY or isinstance(kind, SeriesKind)


async def ahead(google: Google, where: Reference, now: datetime, meant: Meant) -> list[Json]:
    """The next live instances of a series that have its meeting, as Google shows them, by their original starts."""
    query = {"timeMin": (now + _SOON).isoformat(), "maxResults": _MOST}
    rows = await instances(google, where, query)
    return [row for row in rows if row.get("conferenceData", {}).get("conferenceId") == meant.meeting_id]


async def instances(google: Google, where: Reference, query: dict[str, str]) -> list[Json]:
    """One page of a series' instances."""
    path = f"{event_path(where.calendar_id, where.event_id)}/instances"
    found: list[Json] = (await google.call("GET", path, query=query)).get("items", [])
    return found
