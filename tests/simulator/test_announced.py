"""What a demo with notifications counts: edits that a message told of, and the bound for those of which none came."""

from dataclasses import replace

from syncer.model.budget import Limits
from syncer.simulator.demo import announced
from syncer.simulator.demo.announced import Told
from syncer.simulator.demo.latency import Followed
from syncer.simulator.people.record import Edit, Json, Kind, Reference

WHERE = Reference("acme", "ana@acme.test", "event")
GOOD = Told(Limits(), 0, 1, [100.0], [100.0, 5000.0], 60.0, is_killing=False)


def followed(kind: Kind = Kind.RENAME, sent_ms: float = 1000.0) -> Followed:
    return Followed(Edit(kind, WHERE, "meeting", sent_ms, sent_ms + 50), 300.0)


def message(born_ms: float, fate: str = "taken", **more: str) -> Json:
    named = {"kind": "notification", "actor": "google", "state": "exists", "calendar_id": WHERE.calendar_id}
    return {**named, "fate": fate, "born_ms": born_ms, "monotonic_ms": born_ms + 5, **more}


def test_an_edit_counts_as_told_of_only_when_its_own_message_was_taken() -> None:
    assert announced.told([followed()], [message(1020)]) == [300.0]
    assert announced.told([followed()], [message(1020, "lost")]) == []
    assert announced.told([followed()], [message(1080)]) == []
    assert announced.told([followed()], [message(1020, calendar_id="bo@acme.test")]) == []


def test_what_waits_for_its_grace_is_not_asked_for_haste() -> None:
    assert announced.told([followed(Kind.DELETE)], [message(1020)]) == []


def test_what_follows_from_changes_makes_the_bound_longer() -> None:
    limits, span = announced.limits_for(1000), (0.0, 10_000.0)
    idle = announced.bound_seconds(limits, 1000, [], span)
    busy = announced.bound_seconds(limits, 1000, [message(1000.0 + number) for number in range(50)], span)
    assert idle < busy < 4 * idle


def test_a_broken_limit_a_late_edit_and_an_idle_budget_each_spoil_it() -> None:
    assert GOOD.is_good
    assert not replace(GOOD, over_limit=1).is_good
    assert not replace(GOOD, budget_waits=0).is_good
    assert not replace(GOOD, told_ms=[2500.0]).is_good
    assert not replace(GOOD, all_ms=[61_000.0]).is_good
    assert replace(GOOD, told_ms=[2500.0], is_killing=True).is_good
