"""A quiet page is told at little cost, and a great one is read in parts that come to the same as the whole."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.calendar import Page, SetAside
from syncer.model.errors import Unreadable
from syncer.rules import parse
from tests.rules.builders import LAW, ZONES, answer, entry
from tests.rules.test_parse import ENTRIES, JSON, NO_PAGES, SCALARS, is_json

# Nobody reads it; with it, a few entries are too many for one part.
PADDED = {"colorId": "7" * 30_000}


def parts(body: bytes) -> Iterator[Page]:
    return parse.parts(body, zones=ZONES)


def page(body: bytes) -> Page:
    return parse.page(body, zones=ZONES)


# In parts


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_page_of_a_few_entries_is_one_part(count: int) -> None:
    body = answer(*(entry(f"e{n}") for n in range(count)))
    assert list(parts(body)) == [page(body)]


def test_a_great_page_is_read_a_few_entries_at_a_time() -> None:
    read = list(parts(answer(*(entry(f"e{n}", **PADDED) for n in range(7)))))
    assert [[event.event_id for event in part.events] for part in read] == [
        ["e0", "e1", "e2"],
        ["e3", "e4", "e5"],
        ["e6"],
    ]
    assert {(part.next_sync_token, part.sees_details) for part in read} == {("s2", True)}


def test_small_entries_do_not_make_a_part_without_end() -> None:
    read = list(parts(answer(*({"id": f"e{n}", "status": "cancelled"} for n in range(2500)))))
    assert sum(len(part.events) for part in read) == 2500
    assert max(len(part.events) for part in read) <= 256


def test_a_great_page_without_entries_is_one_part() -> None:
    body = answer(description="x" * 100_000)
    assert list(parts(body)) == [page(body)]


def test_a_malformed_entry_of_a_great_page_is_set_aside_alone() -> None:
    bad = entry("bad", summary=5)
    read = parse.whole(list(parts(answer(entry("e1", **PADDED), bad, *[entry("e2", **PADDED)] * 3))))
    assert [event.event_id for event in read.events] == ["e1", "e2", "e2", "e2"]
    assert read.set_aside == (SetAside("bad", '"1"', "Expected `str | null`, got `int` - at `$.summary`"),)


def test_half_a_character_spoils_its_entry_alone_beside_text_that_is_none() -> None:
    body = answer(entry("half", summary="\ud800"), entry("good"), entry("junk", summary="HERE"))
    read = page(body.replace(b"HERE", b"\xff"))
    assert [event.event_id for event in read.events] == ["good"]
    assert [one.event_id for one in read.set_aside] == ["half", "junk"]


def test_what_only_looks_like_half_a_character_is_text() -> None:
    read = page(answer(entry("half", summary="\ud800"), entry("e1", summary=r"C:\ud800")))
    assert [event.title for event in read.events] == [r"C:\ud800"]


@pytest.mark.parametrize(
    "body", [*NO_PAGES, pytest.param(answer(*[entry(**PADDED)] * 3)[:-1], id="great, and cut off")]
)
def test_what_is_no_page_has_no_parts(body: bytes) -> None:
    with pytest.raises(Unreadable):
        next(parts(body))


@LAW
@given(st.lists(ENTRIES | JSON, max_size=4).filter(is_json), st.integers(0, 4))
def test_the_parts_of_a_page_are_the_whole_of_it(entries: list[Any], place: int) -> None:
    padded = [entry("padded", **PADDED)] * 4
    body = answer(*entries[:place], *padded, *entries[place:])
    read = list(parts(body))
    assert len(read) > 1
    assert parse.whole(read) == page(body)


# Quiet

QUIET = [
    pytest.param(answer(), "s2", id="nothing at all"),
    pytest.param(b'{"nextSyncToken": "s2"}', "s2", id="no list either"),
    pytest.param(answer(accessRole="freeBusyReader"), "s2", id="seen by one who sees no details"),
    pytest.param(answer(nextPageToken=""), "s2", id="an empty page token"),
    pytest.param(answer(etag=5, more={"items": [1]}), "s2", id="fields that nobody reads"),
    pytest.param(answer(nextPageToken="p2"), None, id="an empty page before others"),
    pytest.param(answer(nextSyncToken=None), None, id="no sync token"),
    pytest.param(answer(nextSyncToken=""), None, id="an empty sync token"),
    pytest.param(answer(nextSyncToken="s\x002"), None, id="NUL in the sync token"),
    pytest.param(answer(nextSyncToken="s\ud8002"), None, id="half a character in the sync token"),
    pytest.param(answer(nextSyncToken=7), None, id="a sync token that is a number"),
    pytest.param(answer(accessRole=7), None, id="a role that is a number"),
    pytest.param(answer(timeZone=[]), None, id="a zone that is a list"),
    pytest.param(answer(entry()), None, id="an event"),
    pytest.param(answer(5), None, id="an entry that cannot be used"),
    pytest.param(answer(items=None), None, id="no list but null"),
    pytest.param(b'{"items": [1], "items": [], "nextSyncToken": "s2"}', None, id="two lists, the first not empty"),
    pytest.param(b'{"items": [], "items": [1], "nextSyncToken": "s2"}', None, id="two lists, the second not empty"),
    pytest.param(b"\xef\xbb\xbf" + answer(), None, id="a mark before the text"),
    *(pytest.param(*case.values, None, id=case.id) for case in NO_PAGES),
]


@pytest.mark.parametrize(("body", "token"), QUIET)
def test_a_quiet_page_tells_its_token(body: bytes, token: str | None) -> None:
    assert parse.quiet(body) == token


def told(body: bytes) -> str | None:
    """The token of a page that is quiet when it is read whole."""
    with suppress(Unreadable):
        read = page(body)
        return read.next_sync_token if read.is_quiet else None
    return None


ENVELOPES = st.dictionaries(
    st.sampled_from(["nextPageToken", "nextSyncToken", "accessRole", "timeZone", "items", "etag"]),
    SCALARS | st.sampled_from(["owner", "reader", "s3", ""]) | st.lists(ENTRIES | JSON, max_size=1),
    max_size=4,
).filter(is_json)


@LAW
@given(ENVELOPES)
def test_quiet_and_page_agree_on_whole_text(envelope: dict[str, Any]) -> None:
    body = answer(**envelope)
    is_whole_text = not any("\ud800" <= letter <= "\udfff" for letter in json.dumps(envelope, ensure_ascii=False))
    if is_whole_text:
        assert parse.quiet(body) == told(body)


@LAW
@given(ENVELOPES, ENVELOPES, st.integers(0, 120), st.binary(max_size=3))
def test_a_page_that_is_told_to_be_quiet_is_so_however_odd(
    envelope: dict[str, Any], again: dict[str, Any], place: int, junk: bytes
) -> None:
    twice = answer(**envelope)[:-1] + b", " + answer(**again)[1:]
    broken = twice[:place] + junk + twice[place + len(junk) :]
    for body in (twice, broken):
        if (token := parse.quiet(body)) is not None:
            assert told(body) == token
