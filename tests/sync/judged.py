"""What the judge says of a meeting on series: it reads both servers as people do, and knows nothing of our rules."""

from datetime import UTC, datetime
from typing import Any

from syncer.simulator.judge import reading, series
from syncer.simulator.people import faces
from syncer.simulator.people.record import Place
from tests.sync.stage import Acted, Booked, owner_of

WINDOW = (datetime(2099, 11, 1, tzinfo=UTC), datetime(2100, 5, 1, tzinfo=UTC))


async def differences(stage: Acted, booked: Booked) -> list[str]:
    """In what the occurrences of a meeting differ from those that the events of all calendars show; empty is right."""
    read = await _read(stage)
    meeting: dict[str, Any] = read.meetings["acme"][booked.meeting_id]
    sights = [sight for sight in read.sights if sight.is_organizers and sight.meeting_id == booked.meeting_id]
    driver = min((sight for sight in sights if sight.is_series), key=lambda sight: sight.created_at)
    said = series.differences(read, driver, sights, meeting, WINDOW)
    return said if meeting["state"] == "live" else ["the meeting is gone", *said]


async def _read(stage: Acted) -> reading.Reading:
    session, root = stage.google.session, stage.google.root
    users = {owner_of(google_id) for google_id in stage.ids}
    google = {
        user: faces.Google(session, root, await stage.google.control("POST", "users", {"email": user}))
        for user in users
    }
    vendor = faces.Vendor(stage.vendor.session, stage.vendor.root, stage.vendor.account["api_token"])
    places = [Place("acme", google_id, owner_of(google_id), "UTC") for google_id in stage.ids]
    return await reading.read(places, google, {"acme": vendor}, with_series=True)
