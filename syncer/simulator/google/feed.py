"""Answers `events.list`: whole listings, changes since a sync token, and their pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from syncer.simulator.google import listing, refusals, render, times, tokens
from syncer.simulator.google.listing import ListQuery
from syncer.simulator.google.render import View
from syncer.simulator.google.times import Json
from syncer.simulator.google.tokens import PageToken, SyncToken
from syncer.simulator.google.world import Calendar, Entry, World


def page(world: World, calendar: Calendar, asked: ListQuery, view: View, *, rows: int | None = None) -> Json:
    """One `calendar#events` answer.

    rows: how many entries it takes at most; with fewer than the query asks for there is always a next page.
    Raises Refusal, among others 410 when the sync token is over.
    """
    since = _checked_sync(world, calendar, asked.sync_token) if asked.sync_token else None
    place = _checked_page(world, calendar, asked) if asked.page_token else _first_page(world, calendar, asked, since)
    taken, next_offset = _rows(calendar, place, asked.max_results if rows is None else rows)
    if rows is not None and next_offset is None:
        next_offset = _offset_after(place, taken)
    is_delta = place.mode == "delta"
    shown = [entry for entry in taken if is_delta or listing.lets_through(calendar, entry, asked)]
    if not is_delta:
        shown = [entry for entry in shown if not _is_forgotten(world, entry)]
    view = replace(view, bare_tombstones=not (asked.show_deleted and world.switches.detailed_tombstones))
    answer = render.envelope(calendar, view.role, view.zone_name)
    answer["items"] = [render.event(calendar, entry, view) for entry in shown]
    if next_offset is not None:
        answer["nextPageToken"] = tokens.sealed(world, replace(place, offset=next_offset))
    elif asked.gives_token:
        newest = SyncToken(calendar.id, place.ceiling, asked.pinned, calendar.acl_epoch, world.issue_stamp())
        answer["nextSyncToken"] = tokens.sealed(world, newest)
    return answer


def _is_forgotten(world: World, entry: Entry) -> bool:
    """Whether this is a deleted event whose tombstone is gone by now."""
    days = world.switches.tombstone_days
    updated_at = times.instant(entry.resource.get("updated"))
    if days is None or not entry.is_cancelled or "recurringEventId" in entry.resource or updated_at is None:
        return False
    return updated_at < world.clock.now() - timedelta(days=days)


def differs_from_token(world: World, asked: ListQuery) -> bool:
    """Whether a query comes with a token that another query was given: undefined at Google, a fault in a client."""
    token = tokens.opened_sync(world, asked.sync_token)
    return token is not None and token.fingerprint != asked.pinned


def _checked_sync(world: World, calendar: Calendar, text: str) -> SyncToken:
    token = tokens.opened_sync(world, text)
    if token is None or token.calendar_id != calendar.id:
        raise refusals.malformed_sync_token()
    is_over = token.position < world.forgotten_before or token.position > world.number
    if is_over or world.is_too_old(token.issued_at) or token.acl_epoch != calendar.acl_epoch:
        raise refusals.full_sync_required()
    return token


def _checked_page(world: World, calendar: Calendar, asked: ListQuery) -> PageToken:
    token = tokens.opened_page(world, asked.page_token)
    if token is None or token.calendar_id != calendar.id or token.fingerprint != asked.whole:
        raise refusals.invalid("Invalid page token value.", parameter="pageToken")
    return token


def _first_page(world: World, calendar: Calendar, asked: ListQuery, since: SyncToken | None) -> PageToken:
    if asked.updated_min is not None and asked.updated_min < world.oldest_updated_min():
        raise refusals.updated_min_too_long_ago()
    mode = "delta" if since else "ordered" if asked.is_ordered else "full"
    offset = since.position if since else 0
    return PageToken(calendar.id, mode, offset, world.number, asked.whole)


def _rows(calendar: Calendar, place: PageToken, most: int) -> tuple[list[Entry], int | None]:
    """At most that many rows of a page before filtering, and the offset of the next page, None after the last.

    The page is cut before it is filtered, so that a page may be short or empty, as Google's.
    """
    if place.mode == "delta":
        changed = [(at, row) for at, row in calendar.changed_after(place.offset) if at <= place.ceiling]
        cut = changed[:most]
        last = cut[-1][0] if cut else place.offset
        return [row for _, row in cut], last if len(changed) > len(cut) else None
    ids = calendar.order[place.offset :]
    if place.mode == "ordered":
        ids = sorted(calendar.entries, key=lambda one: str(calendar.entries[one].resource["updated"]))[place.offset :]
    cut_ids = ids[:most]
    present = [calendar.entries[event_id] for event_id in cut_ids if event_id in calendar.entries]
    return present, place.offset + len(cut_ids) if len(ids) > len(cut_ids) else None


def _offset_after(place: PageToken, taken: list[Entry]) -> int:
    """Where a page that took all there was is followed by one more, an empty one."""
    if place.mode == "delta":
        return max((entry.number for entry in taken), default=place.offset)
    return place.offset + len(taken)
