"""Series: how the meeting of recurring events should be, out of masters, their exceptions and what is excluded."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import structs

from syncer.model.calendar import Event, Link
from syncer.model.conference import Override, Series, Wanted
from syncer.rules import compose, decide, occurrence, recurrence
from syncer.rules.occurrence import Zones

_FIRST_DAY = datetime.min.replace(tzinfo=UTC)


# Of a meeting, and of a series: what is more is not sent. The latest count, for a series gathers ever more of the past.
MOST_OVERRIDES, MOST_EXCLUDED = 500, 1000
_MOST_TEXT = 100_000


def wanted(driver: Link, links: Sequence[Link], *, zones: Zones) -> Wanted | None:
    """How the meeting of this driver should be; None for an event without times (free/busy, a stub).

    links: all of its conference. A single event wants itself. A master wants its occurrences: those that its exceptions
    change are overrides, those that do not take place are left out, and other halves of it come along.
    """
    aim = compose.wanted(driver.event)
    if aim is None or not driver.event.recurrence:
        return aim
    exceptions, _ = _bounded(links)
    first, *further = _halves(driver, [link for link in links if link.event.recurrence] + exceptions, zones)
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


def left_out(links: Sequence[Link]) -> tuple[str, ...]:
    """Names of the parts of a meeting of which some is not sent, for it has more than is sent of any."""
    found = ["overrides"] if _bounded(links)[1] else []
    return (*found, "excluded") if any(len(link.excluded) > MOST_EXCLUDED for link in links) else tuple(found)


def _bounded(links: Sequence[Link]) -> tuple[list[Link], bool]:
    """The exceptions that are sent, and whether there are more."""
    exceptions = [link for link in links if link.event.original_start is not None]
    exceptions.sort(key=lambda link: link.event.original_start or "", reverse=True)
    text = 0
    for count, link in enumerate(exceptions):
        text += len(link.event.title or "") + len(link.event.description or "")
        if count == MOST_OVERRIDES or text > _MOST_TEXT:
            return exceptions[:count], True
    return exceptions, False


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
    occurrence of the one before. Others that overlap are duplicates, and do not shape the meeting; of those that begin
    together the earliest created is the half.
    """
    masters = [link for link in links if link.key == driver.key and link.event.recurrence and link.event.starts]
    others = sorted((link for link in masters if link.event_id != driver.event_id), key=decide.age)
    before = list(_earlier(driver, sorted(others, key=_begins, reverse=True), zones))[::-1]
    chain = [*before, driver, *_later(driver, sorted(others, key=_begins), zones)]
    return [half for link in chain if (half := _half(link, links, zones)) is not None]


def _later(driver: Link, others: Sequence[Link], zones: Zones) -> Iterator[Link]:
    end = last_start(driver.event, zones=zones)
    for link in others:
        if end is not None and _begins(link) > end:
            yield link
            end = last_start(link.event, zones=zones)


def _earlier(driver: Link, others: Sequence[Link], zones: Zones) -> Iterator[Link]:
    begins = _begins(driver)
    for link in others:
        end = last_start(link.event, zones=zones) if _begins(link) < begins else None
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
    excluded = sorted(one for one in gone if ("T" in one) == (event.starts.at is not None))[-MOST_EXCLUDED:]
    return Series(
        starts=event.starts,
        ends=event.ends,
        time_zone=event.starts.time_zone,
        recurrence=(
            *event.recurrence,
            *occurrence.exdates(excluded, event.starts.time_zone, zones=zones),
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
