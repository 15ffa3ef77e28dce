"""When a series takes place, when it ends, and how its lines are understood."""

from datetime import UTC, date, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from syncer.model.calendar import When
from syncer.rules import occurrence, recurrence
from syncer.rules.occurrence import Unreadable
from syncer.rules.recurrence import Rule
from tests.rules.builders import event

BERLIN = "Europe/Berlin"
EVER = datetime(2999, 1, 1, tzinfo=UTC)


@cache
def zones(name: str) -> tzinfo | None:
    return ZoneInfo(name) if name in available_timezones() else None


def timed(text: str, zone: str = BERLIN) -> When:
    """A start on the wall clock of a zone."""
    return When(at=datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)), time_zone=zone)


def day(text: str) -> When:
    return When(day=date.fromisoformat(text))


def series(starts: When, *lines: str) -> Rule:
    return recurrence.read(lines, starts, zones=zones)


def told(rule: Rule, most: int = 5) -> list[str]:
    """Its first occurrences, days as days and instants without their date's year and zone."""
    found = rule.starts(datetime(1990, 1, 1, tzinfo=UTC), EVER, most)
    return [f"{one:%m-%dT%H:%M}" if isinstance(one, datetime) else one.isoformat() for one in found]


MONDAY = timed("2026-11-02T10:00")  # 09:00 UTC, in winter time

OCCURRENCES = [
    pytest.param(("RRULE:FREQ=WEEKLY;COUNT=3",), ["11-02T09:00", "11-09T09:00", "11-16T09:00"], id="count"),
    pytest.param(("RRULE:FREQ=DAILY;INTERVAL=2;COUNT=2",), ["11-02T09:00", "11-04T09:00"], id="interval"),
    pytest.param(("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3",), ["11-02T09:00", "11-04T09:00", "11-09T09:00"], id="days"),
    pytest.param(("RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=2",), ["11-02T09:00", "12-07T09:00"], id="nth day"),
    pytest.param(
        ("RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1;COUNT=2",), ["11-02T09:00", "12-01T09:00"], id="BYSETPOS"
    ),
    pytest.param(("RRULE:FREQ=YEARLY;COUNT=2",), ["11-02T09:00", "11-02T09:00"], id="yearly"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=20261103T090000Z",), ["11-02T09:00", "11-03T09:00"], id="UNTIL in UTC"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=20261103T100000",), ["11-02T09:00", "11-03T09:00"], id="UNTIL on the clock"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=20261103",), ["11-02T09:00", "11-03T09:00"], id="UNTIL by day"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=20261103T085959Z",), ["11-02T09:00"], id="UNTIL just too early"),
    pytest.param(
        ("RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2",),
        ["11-02T09:00", "11-04T09:00", "11-11T09:00"],
        id="start beside its rule",
    ),
    pytest.param(
        ("RRULE:FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=WEEKLY;BYDAY=TH;COUNT=1"),
        ["11-02T09:00", "11-05T09:00", "11-09T09:00"],
        id="two rules",
    ),
    pytest.param(
        ("RDATE;TZID=America/New_York:20261103T100000",), ["11-02T09:00", "11-03T15:00"], id="RDATE of another zone"
    ),
    pytest.param(("RDATE;VALUE=DATE:20261104",), ["11-02T09:00", "11-04T09:00"], id="RDATE by day"),
    pytest.param(("RDATE;VALUE=PERIOD:20261104T090000Z/PT1H",), ["11-02T09:00", "11-04T09:00"], id="RDATE as period"),
    pytest.param(("RRULE:DATE;TZID=Europe/Berlin:20261104T100000",), ["11-02T09:00", "11-04T09:00"], id="RRULE:DATE"),
    pytest.param(("DATE;TZID=Europe/Berlin:20261104T100000",), ["11-02T09:00", "11-04T09:00"], id="DATE"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261103T090000Z"), ["11-02T09:00"], id="EXDATE in UTC"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261103T100000"), ["11-02T09:00"], id="EXDATE on the clock"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20261103"), ["11-02T09:00"], id="EXDATE by day"),
    pytest.param(
        ("RRULE:FREQ=DAILY;COUNT=2", 'EXDATE;TZID="W. Europe Standard Time":20261103T100000'),
        ["11-02T09:00"],
        id="EXDATE of an unknown zone",
    ),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261102T090000Z"), ["11-03T09:00"], id="EXDATE of the start"),
    pytest.param(("rrule:freq=daily;count=2;wkst=su;",), ["11-02T09:00", "11-03T09:00"], id="small letters"),
    pytest.param(("RRULE:FREQ=DAILY;BYHOUR=8,12;COUNT=2",), ["11-02T09:00", "11-02T11:00", "11-03T07:00"], id="BYHOUR"),
]


@pytest.mark.parametrize(("lines", "expected"), OCCURRENCES)
def test_a_series_takes_place_when_its_lines_say(lines: tuple[str, ...], expected: list[str]) -> None:
    assert told(series(MONDAY, *lines)) == expected


ALL_DAY = [
    pytest.param(("RRULE:FREQ=WEEKLY;COUNT=2",), ["2026-11-02", "2026-11-09"], id="count"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=20261103",), ["2026-11-02", "2026-11-03"], id="UNTIL by day"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=20261103T225959Z",), ["2026-11-02", "2026-11-03"], id="UNTIL with a time"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20261103"), ["2026-11-02"], id="EXDATE"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261103T000000Z"), ["2026-11-02"], id="EXDATE with a time"),
    pytest.param(("RDATE;VALUE=DATE:20261105,20261104",), ["2026-11-02", "2026-11-04", "2026-11-05"], id="RDATE"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2;BYHOUR=1,2,3",), ["2026-11-02", "2026-11-03"], id="BYHOUR"),
]


@pytest.mark.parametrize(("lines", "expected"), ALL_DAY)
def test_an_all_day_series_is_one_of_days(lines: tuple[str, ...], expected: list[str]) -> None:
    assert told(series(day("2026-11-02"), *lines)) == expected


CLOCKS = [
    pytest.param(timed("2026-03-28T10:00"), ["03-28T09:00", "03-29T08:00", "03-30T08:00"], id="summer begins"),
    pytest.param(timed("2026-10-24T10:00"), ["10-24T08:00", "10-25T09:00", "10-26T09:00"], id="summer ends"),
    pytest.param(timed("2026-03-28T02:30"), ["03-28T01:30", "03-29T01:30", "03-30T00:30"], id="a time left out"),
    pytest.param(
        timed("2026-10-24T02:30"), ["10-24T00:30", "10-25T00:30", "10-26T01:30"], id="an hour that comes twice"
    ),
    pytest.param(timed("2011-12-29T10:00", "Pacific/Apia"), ["12-29T20:00", "12-30T20:00", "12-30T20:00"], id="no day"),
    pytest.param(
        timed("2014-10-25T10:00", "Europe/Moscow"), ["10-25T06:00", "10-26T07:00", "10-27T07:00"], id="other rules"
    ),
]


@pytest.mark.parametrize(("starts", "expected"), CLOCKS)
def test_the_wall_clock_stays_when_the_clocks_change(starts: When, expected: list[str]) -> None:
    found = told(series(starts, "RRULE:FREQ=DAILY;COUNT=3"))
    assert found == list(dict.fromkeys(expected))


def test_a_first_start_in_the_second_of_two_hours_stays_there() -> None:
    second = When(at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC), time_zone=BERLIN)
    assert told(series(second, "RRULE:FREQ=DAILY;COUNT=2")) == ["10-25T01:30", "10-26T01:30"]


def test_a_leap_day_comes_every_fourth_year() -> None:
    rule = series(day("2024-02-29"), "RRULE:FREQ=YEARLY;COUNT=3")
    assert told(rule) == ["2024-02-29", "2028-02-29", "2032-02-29"]


def test_a_week_begins_where_its_rule_says() -> None:
    tuesday = timed("1997-08-05T09:00", "America/New_York")
    lines = "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST="
    assert told(series(tuesday, lines + "MO")) == ["08-05T13:00", "08-10T13:00", "08-19T13:00", "08-24T13:00"]
    assert told(series(tuesday, lines + "SU")) == ["08-05T13:00", "08-17T13:00", "08-19T13:00", "08-31T13:00"]


LASTS = [
    pytest.param(("RRULE:FREQ=DAILY",), None, id="endless"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=",), None, id="an empty UNTIL"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=99991231T235959Z",), None, id="for ever"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=1000000000",), None, id="a count too great"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=YEARLY"), None, id="one of two is endless"),
    pytest.param(("RRULE:FREQ=WEEKLY;UNTIL=20261117T000000Z",), "2026-11-16T09:00", id="before its UNTIL"),
    pytest.param(("RRULE:FREQ=WEEKLY;BYMONTH=11;UNTIL=20300601",), "2029-11-26T09:00", id="long before its UNTIL"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=730",), "2028-10-31T09:00", id="a great count"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261104T090000Z"), "2026-11-03T09:00", id="its end excluded"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20261102T090000Z"), "2026-11-02T09:00", id="nothing is left"),
    pytest.param(("RRULE:FREQ=DAILY;UNTIL=20200101",), "2026-11-02T09:00", id="ends before it starts"),
    pytest.param(("RRULE:FREQ=DAILY;COUNT=2", "RDATE:20270101T090000Z"), "2027-01-01T09:00", id="a date behind it"),
    pytest.param((), "2026-11-02T09:00", id="no lines"),
]


@pytest.mark.parametrize(("lines", "expected"), LASTS)
def test_the_last_start_is_told_or_that_there_is_none(lines: tuple[str, ...], expected: str | None) -> None:
    wanted = datetime.fromisoformat(expected + "Z") if expected else None
    assert series(MONDAY, *lines).last_start() == wanted


def test_an_end_that_takes_too_long_to_find_is_never_told_too_early() -> None:
    rule = series(MONDAY, "RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU;UNTIL=20991231T000000Z")
    assert rule.last_start() == datetime(2099, 12, 31, tzinfo=UTC)


REFUSED = [
    pytest.param("RRULE:FREQ=HOURLY", "more often than daily", id="HOURLY"),
    pytest.param("RRULE:FREQ=MINUTELY", "more often than daily", id="MINUTELY"),
    pytest.param("RRULE:FREQ=SECONDLY;BYMONTH=2", "more often than daily", id="SECONDLY"),
    pytest.param("RRULE:COUNT=3", "how often", id="no FREQ"),
    pytest.param("RRULE:FREQ=DAILY;INTERVAL=0", "INTERVAL", id="INTERVAL=0"),
    pytest.param("RRULE:FREQ=DAILY;INTERVAL=1001", "INTERVAL", id="a great INTERVAL"),
    pytest.param("RRULE:FREQ=DAILY;COUNT=-1", "COUNT", id="COUNT=-1"),
    pytest.param("RRULE:FREQ=DAILY;COUNT=٣", "COUNT", id="other digits"),
    pytest.param("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "none of its months", id="30 February"),
    pytest.param("RRULE:FREQ=MONTHLY;BYDAY=6MO", "BYDAY", id="a sixth Monday"),
    pytest.param("RRULE:FREQ=DAILY;BYMONTH=13", "BYMONTH", id="a thirteenth month"),
    pytest.param("RRULE:FREQ=DAILY;BYEASTER=1", "not known", id="a part of another's"),
    pytest.param("RRULE:FREQ=DAILY;COUNT=1;COUNT=2", "twice", id="a part twice"),
    pytest.param("RRULE:FREQ=WEEKLY;BYWEEKNO=1", "by years", id="weeks of no year"),
    pytest.param("RRULE:FREQ=DAILY;WKST=XX", "WKST", id="an unknown day"),
    pytest.param("RRULE:FREQ=DAILY;UNTIL=soon", "not written as one", id="UNTIL in words"),
    pytest.param("RRULE:FREQ=DAILY;UNTIL=20260231", "does not exist", id="UNTIL on no day"),
    pytest.param("RRULE:FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=1,2,3,4,5,6,7,8,9", "a day", id="often a day"),
    pytest.param("EXRULE:FREQ=DAILY", "EXRULE", id="EXRULE"),
    pytest.param("DTSTART:20261102T090000Z", "not an RRULE", id="another line"),
    pytest.param("nonsense", "not an RRULE", id="nonsense"),
    pytest.param("EXDATE:" + ",".join(["20261102"] * 501), "dates", id="many dates"),
    pytest.param("RRULE:" + "FREQ=DAILY;" * 1000, "characters", id="a long rule"),
]


@pytest.mark.parametrize(("line", "word"), REFUSED)
def test_a_line_that_cannot_be_read_is_refused_with_a_sentence(line: str, word: str) -> None:
    with pytest.raises(Unreadable, match=word):
        series(MONDAY, line)


def test_a_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Unreadable, match="time zone"):
        recurrence.read((), When(at=datetime(2026, 1, 1, tzinfo=UTC), time_zone="Mars/Olympus"), zones=zones)


def test_a_start_without_a_zone_takes_the_calendars_and_else_its_offset() -> None:
    bare, lines = When(at=datetime.fromisoformat("2026-03-28T10:00+01:00")), ("RRULE:FREQ=DAILY;COUNT=2",)
    assert told(recurrence.read(lines, bare, zones=zones, fallback=BERLIN)) == ["03-28T09:00", "03-29T08:00"]
    assert told(recurrence.read(lines, bare, zones=zones)) == ["03-28T09:00", "03-29T09:00"]


@pytest.mark.parametrize("starts", [day("0001-01-01"), timed("9998-12-31T23:59", "UTC"), day("9999-12-31")])
def test_a_start_too_far_away_is_refused(starts: When) -> None:
    with pytest.raises(Unreadable, match="too far away"):
        series(starts, "RRULE:FREQ=DAILY")


def test_an_occurrence_is_known_by_its_original_start() -> None:
    weekly = series(MONDAY, "RRULE:FREQ=WEEKLY", "EXDATE:20261109T090000Z")
    asked = {"2126-11-04T10:00:00+01:00": True, "2026-11-09T09:00:00Z": False, "2026-11-16": False}
    assert {text: weekly.has(text) for text in asked} == asked
    assert series(day("2026-11-02"), "RRULE:FREQ=WEEKLY").has("2026-11-16")


def test_a_window_is_told_far_from_the_start() -> None:
    birthday = series(day("1931-11-26"), "RRULE:FREQ=YEARLY")
    assert birthday.starts(date(2026, 11, 26), date(2028, 11, 26), 9) == [date(2026, 11, 26), date(2027, 11, 26)]


def test_an_original_start_has_one_form() -> None:
    texts = ("2026-11-26T10:00:00+01:00", "2026-11-26T09:00:00Z", "2026-11-26T04:00:00.000-05:00")
    assert {occurrence.canonical_text(text) for text in texts} == {"2026-11-26T09:00:00Z"}
    assert occurrence.canonical(timed("2026-11-26T10:00")) == "2026-11-26T09:00:00Z"
    assert occurrence.canonical(day("2026-11-26")) == occurrence.canonical_text("2026-11-26") == "2026-11-26"


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-11-26T10:00:00", "0001-01-01T00:00:00+10:00"])
def test_an_original_start_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        occurrence.canonical_text(text)


EXCLUSIONS = [
    pytest.param("2026-11-26T09:00:00Z", BERLIN, "EXDATE;TZID=Europe/Berlin:20261126T100000", id="in its zone"),
    pytest.param("2026-11-26T09:00:00Z", None, "EXDATE:20261126T090000Z", id="without a zone"),
    pytest.param("2026-11-26T09:00:00Z", "Mars/Olympus", "EXDATE:20261126T090000Z", id="in an unknown zone"),
    pytest.param("2026-11-26", BERLIN, "EXDATE;VALUE=DATE:20261126", id="all day"),
    pytest.param("2026-10-25T00:30:00Z", BERLIN, "EXDATE;TZID=Europe/Berlin:20261025T023000", id="first of two hours"),
    pytest.param("2026-10-25T01:30:00Z", BERLIN, "EXDATE:20261025T013000Z", id="second of two hours"),
]


@pytest.mark.parametrize(("original_start", "zone", "line"), EXCLUSIONS)
def test_an_exclusion_is_a_line_in_its_masters_zone(original_start: str, zone: str | None, line: str) -> None:
    assert list(occurrence.exdates([original_start], zone, zones=zones)) == [line]


def test_a_series_is_over_when_its_last_occurrence_is() -> None:
    master = event(
        starts=timed("2026-11-02T10:00"), ends=timed("2026-11-02T11:30"), recurrence=("RRULE:FREQ=DAILY;COUNT=2",)
    )
    assert recurrence.last_end(master, zones=zones) == datetime(2026, 11, 3, 10, 30, tzinfo=UTC)


def test_an_all_day_series_is_over_when_it_is_so_everywhere() -> None:
    master = event(starts=day("2026-11-02"), ends=day("2026-11-03"), recurrence=("RRULE:FREQ=DAILY;COUNT=2",))
    assert recurrence.last_end(master, zones=zones) == datetime(2026, 11, 4, 12, tzinfo=UTC)


def test_a_series_whose_end_no_calendar_reaches_is_never_over() -> None:
    line = "RRULE:FREQ=YEARLY;INTERVAL=1000;UNTIL=87000101T000000Z"
    master = event(starts=timed("1700-01-01T10:00", "UTC"), ends=timed("9990-01-01T10:00", "UTC"), recurrence=(line,))
    assert recurrence.last_end(master, zones=zones) is None


@pytest.mark.parametrize("line", ["RRULE:FREQ=DAILY", "RRULE:FREQ=HOURLY;COUNT=1", "nonsense"])
def test_a_series_without_an_end_or_sense_is_never_over(line: str) -> None:
    master = event(starts=MONDAY, ends=MONDAY, recurrence=(line,))
    assert recurrence.last_end(master, zones=zones) is None
