"""Values check themselves, and errors say what helps and nothing that is secret."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from syncer.model import errors
from syncer.model.calendar import Event, When
from syncer.model.errors import OutsideError, Remedy, SyncerError
from tests.rules.builders import NOW, event, link, on, page, tombstone

NO_TIMES: list[Any] = [
    pytest.param({}, id="neither"),
    pytest.param({"at": NOW, "day": date(2026, 11, 20)}, id="both"),
    pytest.param({"at": datetime(2026, 11, 20)}, id="no offset"),  # noqa: DTZ001 (that is what is refused)
    pytest.param({"time_zone": "UTC"}, id="only a zone"),
]


@pytest.mark.parametrize("parts", NO_TIMES)
def test_a_time_is_an_instant_or_a_day(parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        When(**parts)


def test_the_first_instant_is_a_time() -> None:
    assert When(at=datetime.min.replace(tzinfo=UTC)).day is None


# What rows hold that were written by older versions.
KEPT_TEXT = (
    b'{"event_id":"e1","etag":"\\"1\\"","status":"confirmed","has_details":true,"organizer":"ana@tenant-a.test",'
    b'"is_organizer_self":true,"title":"Design review","description":null,'
    b'"starts":{"at":null,"day":"2026-12-01","time_zone":null},'
    b'"ends":{"at":"2026-11-20T14:00:00Z","day":null,"time_zone":null},'
    b'"created_at":null,"ical_uid":null,"recurring_event_id":null,"original_start":null,"recurrence":[],'
    b'"attendee_count":2,"solution":{"conference_id":"81234567890","key_type":"addOn","name":"Example Meeting",'
    b'"uris":["https://meet.example.org/j/81234567890?pwd=a1"],"parameters":[]},'
    b'"shown":{"join_urls":["https://meet.example.org/j/81234567890?pwd=a1"],"passcode":null,"dial_in":[],'
    b'"location":null,"block":null}}'
)


def test_an_event_is_kept_in_the_form_it_was_always_kept_in() -> None:
    kept = event(starts=on("2026-12-01"), created_at=None)
    assert msgspec.json.encode(kept) == KEPT_TEXT.removesuffix(b"}") + b',"last_ends_at":null}'
    assert msgspec.json.decode(KEPT_TEXT, type=Event) == kept


KEPT = [
    pytest.param(event(), id="timed"),
    pytest.param(event(starts=on("2026-12-01"), ends=on("2026-12-02"), solution=None), id="all-day"),
    pytest.param(tombstone(), id="tombstone"),
]


@pytest.mark.parametrize("one", KEPT)
def test_an_event_comes_back_as_it_was_kept(one: Event) -> None:
    assert msgspec.json.decode(msgspec.json.encode(one), type=Event) == one


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        event().title = "another"  # type: ignore[misc]


def test_a_link_has_the_version_of_its_event() -> None:
    assert link(event(etag='"7"')).etag == '"7"'


def test_a_page_of_nothing_is_quiet() -> None:
    assert page().is_quiet
    assert not page(events=(event(),)).is_quiet


REMEDIES = {
    errors.OperatorError: Remedy.LEAVE,
    errors.FencedOut: Remedy.STOP,
    errors.StoreUnavailable: Remedy.AGAIN,
    errors.StoreBusy: Remedy.AGAIN,
    errors.StoreRefused: Remedy.LEAVE,
    errors.NotThere: Remedy.LEAVE,
    errors.Unreachable: Remedy.AGAIN,
    errors.Unwatchable: Remedy.LEAVE,
    errors.Throttled: Remedy.WAIT,
    errors.Unsent: Remedy.WAIT,
    errors.DaySpent: Remedy.STOP,
    errors.UseLimit: Remedy.PARK,
    errors.TokenRefused: Remedy.AGAIN,
    errors.GrantLost: Remedy.ASK,
    errors.SetUpWrong: Remedy.ASK,
    errors.AccessDenied: Remedy.PARK,
    errors.Missing: Remedy.PARK,
    errors.AlreadyGone: Remedy.FORGET,
    errors.CursorExpired: Remedy.READ_ANEW,
    errors.Conflict: Remedy.LOOK_AGAIN,
    errors.Crowded: Remedy.AGAIN,
    errors.Refused: Remedy.LEAVE,
    errors.Unreadable: Remedy.AGAIN,
}


@pytest.mark.parametrize(("kind", "remedy"), REMEDIES.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_each_error_has_the_remedy_that_helps(kind: type[SyncerError], remedy: Remedy) -> None:
    assert kind.remedy is remedy


def test_each_error_is_in_the_table() -> None:
    made = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, SyncerError)}
    assert made - REMEDIES.keys() == {SyncerError, errors.StoreError, OutsideError}


SENTENCES = [
    pytest.param(OutsideError("api.test", 503, "backendError"), "api.test answered 503 backendError", id="answered"),
    pytest.param(OutsideError("api.test", 0, "connection refused"), "api.test: connection refused", id="no answer"),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_an_outside_error_names_host_status_and_reason(error: OutsideError, sentence: str) -> None:
    assert str(error) == sentence
