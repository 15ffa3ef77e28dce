"""Series of every kind: no text takes long, nothing is told too early, and the judge reckons the same."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncer.model.calendar import When
from syncer.rules import occurrence, recurrence
from syncer.rules.occurrence import Unreadable
from syncer.simulator.judge.occurrences import occurrences
from tests.rules.builders import LAW
from tests.rules.test_recurrence import zones

# Of dateutil's own, which ask each day the same, an ordinary core runs as many in five milliseconds.
MOST_LINES = 300_000
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC")

numbers = st.one_of(st.integers(-400, 400), st.sampled_from((0, 1, 29, 30, 31, 366, 10**9, 10**40)))
texts = st.one_of(
    numbers.map(str),
    st.lists(numbers, min_size=1, max_size=60).map(lambda several: ",".join(map(str, several))),
    st.lists(st.tuples(st.sampled_from(("", "1", "-1", "5", "53")), st.sampled_from(DAYS)), min_size=1).map(
        lambda several: ",".join(number + one for number, one in several)
    ),
    st.sampled_from(("", "20991231", "99991231T235959Z", "20270101T000000", "MO", "1000")),
    st.text(max_size=8),
)
PARTS = ("INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "BYHOUR", "BYWEEKNO", "BYYEARDAY")


@st.composite
def hostile_rules(draw: st.DrawFn) -> str:
    parts = draw(st.dictionaries(st.sampled_from((*PARTS, "WKST", "BYMINUTE", "BYSECOND")), texts, max_size=6))
    frequency = draw(st.sampled_from((*FREQUENCIES, *FREQUENCIES, "HOURLY", "SECONDLY")))
    return ";".join([f"RRULE:FREQ={frequency}", *(f"{name}={value}" for name, value in parts.items())])


dates = st.lists(texts, max_size=5).map(",".join)
hostile_lines = st.lists(
    st.one_of(
        hostile_rules(),
        st.tuples(st.sampled_from(("EXDATE:", "RDATE:", "EXDATE;TZID=UTC:", "RRULE:DATE;", "")), dates).map("".join),
    ),
    max_size=12,
)
whens = st.one_of(
    st.dates().map(lambda one: When(day=one)),
    st.tuples(st.dates(date(2, 1, 2), date(9998, 12, 1)), st.times(), st.sampled_from(ZONES)).map(
        lambda three: When(at=datetime.combine(*three[:2], UTC), time_zone=three[2])
    ),
)
EVERY = ",".join(map(str, range(1, 25)))
YEAR = f"RRULE:FREQ=YEARLY;BYYEARDAY={EVERY};BYMONTHDAY={EVERY};BYSETPOS={EVERY}"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
START = When(at=NOW, time_zone="Europe/Berlin")


def lines_run(act: Callable[[], object]) -> int:
    """How many lines of Python something takes: the same each time, unlike its seconds."""
    count = 0

    def seen(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return seen

    before = sys.gettrace()
    sys.settrace(seen)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def asked_everything(lines: list[str], starts: When) -> list[Callable[[], object]]:
    """All that can be asked of a series, one call each. Empty when it is refused."""
    try:
        rule = recurrence.read(lines, starts, zones=zones)
    except Unreadable:
        return []
    original = occurrence.canonical(starts)
    return [
        rule.last_start,
        lambda: rule.starts(NOW, NOW + timedelta(days=400), 500),
        lambda: rule.starts(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC), 10_000),
        lambda: rule.has(original),
        lambda: rule.has("8000-01-01" if rule.is_all_day else "8000-01-01T00:00:00Z"),
    ]


@LAW
@given(hostile_lines, whens)
@example(["RRULE:FREQ=MONTHLY"], When(day=date(2000, 1, 1)))
@example(["RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;INTERVAL=7;BYDAY=MO;COUNT=9"], START)
@example(["RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU;UNTIL=20991231"], START)
@example(["RRULE:FREQ=DAILY;INTERVAL=1000;BYMONTHDAY=31;BYSETPOS=-1;COUNT=1000"], START)
@example(["RRULE:FREQ=DAILY;COUNT=1000000000"] * 10, START)
@example(["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;INTERVAL=999;UNTIL=89991231"] * 10, START)
@example([YEAR] * 10, START)
@example([YEAR + ";COUNT=1000000"] * 10, START)
@example(["RRULE:FREQ=WEEKLY;INTERVAL=1000;COUNT=999"] * 10, START)
@example(["RRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23"] * 10, START)
@example(["EXDATE:" + ",".join(["20261103T090000"] * 500), "RRULE:FREQ=DAILY;UNTIL=20281001"], START)
@example(["EXDATE:" + "," * 49_000], START)
@example([";"] * 50_000, START)
@example(["RRULE:" + ";" * 49_000], START)
def test_whatever_the_text_nothing_takes_long(lines: list[str], starts: When) -> None:
    read = lines_run(lambda: asked_everything(lines, starts))
    taken = [lines_run(act) for act in asked_everything(lines, starts)]
    assert max((read, *taken)) <= MOST_LINES


@st.composite
def plain_series(draw: st.DrawFn) -> tuple[When, list[str]]:
    """A series in the forms that people use, somewhere near a change of the clocks or not."""
    frequency = draw(st.sampled_from(FREQUENCIES))
    day = draw(st.dates(date(2024, 1, 1), date(2028, 12, 31)))
    zone = draw(st.sampled_from((None, *ZONES)))
    clock = draw(st.sampled_from(("00:00", "01:30", "02:30", "09:00", "23:45")))
    wall = datetime.fromisoformat(f"{day}T{clock}")
    starts = When(day=day) if zone is None else When(at=_there(wall, ZoneInfo(zone)), time_zone=zone)
    rules = [f"RRULE:FREQ={frequency}" + "".join(draw(_parts(frequency, day))) for _ in range(draw(st.integers(0, 2)))]
    spread = st.lists(st.dates(day, day + timedelta(days=90)), min_size=1, max_size=4)
    extra = [
        f"{name}:{_written(draw(spread), wall, zone)}" for name in draw(st.sets(st.sampled_from(("RDATE", "EXDATE"))))
    ]
    return starts, rules + extra


def _there(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall clock, told as the clocks of that moment show it."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def _written(days: list[date], wall: datetime, zone: str | None) -> str:
    return ",".join(f"{day:%Y%m%d}" if zone is None else f"{day:%Y%m%d}T{wall:%H%M%S}" for day in days)


@st.composite
def _parts(draw: st.DrawFn, frequency: str, day: date) -> list[str]:
    parts = [f";INTERVAL={draw(st.integers(1, 4))}"] if draw(st.booleans()) else []
    end = draw(st.sampled_from(("", "COUNT", "UNTIL")))
    if end == "COUNT":
        parts.append(f";COUNT={draw(st.integers(1, 30))}")
    elif end:
        until = day + timedelta(days=draw(st.integers(0, 500)))
        parts.append(f";UNTIL={until:%Y%m%d}{draw(st.sampled_from(('', 'T000000Z', 'T143000Z', 'T023000')))}")
    if draw(st.booleans()):
        numbered = frequency in ("MONTHLY", "YEARLY") and draw(st.booleans())
        before = st.sampled_from(("1", "2", "-1", "+4") if numbered else ("",))
        days = draw(st.lists(st.tuples(before, st.sampled_from(DAYS)), min_size=1, max_size=4, unique=True))
        parts.append(";BYDAY=" + ",".join(number + one for number, one in days))
        if draw(st.booleans()):
            parts.append(f";BYSETPOS={draw(st.sampled_from(('1', '-1', '2', '1,3')))}")
    elif frequency != "WEEKLY" and draw(st.booleans()):
        parts.append(f";BYMONTHDAY={draw(st.sampled_from(('1', '15', '-1', '29,31', '30')))}")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f";BYMONTH={draw(st.sampled_from(('1', '3,10', '4,6,7,11')))}")
    return [*parts, *([f";WKST={draw(st.sampled_from(DAYS))}"] if draw(st.booleans()) else [])]


def _google(when: When) -> dict[str, str]:
    if when.at is None:
        assert when.day is not None
        return {"date": when.day.isoformat()}
    return {"dateTime": when.at.isoformat(), "timeZone": when.time_zone or "UTC"}


@settings(LAW, max_examples=1000)
@given(plain_series(), st.integers(-30, 800), st.integers(1, 300))
def test_the_judge_reckons_the_same(series: tuple[When, list[str]], skipped: int, width: int) -> None:
    starts, lines = series
    rule = recurrence.read(lines, starts, zones=zones)
    after = rule.first_at + timedelta(days=skipped)
    window = (after, after + timedelta(days=width))
    judged = [start for start, _ in occurrences(_google(starts), _google(starts), lines, window)]
    assert rule.starts(*window, 1000) == judged
    assert all(rule.has(_original(start)) for start in judged[:3])


@LAW
@given(plain_series())
def test_no_occurrence_comes_after_the_last(series: tuple[When, list[str]]) -> None:
    starts, lines = series
    rule = recurrence.read(lines, starts, zones=zones)
    last, window = rule.last_start(), (rule.first_at - timedelta(days=1), rule.first_at + timedelta(days=4000))
    judged = [start for start, _ in occurrences(_google(starts), _google(starts), lines, window)]
    if last is None:
        rules = [line for line in lines if line.startswith("RRULE")]
        # A count of rare days may be too far away to be counted to.
        assert any("UNTIL" not in line and ("COUNT" not in line or "BY" in line) for line in rules)
    elif judged and _instant(last) < window[1]:
        assert judged[-1] == last


@LAW
@given(plain_series())
def test_what_our_line_excludes_takes_place_no_more(series: tuple[When, list[str]]) -> None:
    starts, lines = series
    rule = recurrence.read(lines, starts, zones=zones)
    first = rule.first_at
    found = rule.starts(first, first + timedelta(days=400), 20)
    for start in found[:: max(len(found) // 3, 1)]:
        original_start = occurrence.canonical_text(_original(start))
        (line,) = occurrence.exdates([original_start], starts.time_zone, zones=zones)
        without = recurrence.read([*lines, line], starts, zones=zones)
        assert not without.has(_original(start))
        assert without.starts(first, first + timedelta(days=400), 19) == [one for one in found if one != start][:19]


def _instant(start: datetime | date) -> datetime:
    return start if isinstance(start, datetime) else datetime(start.year, start.month, start.day, tzinfo=UTC)


def _original(start: datetime | date) -> str:
    return occurrence.canonical(When(at=start) if isinstance(start, datetime) else When(day=start))


@pytest.mark.parametrize("recurrence_line", ["RRULE:FREQ=HOURLY", "EXRULE:FREQ=DAILY", "RRULE:FREQ=DAILY;BYHOUR=1"])
def test_the_judge_refuses_what_it_cannot_reckon(recurrence_line: str) -> None:
    with pytest.raises(ValueError, match="The judge knows no"):
        occurrences(_google(START), _google(START), [recurrence_line], (NOW, NOW + timedelta(days=1)))
