"""How the meeting of recurring events should be."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from syncer.model.calendar import Event, Link, When
from syncer.model.conference import Override, Series, Wanted
from syncer.rules import compose, decide, series
from tests.rules.builders import NOW, event, key, link, on, zone_of

ZURICH = "Europe/Zurich"
FIRST = When(at=datetime(2026, 12, 1, 9, 0, tzinfo=UTC), time_zone=ZURICH)
ENDS = When(at=datetime(2026, 12, 1, 10, 0, tzinfo=UTC), time_zone=ZURICH)
RULE = "RRULE:FREQ=DAILY"
START = "2026-12-03T09:00:00Z"


def timed(day: int, hour: int = 9) -> When:
    return When(at=datetime(2026, 12, day, hour, 0, tzinfo=UTC), time_zone=ZURICH)


def master(event_id: str = "m1", *, rule: str = RULE, excluded: tuple[str, ...] = (), **changes: Any) -> Link:
    made = event(event_id, starts=FIRST, ends=ENDS, recurrence=(rule,))
    return link(structs.replace(made, **changes), excluded=excluded)


def exception(event_id: str = "x1", **changes: Any) -> Link:
    made = event(event_id, recurring_event_id="m1", original_start=START, starts=timed(4), ends=timed(4, 11))
    return link(structs.replace(made, **changes))


def wanted(driver: Link, *links: Link) -> Wanted:
    aim = series.wanted(driver, [driver, *links], zones=zone_of)
    assert aim is not None
    return aim


def test_a_single_event_wants_itself() -> None:
    assert wanted(link()) == compose.wanted(event())


def test_a_series_wants_its_rule() -> None:
    aim = wanted(master())
    assert (aim.starts, aim.recurrence, aim.overrides, aim.further) == (FIRST, (RULE,), (), ())


def test_what_does_not_take_place_is_left_out_on_the_wall_clock() -> None:
    aim = wanted(master(excluded=("2026-12-05T09:00:00Z", START)))
    assert aim.recurrence == (
        RULE,
        "EXDATE;TZID=Europe/Zurich:20261203T100000",
        "EXDATE;TZID=Europe/Zurich:20261205T100000",
    )


def test_days_are_left_out_as_days() -> None:
    aim = wanted(master(excluded=("2026-12-03",), starts=on("2026-12-01"), ends=on("2026-12-02")))
    assert aim.recurrence == (RULE, "EXDATE;VALUE=DATE:20261203")


def test_an_exception_overrides_its_occurrence() -> None:
    aim = wanted(master(), exception(title="Elsewhere", description="Bring cake"))
    assert aim.overrides == (Override(START, timed(4), timed(4, 11), "Elsewhere", "Bring cake"),)
    assert aim.recurrence == (RULE,)


def test_an_override_wins_over_an_older_word_that_it_is_cancelled() -> None:
    aim = wanted(master(excluded=(START,)), exception())
    assert (aim.recurrence, len(aim.overrides)) == ((RULE,), 1)


def test_exceptions_of_another_series_or_calendar_are_none_of_its() -> None:
    other = structs.replace(exception(), key=key(2))
    assert wanted(master(), exception(recurring_event_id="m2"), other).overrides == ()


def halves(first_rule: str = "RRULE:FREQ=DAILY;UNTIL=20261210T225959Z", **second: Any) -> tuple[Link, Link]:
    later = {"starts": timed(14), "ends": timed(14, 10), **second}
    return master(rule=first_rule), master("m2", **later)


def test_what_this_and_following_cut_is_one_union() -> None:
    first, second = halves()
    half = Series(timed(14), timed(14, 10), ZURICH, (RULE,))
    aim = wanted(first, second)
    assert (aim.starts, aim.recurrence, aim.further) == (FIRST, first.event.recurrence, (half,))
    assert wanted(second, first) == aim


def test_a_third_half_follows_the_second() -> None:
    first, second = halves(recurrence=("RRULE:FREQ=DAILY;COUNT=2",))
    third = master("m3", starts=timed(20), ends=timed(20, 10))
    assert [half.starts for half in wanted(first, third, second).further] == [timed(14), timed(20)]
    assert [half.starts for half in wanted(third, first, second).further] == [timed(14), timed(20)]


def test_a_duplicate_that_overlaps_does_not_shape_the_meeting() -> None:
    first, second = halves(first_rule=RULE)
    assert wanted(first, second).further == ()


def test_a_duplicate_of_a_half_made_later_does_not_take_its_place() -> None:
    first, second = halves()
    made_at = second.event.created_at
    assert made_at is not None
    first = structs.replace(first, excluded=("2026-12-04T09:00:00Z",))
    second = structs.replace(second, excluded=("2026-12-16T09:00:00Z",))
    copies = [
        structs.replace(
            one,
            event_id=event_id,
            excluded=(),
            event=structs.replace(one.event, event_id=event_id, created_at=made_at + timedelta(days=1)),
        )
        for one in (first, second)
        for event_id in (f"a-{one.event_id}", f"z-{one.event_id}")
    ]
    assert wanted(first, second, *copies) == wanted(first, second)
    assert wanted(second, first, *copies) == wanted(first, second)


def test_a_duplicate_on_another_calendar_does_not_shape_the_meeting() -> None:
    first, second = halves()
    assert wanted(first, structs.replace(second, key=key(2))).further == ()


def test_a_rule_that_nobody_can_read_is_passed_on_as_it_is() -> None:
    assert wanted(master(rule="RRULE:FREQ=SECONDLY")).recurrence == ("RRULE:FREQ=SECONDLY",)


def test_a_series_without_times_wants_nothing() -> None:
    assert series.wanted(master(starts=None), [master(starts=None)], zones=zone_of) is None


def test_overrides_and_halves_compare_as_instants() -> None:
    first, second = halves()
    aim = wanted(first, second, exception())
    bare = structs.replace(aim.overrides[0], starts=When(at=timed(4).at), ends=When(at=timed(4, 11).at))
    half = structs.replace(aim.further[0], starts=When(at=timed(14).at), ends=When(at=timed(14, 10).at))
    assert compose.changed(aim, structs.replace(aim, overrides=(bare,), further=(half,))) == ()
    moved = structs.replace(bare, starts=When(at=NOW))
    assert compose.changed(aim, structs.replace(aim, overrides=(moved,))) == ("overrides",)


def test_an_exception_never_drives_the_meeting_of_its_series() -> None:
    elder = exception(created_at=NOW.replace(year=2020))
    assert decide.driver([elder, master()], None, NOW) == master()


def test_an_exception_drives_when_its_series_has_no_meeting() -> None:
    assert decide.driver([exception()], None, NOW) == exception()


def test_a_series_is_over_with_its_last_occurrence() -> None:
    def ended(at: datetime | None) -> Event:
        return structs.replace(master().event, starts=on("2020-01-01"), ends=on("2020-01-02"), last_ends_at=at)

    assert not decide.is_over(ended(None), NOW)
    assert decide.is_over(ended(NOW.replace(year=2025)), NOW)


MANY = [(FIRST.at or NOW) + timedelta(days=number) for number in range(3000)]
STARTS = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in MANY]


def test_of_very_many_overrides_the_latest_are_sent_and_it_is_said() -> None:
    links = [exception(f"x{number}", original_start=start) for number, start in enumerate(STARTS)]
    aim = wanted(master(), *links)
    assert [one.original_start for one in aim.overrides] == STARTS[-series.MOST_OVERRIDES :]
    assert series.left_out([master(), *links]) == ("overrides",)
    assert series.left_out([master(), *links[: series.MOST_OVERRIDES]]) == ()


def test_overrides_with_very_long_texts_are_fewer() -> None:
    links = [exception(f"x{number}", original_start=STARTS[number], description="x" * 8000) for number in range(50)]
    assert len(wanted(master(), *links).overrides) == 12
    assert series.left_out(links) == ("overrides",)


def test_of_very_many_cancelled_occurrences_the_latest_are_sent_and_it_is_said() -> None:
    whole = master(excluded=tuple(STARTS))
    lines = wanted(whole).recurrence
    assert (len(lines), lines[-1]) == (1 + series.MOST_EXCLUDED, f"EXDATE;TZID=Europe/Zurich:{_wall(MANY[-1])}")
    assert series.left_out([whole]) == ("excluded",)


def _wall(at: datetime) -> str:
    zone = zone_of(ZURICH)
    return f"{at.astimezone(zone):%Y%m%dT%H%M%S}"
