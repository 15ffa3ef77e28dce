"""The bench measures what was done, and fails where it was not. No figure is judged here, for machines differ."""

import asyncio
import http.client
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from urllib.parse import quote, urlsplit

import pytest

from bench import __main__ as command
from bench import figures, measuring, picture, report, runs
from bench.canned import bodies, names
from bench.figures import FIGURES
from bench.measuring import Bench
from bench.ours.stage import World
from bench.rows import OURS, Ours, Size
from syncer.rules import parse

TINY = Size(rounds=1, share=0.005, seconds=0.1)
BY_NAME = {ours.name: ours for ours in OURS}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """The canned Google and a Postgres, for runs as short as they can be."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        try:
            yield runner.run(stack.enter_async_context(measuring.opened(TINY)))
        finally:
            runner.run(stack.aclose())


def asked(bench: Bench, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """One request to the canned Google, as anybody could send it."""
    connection = http.client.HTTPConnection(urlsplit(bench.google.plain).netloc, timeout=10)
    try:
        connection.request(method, path, body="{}" if method == "PATCH" else None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["quiet", "changed", "pushed", "pages"])
async def test_a_row_of_ours_is_the_whole_service_at_work(bench: Bench, name: str) -> None:
    read = await bench.serve(BY_NAME[name])

    made = [figure.of(read) for figure in FIGURES if figure.source == name]
    assert made
    assert all(value >= 0 for value in made)
    assert read["client_seconds"] > 0


@pytest.mark.parametrize("name", ["floor", "single", "raw"])
def test_a_peer_looks_at_as_many_calendars_as_were_asked_for(bench: Bench, name: str) -> None:
    bench.google.set(looks="quiet")

    read = runs.peer(name, 100, bench.google)

    assert read["units"] == 100
    assert bench.google.told()["looks"] == 110  # a tenth of it is to warm up
    assert figures.cost_us(read) > 0


@pytest.mark.parametrize("name", ["floor", "single", "raw"])
def test_a_peer_that_is_answered_wrongly_is_not_measured(bench: Bench, name: str) -> None:
    bench.google.set(looks="wrong")
    with pytest.raises(runs.RunFailedError, match="quiet page"):
        runs.peer(name, 100, bench.google)


async def test_a_row_of_ours_that_is_answered_wrongly_is_not_measured(bench: Bench) -> None:
    row = Ours("quiet", "quiet", World(100), {"looks": "wrong"})
    with pytest.raises(runs.RunFailedError, match="calendars fail"):
        await bench.serve(row)


def test_a_client_that_is_not_here_is_told_apart(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(runs.NotHereError, match="no Node"):
        runs.peer("calendar.mjs", 10, bench.google)


def test_the_canned_google_refuses_whom_it_does_not_know(bench: Bench) -> None:
    bench.google.set(looks="quiet")
    status, _ = asked(bench, "GET", f"{names.PREFIX}0000001%40example.org/events?syncToken=x", {})
    assert (status, bench.google.told()["refused"]) == (401, 1)


@pytest.mark.parametrize(("etag", "status"), [('"0000000000"', 200), ('"0000000007"', 412)])
def test_the_canned_google_patches_only_the_version_that_was_seen(bench: Bench, etag: str, status: int) -> None:
    bench.google.set(looks="quiet")
    path = f"{names.PREFIX}9000001%40example.org/events/{names.event_id(9000001)}"
    headers = {"Authorization": "Bearer token", "If-Match": etag}
    assert asked(bench, "PATCH", path, headers)[0] == status


@pytest.mark.parametrize("mask", ["", "nextPageToken,nextSyncToken,accessRole,timeZone,items"])
def test_what_the_canned_google_says_is_what_syncer_reads(mask: str) -> None:
    made, zones = bodies.made(quote(mask)), frozenset({"Europe/Paris"})
    whole = parse.page(made.whole(b"0000012"), zones=zones)
    changed = parse.page(made.changes(b"0000012", b"0000000003"), zones=zones)
    assert parse.page(made.quiet("token"), zones=zones).is_quiet
    assert (len(whole.events), whole.set_aside) == (bodies.PAGE_SIZE, ())
    assert [event.etag for event in changed.events] == ['"0000000003"'] * 3
    assert changed.events[0].solution is not None
    assert changed.events[0].solution.conference_id == names.meeting_id(12)
    assert changed.events[0].organizer == names.calendar_id(12)


def test_a_mask_leaves_what_it_names() -> None:
    made = bodies.made(quote("nextSyncToken,items(id,start/timeZone)"))
    page = json.loads(made.changes(b"0000012", b"0000000003"))
    assert page.keys() == {"nextSyncToken", "items"}
    assert page["items"][0] == {"id": "meeting0000012", "start": {"timeZone": "Europe/Paris"}}


def test_the_page_shows_what_was_kept_and_nothing_else() -> None:
    kept = json.loads((command.RESULTS / "bench.json").read_text("utf-8"))
    page = command.PAGE.read_text("utf-8")
    assert report.with_figures(page, kept) == page
    assert picture.drawn(kept) == (command.RESULTS / "looks.svg").read_text("utf-8")
    shown = page.partition(report.BEGINS)[2].partition(report.ENDS)[0]
    assert {client["label"] for client in kept["clients"]} <= set(re.findall(r"^\| ([^|]+) \|", shown, re.MULTILINE))
