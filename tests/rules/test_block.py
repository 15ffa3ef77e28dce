"""Our block in a description comes and goes, and leaves the user's text as it was."""

import html

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.model.conference import Meeting
from syncer.rules import block
from tests.rules.builders import LAW, NEW_URL, URL, meeting

FIRST, LAST = "----- meeting -----", "----- end of meeting -----"
FULL = Meeting("8", URL, "55 33", ("tel:+41435550100", "+41 43 555 01 01"))
LINES = f"Join: {URL}\nPasscode: 55 33\nDial-in: tel:+41435550100\nDial-in: +41 43 555 01 01"
OURS = f"{FIRST}\n{LINES}\n{LAST}"


def htmlised(text: str) -> str:
    """As Google's own pages save a description that was plain."""
    return html.escape(text).replace("\n", "<br>")


def test_the_block_says_all_that_guests_need() -> None:
    assert block.text(FULL) == LINES


def test_a_meeting_without_a_way_in_has_an_empty_block() -> None:
    assert block.split(block.join("Agenda", Meeting("8"))) == ("Agenda", "")


SPLITS = [
    pytest.param(None, (None, None), id="no description"),
    pytest.param("", (None, None), id="an empty one"),
    pytest.param("Agenda", ("Agenda", None), id="no block"),
    pytest.param(" Agenda \n", (" Agenda \n", None), id="no block, blanks kept"),
    pytest.param(OURS, (None, LINES), id="only a block"),
    pytest.param(f"Agenda\n\n{OURS}", ("Agenda", LINES), id="as we write it"),
    pytest.param(f"Agenda\n{OURS}", ("Agenda", LINES), id="a gap of one line"),
    pytest.param(f"Agenda \n\n\n{OURS}", ("Agenda \n", LINES), id="blanks before our gap are the user's"),
    pytest.param(f"Agenda\n\n{OURS}\nPS", ("Agenda\nPS", LINES), id="in the middle"),
    pytest.param(f"Agenda\n\n{OURS}PS", ("Agenda\nPS", LINES), id="in the middle without a gap"),
    pytest.param(f"{OURS}\nPS", ("PS", LINES), id="at the start"),
    pytest.param(f"Agenda\n\n{OURS}\n \n", ("Agenda", LINES), id="blanks after it"),
    pytest.param(htmlised(f"Agenda\n\n{OURS}"), ("Agenda", LINES), id="HTML"),
    pytest.param(htmlised(f"Agenda\n\n{OURS}\nPS"), ("Agenda<br>PS", LINES), id="HTML, in the middle"),
    pytest.param(
        htmlised(OURS).upper().replace(" ", "&nbsp;"),
        (htmlised(OURS).upper().replace(" ", "&nbsp;"), None),
        id="shouted",
    ),
    pytest.param(f"<p>Agenda</p><p>{htmlised(OURS)}</p>", ("<p>Agenda</p>", LINES), id="paragraphs"),
    pytest.param(
        f'A<BR />{FIRST}<br/>Join: <a href="{URL}" target="_blank">{html.escape(URL)}</a><br>{LAST}',
        ("A", f"Join: {URL}"),
        id="a link made of the address",
    ),
    pytest.param(htmlised(f"A\n\n{OURS}").replace(" ", "&nbsp;"), ("A", LINES), id="hard blanks"),
    pytest.param(f"A\r\n\r\n{OURS}".replace("\n", "\r\n").replace("\r\r", "\r"), ("A", LINES), id="CRLF"),
    pytest.param(f"A\n\n{OURS}\n\n{OURS}", ("A", f"{LINES}\n{LINES}"), id="twice"),
    pytest.param(f"A\n\n{OURS}\nB\n\n{FIRST}\nold\n{LAST}", ("A\nB", f"{LINES}\nold"), id="one more, stale"),
    pytest.param(f"{FIRST} is how I begin", (f"{FIRST} is how I begin", None), id="the user typed the first marker"),
    pytest.param(f"this is the {LAST}", (f"this is the {LAST}", None), id="the user typed the last marker"),
    pytest.param(f"A {FIRST} B\n\n{OURS}", (f"A {FIRST} B", LINES), id="first marker typed, then our block"),
    pytest.param(f"A {LAST} B\n\n{OURS}", (f"A {LAST} B", LINES), id="last marker typed, then our block"),
    pytest.param(f"{OURS}\nA {LAST} B", (f"A {LAST} B", LINES), id="our block, then a last marker typed"),
]


@pytest.mark.parametrize(("description", "parts"), SPLITS)
def test_a_description_splits_into_the_users_text_and_our_lines(
    description: str | None, parts: tuple[str | None, str | None]
) -> None:
    assert block.split(description) == parts


WAYS_IN = [
    pytest.param(FULL, id="all of it"),
    pytest.param(meeting(join_url="https://m.test/j/1?pwd=a&region=eu&copy=1&lt=2"), id="an address like HTML"),
    pytest.param(meeting(join_url="https://m.test/j/1?a&amp;b"), id="an address with an entity"),
    pytest.param(meeting(passcode="a<b>c & <i>"), id="a passcode like a tag"),
    pytest.param(meeting(passcode="  5 \n 3 "), id="a passcode of two lines"),
    pytest.param(meeting(passcode=f"x {LAST} y"), id="a passcode that ends our block"),
    pytest.param(meeting(passcode=f"{FIRST}\n{LAST}"), id="a passcode that is a block"),
    pytest.param(meeting(passcode="----- end of ----- end of meeting -----meeting -----"), id="a nested marker"),
    pytest.param(Meeting("8"), id="none"),
]


@pytest.mark.parametrize("told", WAYS_IN)
def test_a_block_says_its_meeting_as_written_and_as_html(told: Meeting) -> None:
    for description in (block.join("Agenda", told), htmlised(block.join("Agenda", told))):
        own, lines = block.split(description)
        assert own == "Agenda"
        assert lines is not None
        assert block.says(lines, told)


STALE = [
    pytest.param(block.text(meeting(join_url=NEW_URL)), id="another address"),
    pytest.param(f"{block.text(meeting())}\nPasscode: 1", id="more than there is"),
    pytest.param("", id="nothing"),
    pytest.param(f"{block.text(meeting())}\n{block.text(meeting())}", id="twice"),
]


@pytest.mark.parametrize("lines", STALE)
def test_a_block_that_says_anything_else_is_not_the_meetings(lines: str) -> None:
    assert not block.says(lines, meeting())


def test_a_long_description_of_blanks_is_read_at_once() -> None:
    for filler in (" ", "\n", "<br>", "&nbsp;", "<", "-----", "----- ", FIRST, "<p>"):
        long = filler * (100_000 // len(filler))
        assert block.split(long) == (long, None)


def test_a_long_description_with_markers_is_read_at_once() -> None:
    for open_end in (f"{FIRST}\n{'x' * 100_000}", FIRST * 5_000, LAST * 4_000, f"{'x' * 100_000}{LAST}"):
        assert block.split(open_end) == (open_end, None)
    assert block.split(f"Agenda\n\n{FIRST}\n{'x' * 100_000}\n{LAST}") == ("Agenda", "x" * 100_000)


# Laws

SNIPPETS = [FIRST, LAST, "\n", " ", "<br>", "<p>", "</p>", "&nbsp;", "-----", "meeting", "a", "\r\n", OURS]
TEXTS = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=4), max_size=7).map("".join)
VALUES = st.none() | st.lists(st.sampled_from(["&lt", "&amp;", "<b>", FIRST, LAST]) | st.text(max_size=5)).map(" ".join)
MEETINGS = st.builds(Meeting, st.just("8"), VALUES, VALUES, st.lists(VALUES.map(str), max_size=2).map(tuple))


@LAW
@given(st.text(max_size=40), MEETINGS)
@example("Agenda  \n", FULL)
@example("Agenda<br>", FULL)
@example(" \n", FULL)
@example("\r", FULL)
def test_the_users_text_comes_back_to_the_byte(own: str, told: Meeting) -> None:
    assert block.split(block.join(own, told))[0] == (own or None)


@LAW
@given(TEXTS, MEETINGS)
@example(f"{FIRST}\nmeeting", Meeting("8"))
def test_what_is_the_users_stays_so_however_often_we_write(description: str, told: Meeting) -> None:
    own, _ = block.split(description)
    again, lines = block.split(block.join(own, told))
    assert again == own
    assert lines is not None
    assert block.says(lines, told)


@LAW
@given(st.text(min_size=1, max_size=20), st.text(max_size=20).map(lambda text: f"{text}."), MEETINGS)
def test_what_a_user_writes_below_our_block_stays(above: str, below: str, told: Meeting) -> None:
    assert block.split(f"{block.join(above, told)}\n{below}")[0] == f"{above}\n{below}"


@LAW
@given(MEETINGS)
def test_html_changes_nothing_of_what_a_block_says(told: Meeting) -> None:
    _, lines = block.split(htmlised(block.join("Agenda", told)))
    assert lines is not None
    assert block.says(lines, told)
