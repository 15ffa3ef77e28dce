"""What two things at once, or one thing at the worst moment, do not break."""

from datetime import timedelta
from typing import Any

import pytest

from syncer.model.calendar import CalendarKey
from syncer.model.conference import Change, ChangeKind, Outcome, Rejected, Retry, Stale
from syncer.model.errors import FencedOut
from syncer.simulator.google import listing
from syncer.store import calendars, retries, tenants
from syncer.sync import push
from syncer.sync.push import Push
from tests.simulator.google_stage import ANA, BO, CLEO, ROOM
from tests.sync import judged
from tests.sync.interleavings import a_vendor_that, just_before
from tests.sync.stage import GRACE, HIDDEN, Acted, Booked, add_tenant, list_anew

TYPO = """UPDATE syncer.tenant SET matchers = '[{"solution_name": "Mistyped"}]'"""


async def a_third_calendar(stage: Acted) -> None:
    await stage.google.control("POST", "calendars", {"id": HIDDEN, "owner": ANA})
    new = tenants.NewCalendar(google_id=HIDDEN, credential=f"file:{ANA}.json", addresses=frozenset({ANA}))
    stage.ids[HIDDEN] = CalendarKey(1, await tenants.add_calendar(stage.tools.database, "acme", new))
    await list_anew(stage.tools, stage.project)
    await stage.follow()


async def push_one(stage: Acted, booked: Booked, tenant: str = "acme") -> None:
    row = await stage.conference(booked, tenant)
    await push.push(stage.tools, stage.project, Push(row["tenant_id"], row["conference_id"]))


async def test_a_copy_that_moved_while_the_driver_was_deleted_keeps_the_meeting(stage: Acted, booked: Booked) -> None:
    copy = await stage.duplicate(booked)
    await stage.follow()
    await stage.delete(booked)
    await stage.move(copy, ROOM)
    await stage.push(await stage.look(ANA))
    await stage.pass_time(GRACE * 2)
    await stage.push(await stage.look(ANA, BO))
    assert (await stage.meeting(booked))["state"] == "live"


async def test_an_event_that_moved_twice_keeps_its_meeting(stage: Acted, booked: Booked) -> None:
    await a_third_calendar(stage)
    moved = await stage.move(booked, ROOM)
    await stage.push(await stage.look(ANA))
    await stage.push(await stage.look(HIDDEN, BO))
    await stage.move(moved, HIDDEN)
    await stage.push(await stage.look(ROOM))
    await stage.pass_time(GRACE * 2)
    await stage.push(await stage.look(ANA, BO, ROOM))
    assert (await stage.meeting(booked))["state"] == "live"


async def test_an_event_that_comes_back_during_the_last_look_keeps_its_meeting(
    stage: Acted, booked: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def comes_back() -> None:
        await stage.ask("PATCH", booked, {"status": "confirmed"})
        await stage.look(ANA)

    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    just_before(monkeypatch, "hand_over", comes_back)
    await push_one(stage, booked)
    assert (await stage.meeting(booked))["state"] == "live"


async def test_an_event_that_comes_back_after_the_grace_is_told_as_gone(stage: Acted, booked: Booked) -> None:
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    await stage.ask("PATCH", booked, {"status": "confirmed"})
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "gone"


async def test_a_meeting_is_handed_over_even_while_its_heir_is_pushed(
    stage: Acted, booked: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_tenant(stage, "beta", CLEO)
    theirs = Booked(CLEO, await stage.insert(await stage.meeting(booked), CLEO, summary="Beta's"), booked.meeting_id)
    await stage.follow()
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.edit(theirs, summary="Beta's, renamed")
    await stage.look(CLEO)
    just_before(monkeypatch, "record", lambda: push_one(stage, booked))
    await push_one(stage, booked, "beta")
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Beta's, renamed"


async def test_a_calendar_whose_row_is_deleted_leaves_its_meetings_alone(stage: Acted, booked: Booked) -> None:
    await stage.tools.database.run("DELETE FROM syncer.calendar WHERE google_id = $1", ANA)
    del stage.ids[ANA]
    await list_anew(stage.tools, stage.project)
    for _ in range(3):
        await stage.pass_time(GRACE * 2)
        await stage.look(*stage.ids)
        await stage.read_back()
    assert (await stage.conference(booked))["state"] == "detached"
    assert (await stage.meeting(booked))["state"] == "live"


async def test_matchers_that_changed_delete_nothing_though_another_event_goes(stage: Acted, booked: Booked) -> None:
    copy = await stage.duplicate(booked, calendar=ROOM)
    await stage.follow()
    await stage.tools.database.run(TYPO)
    await list_anew(stage.tools, stage.project)
    await stage.push(await stage.look(ANA))
    await stage.delete(copy)
    for _ in range(3):
        await stage.follow()
        await stage.pass_time(GRACE * 2)
    assert (await stage.meeting(booked))["state"] == "live"


async def test_a_release_is_not_swallowed_by_a_push_under_way(
    stage: Acted, booked: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.tools.database.run("UPDATE syncer.tenant SET guard_calendar_count = 0, guard_calendar_percent = 0")
    await list_anew(stage.tools, stage.project)
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "held"
    just_before(monkeypatch, "record", lambda: tenants.release(stage.tools.database, "acme", ANA))
    await push_one(stage, booked)
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"


async def test_a_provider_that_cannot_be_read_is_told_once_more_when_in_doubt(stage: Acted) -> None:
    answers: list[Outcome] = [Retry("lost", is_in_doubt=True), Rejected("no such call")]
    a_vendor_that(stage, lambda _: answers.pop(0) if answers else None)
    booked = await stage.book("Standup")
    await stage.follow()
    await stage.pass_time(timedelta(hours=1))
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Standup"


async def test_a_reading_that_is_refused_is_told_once(stage: Acted, booked: Booked) -> None:
    a_vendor_that(stage, lambda _: Rejected("no such call"))
    before = await stage.told()
    for _ in range(5):
        await stage.pass_time(timedelta(minutes=20))
        await stage.read_back()
    assert await stage.told() == before


async def test_a_refused_change_is_not_repeated_until_somebody_changes_the_event(stage: Acted, booked: Booked) -> None:
    def refuses(change: Change) -> Outcome | None:
        return Rejected("too long") if change.kind is ChangeKind.UPDATE else None

    vendor = a_vendor_that(stage, refuses)
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    for _ in range(3):
        await stage.pass_time(timedelta(minutes=20))
        await stage.read_back()
        await stage.follow()
    assert [change.kind for change in vendor.calls].count(ChangeKind.UPDATE) == 1


async def test_a_refused_deletion_waits_for_a_person(stage: Acted, booked: Booked) -> None:
    vendor = a_vendor_that(stage, lambda change: Rejected("running") if change.kind is ChangeKind.DELETE else None)
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "held"
    vendor.answer = lambda _: None
    assert (await retries.retry(stage.tools.database, "acme", booked.meeting_id)).retried == 1
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"


@pytest.mark.parametrize("revision", [7, 2**63 - 1], ids=["a little", "as far as can be"])
async def test_a_provider_that_is_always_ahead_is_not_hammered(stage: Acted, booked: Booked, revision: int) -> None:
    def is_ahead(change: Change) -> Outcome | None:
        return Stale(change.revision + revision) if change.kind is ChangeKind.UPDATE else None

    vendor = a_vendor_that(stage, is_ahead)
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    assert len(vendor.calls) < 6


async def test_an_answer_found_by_reading_back_is_in_the_history(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"lost_answer": 1})
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    await stage.pass_time(timedelta(minutes=1))
    await stage.follow()
    assert (await stage.told()).count("updated") == 2


async def test_meetings_that_cannot_be_read_do_not_keep_others_from_being_read(stage: Acted, booked: Booked) -> None:
    await stage.book("Other")
    await stage.follow()
    a_vendor_that(stage, lambda change: Retry("busy") if change.meeting_id == booked.meeting_id else None)
    await stage.pass_time(timedelta(hours=1))
    await stage.read_back()
    await stage.pass_time(timedelta(hours=1))
    ids = [conference_id for _, conference_id in await stage.unread()]
    assert ids[-1] == (await stage.conference(booked))["conference_id"]


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("known", ["series", "nothing", "all to be read anew"])
async def test_no_cancelled_occurrence_is_lost_between_the_pages_of_two_workers(
    stage: Acted, monkeypatch: pytest.MonkeyPatch, *, page: int, known: str
) -> None:
    starts: dict[str, Any] = {"dateTime": "2099-12-02T10:00:00+01:00", "timeZone": "Europe/Zurich"}
    ends = starts | {"dateTime": "2099-12-02T11:00:00+01:00"}
    series = await stage.book(start=starts, end=ends, recurrence=["RRULE:FREQ=WEEKLY"])
    if known != "nothing":
        await stage.follow()
    for day in (9, 16, 23):
        await stage.delete(Booked(ANA, f"{series.event_id}_209912{day:02d}T090000Z", series.meeting_id))
    if known == "all to be read anew":
        await stage.set_google_faults(next={"expire_sync_token": 1})
        await stage.look(ANA)
    monkeypatch.setattr(listing, "MAX_RESULTS_CAP", 1)
    written: list[Any] = []

    async def another_takes_over() -> None:
        await stage.restart()
        written.extend(await stage.rows("exclusion"))

    # The lease is another's while a page is read and decided, with the pages before it written down.
    just_before(monkeypatch, "commit_page", another_takes_over, of=calendars, times=page)
    with pytest.raises(FencedOut):
        await stage.look(ANA)
    assert await stage.rows("exclusion") == written

    await stage.follow()

    excluded = [f"EXDATE;TZID=Europe/Zurich:209912{day:02d}T100000" for day in (9, 16, 23)]
    meeting = await stage.meeting(series)
    assert (meeting["state"], meeting["recurrence"][1:]) == ("live", excluded)
    assert await judged.differences(stage, series) == []
