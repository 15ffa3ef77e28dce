"""Series: how the meeting of recurring events should be, out of masters, their exceptions and what is excluded."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import structs

from syncer.model.calendar import Event, Link
from syncer.model.conference import Override, Series, Wanted
from syncer.rules import compose, occurrence, recurrence
from syncer.rules.occurrence import Zones

_FIRST_DAY = datetime.min.replace(tzinfo=UTC)


def wanted(driver: Link, links: Sequence[Link], *, zones: Zones) -> Wanted | None:
    """How the meeting of this driver should be; None for an event without times (free/busy, a stub).

    links: all of its conference. A single event wants itself. A master wants its occurrences: those that its exceptions
    change are overrides, those that do not take place are left out, and other halves of it come along.
    """
    aim = compose.wanted(driver.event)
    if aim is None or not driver.event.recurrence:
        return aim
    first, *further = _halves(driver, links, zones)
    # The driver says what the meeting is called and about; where it is one of several halves, the first says when.
    return structs.replace(
        aim,
        starts=first.starts,
        ends=first.ends,
        time_zone=first.time_zone,
        recurrence=first.recurrence,
        overrides=first.overrides,
        further=tuple(further),
    )


def last_start(event: Event, *, zones: Zones) -> datetime | None:
    """When the last occurrence of a series starts, a day at its midnight in UTC; None for one without an end.

    None as well for one that cannot be read: what never ends keeps its meeting.
    """
    if event.starts is None:
        return None
    try:
        last = recurrence.read(event.recurrence, event.starts, zones=zones).last_start()
    except occurrence.Unreadable:
        return None
    return None if last is None else _instant(last)


def _halves(driver: Link, links: Sequence[Link], zones: Zones) -> list[Series]:
    """What "this and following" made out of one series: masters of one calendar of which each begins after the last
    occurrence of the one before. Others that overlap are duplicates, and do not shape the meeting.
    """
    masters = [link for link in links if link.key == driver.key and link.event.recurrence and link.event.starts]
    masters.sort(key=lambda link: (_begins(link), link.event_id))
    place = next(number for number, link in enumerate(masters) if link.event_id == driver.event_id)
    before = list(_earlier(driver, masters[:place][::-1], zones))[::-1]
    chain = [*before, driver, *_later(driver, masters[place + 1 :], zones)]
    return [half for link in chain if (half := _half(link, links, zones)) is not None]


def _later(driver: Link, masters: Sequence[Link], zones: Zones) -> Iterator[Link]:
    end = last_start(driver.event, zones=zones)
    for link in masters:
        if end is not None and _begins(link) > end:
            yield link
            end = last_start(link.event, zones=zones)


def _earlier(driver: Link, masters: Sequence[Link], zones: Zones) -> Iterator[Link]:
    begins = _begins(driver)
    for link in masters:
        end = last_start(link.event, zones=zones)
        if end is not None and end < begins:
            yield link
            begins = _begins(link)


def _half(master: Link, links: Sequence[Link], zones: Zones) -> Series | None:
    event = master.event
    if event.starts is None or event.ends is None:
        return None
    said = (_override(link.event) for link in links if is_exception_of(link, master))
    overrides = sorted((one for one in said if one is not None), key=lambda one: one.original_start)
    # An occurrence that has one takes place, whatever an older entry of it said: the ids of exceptions may change.
    gone = set(master.excluded) - {one.original_start for one in overrides}
    # Instants that were left out before the series became an all-day one, or the other way round, name nothing it has.
    gone = {original for original in gone if ("T" in original) == (event.starts.at is not None)}
    return Series(
        starts=event.starts,
        ends=event.ends,
        time_zone=event.starts.time_zone,
        recurrence=(
            *event.recurrence,
            *(occurrence.exdate(original, event.starts.time_zone, zones=zones) for original in sorted(gone)),
        ),
        overrides=tuple(overrides),
    )


def is_exception_of(link: Link, master: Link) -> bool:
    """The link is of an occurrence of this master that people changed."""
    return link.key == master.key and link.event.recurring_event_id == master.event_id


def _override(event: Event) -> Override | None:
    if event.original_start is None or event.starts is None or event.ends is None:
        return None
    return Override(event.original_start, event.starts, event.ends, event.title, event.description)


def _begins(link: Link) -> datetime:
    starts = link.event.starts
    if starts is None:
        return _FIRST_DAY
    return starts.at if starts.at is not None else datetime.fromisoformat(f"{starts.day}T00:00:00+00:00")


def _instant(when: object) -> datetime:
    return when if isinstance(when, datetime) else datetime.fromisoformat(f"{when}T00:00:00+00:00")
