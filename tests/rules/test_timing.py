"""A remedy becomes a time: never before now, never too late."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import errors
from syncer.model.errors import Remedy, SyncerError, Throttled
from syncer.rules import timing
from syncer.rules.timing import Standing
from tests.rules.builders import LAW, NOW


def seconds(standing: timing.Verdict) -> float:
    return (standing.at - NOW).total_seconds()


def failed(remedy: Remedy, asked: float | None = None) -> SyncerError:
    error = Throttled("host.test", 429, "slow down", retry_after_seconds=asked)
    error.remedy = remedy
    return error


VERDICTS = [
    (Remedy.AGAIN, 1, Standing.ACTIVE, 1.0),
    (Remedy.AGAIN, 5, Standing.ACTIVE, 16.0),
    (Remedy.AGAIN, 9, Standing.ACTIVE, 256.0),
    (Remedy.AGAIN, 10, Standing.ACTIVE, 300.0),
    (Remedy.AGAIN, 10**9, Standing.ACTIVE, 300.0),
    (Remedy.WAIT, 1, Standing.ACTIVE, 1.0),
    (Remedy.LOOK_AGAIN, 1, Standing.ACTIVE, 1.0),
    (Remedy.FORGET, 1, Standing.ACTIVE, 1.0),
    (Remedy.READ_ANEW, 1, Standing.READ_ANEW, 0.0),
    (Remedy.READ_ANEW, 2, Standing.READ_ANEW, 2.0),
    (Remedy.ASK, 1, Standing.PARKED, 1125.0),
    (Remedy.ASK, 2, Standing.PARKED, 2250.0),
    (Remedy.PARK, 1, Standing.PARKED, 1125.0),
    (Remedy.PARK, 4, Standing.PARKED, 9000.0),
    (Remedy.PARK, 5, Standing.PARKED, 18_000.0),
    (Remedy.PARK, 10**9, Standing.PARKED, 18_000.0),
    (Remedy.LEAVE, 1, Standing.PARKED, 1125.0),
    # NOW is noon: 19 hours to midnight in California, by summer time.
    (Remedy.STOP, 1, Standing.PARKED, 19 * 3600 + 300.0),
    (Remedy.STOP, 50, Standing.PARKED, 19 * 3600 + 300.0),
]


@pytest.mark.parametrize(
    ("remedy", "failures", "standing", "after"), VERDICTS, ids=[f"{row[0].value} {row[1]}" for row in VERDICTS]
)
def test_each_remedy_has_its_standing_and_its_time(
    remedy: Remedy, failures: int, standing: Standing, after: float
) -> None:
    verdict = timing.after(failed(remedy), failures=failures, now=NOW, jitter=1.0)
    assert (verdict.standing, seconds(verdict)) == (standing, after)


def test_every_remedy_is_in_the_table() -> None:
    assert {row[0] for row in VERDICTS} == set(Remedy)


ASKED = [
    pytest.param(None, 1.0, id="nothing"),
    pytest.param(0.0, 1.0, id="at once"),
    pytest.param(-5.0, 1.0, id="before now"),
    pytest.param(float("nan"), 1.0, id="no number"),
    pytest.param(0.5, 1.0, id="less than we wait anyway"),
    pytest.param(60.0, 66.0, id="a minute"),
    pytest.param(1e9, 95_040.0, id="years"),
    pytest.param(float("inf"), 95_040.0, id="for ever"),
]


@pytest.mark.parametrize(("asked", "waits"), ASKED)
def test_what_a_server_asks_for_is_honoured_within_reason(asked: float | None, waits: float) -> None:
    verdict = timing.after(failed(Remedy.WAIT, asked), failures=1, now=NOW, jitter=1.0)
    assert seconds(verdict) == pytest.approx(waits)


def test_a_parked_calendar_waits_as_long_as_the_server_asks() -> None:
    asked = timing.after(failed(Remedy.PARK, 7200.0), failures=1, now=NOW, jitter=0.0)
    assert seconds(asked) == pytest.approx(7200.0)


DAYS = [
    pytest.param("2026-07-01T06:59:59", "2026-07-01T07:00:00", id="before the summer's midnight"),
    pytest.param("2026-07-01T07:00:00", "2026-07-01T08:00:00", id="at it"),
    pytest.param("2026-12-01T07:30:00", "2026-12-01T08:00:00", id="before the winter's midnight"),
    pytest.param("2026-12-31T08:00:01", "2027-01-01T07:00:00", id="after both"),
]


@pytest.mark.parametrize(("now", "then"), DAYS)
def test_a_spent_day_ends_at_the_next_midnight_in_california(now: str, then: str) -> None:
    asked, due = (datetime.fromisoformat(f"{text}+00:00") for text in (now, then))
    assert timing.next_day_at(now=asked, jitter=0.0) == due


def test_projects_whose_day_is_spent_do_not_come_back_together() -> None:
    early, late = (timing.next_day_at(now=NOW, jitter=jitter) for jitter in (0.0, 1.0))
    assert late - early == timedelta(minutes=5)


def test_a_push_is_held_after_about_a_day_of_failures() -> None:
    waits = [timing.retry_at(failures, now=NOW, jitter=0.5) - NOW for failures in range(1, 400)]
    assert timedelta(hours=20) < sum(waits, timedelta()) < timedelta(hours=28)
    assert (timing.is_held(399), timing.is_held(400)) == (False, True)
    assert timing.held_until(399, now=NOW, jitter=0.5) is None
    assert timing.held_until(400, now=NOW, jitter=0.5) == NOW + timedelta(hours=4)


def test_calendars_that_fail_together_do_not_come_back_together() -> None:
    early, late = (timing.retry_at(4, now=NOW, jitter=jitter) for jitter in (0.0, 1.0))
    assert late - early == timedelta(seconds=4)


ERRORS = [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, SyncerError)]


def made(kind: type[SyncerError], asked: float | None) -> SyncerError:
    if issubclass(kind, errors.OutsideError):
        return kind("host.test", 500, "reason", retry_after_seconds=asked)
    return kind("a sentence")


@LAW
@given(st.sampled_from(ERRORS), st.none() | st.floats(), st.integers(-5, 10**6), st.floats(0, 1))
def test_every_error_gets_a_time_from_now_to_little_more_than_a_day(
    kind: type[SyncerError], asked: float | None, failures: int, jitter: float
) -> None:
    verdict = timing.after(made(kind, asked), failures=failures, now=NOW, jitter=jitter)
    assert NOW <= verdict.at <= NOW + timedelta(hours=27)


@LAW
@given(st.integers(1, 100), st.floats(0, 1))
def test_more_failures_never_wait_less(failures: int, jitter: float) -> None:
    first = timing.retry_at(failures, now=NOW, jitter=jitter)
    assert first <= timing.retry_at(failures + 1, now=NOW, jitter=jitter)
    assert first > NOW
