"""The tenant's matchers, in order, say which meeting a conference is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.calendar import ConferenceSolution, Matcher
from syncer.rules import match
from tests.rules.builders import ADD_ON, LAW, MEETING_ID, URL, solution

REAL = (("realMeetingId", "m-4711"),)
MEET = ConferenceSolution("aaa-bbbb-ccc", "hangoutsMeet", "Google Meet", ("https://meet.test/aaa-bbbb-ccc",))

CASES = [
    pytest.param(None, (Matcher(),), None, id="no conference"),
    pytest.param(solution(), (), None, id="no matchers"),
    pytest.param(solution(), (Matcher(),), MEETING_ID, id="a matcher that asks nothing"),
    pytest.param(solution(), (Matcher(solution_type="addOn"),), MEETING_ID, id="type"),
    pytest.param(MEET, (Matcher(solution_type="addOn"),), None, id="another type"),
    pytest.param(solution(key_type=None), (Matcher(solution_type="addOn"),), None, id="no type"),
    pytest.param(solution(), (Matcher(solution_name="Example Meeting"),), MEETING_ID, id="name"),
    pytest.param(solution(name="Other"), (Matcher(solution_name="Example Meeting"),), None, id="another name"),
    pytest.param(solution(), (Matcher(uri_prefix="https://meet.example.org/j/"),), MEETING_ID, id="address"),
    pytest.param(solution(uris=("tel:+1", URL)), (Matcher(uri_prefix="https:"),), MEETING_ID, id="second address"),
    pytest.param(solution(uris=(f"x{URL}",)), (Matcher(uri_prefix="https:"),), None, id="address not at its start"),
    pytest.param(solution(uris=()), (Matcher(uri_prefix="https:"),), None, id="no address"),
    pytest.param(solution(parameters=REAL), (Matcher(parameter="realMeetingId"),), "m-4711", id="parameter"),
    pytest.param(solution(), (Matcher(parameter="realMeetingId"),), None, id="no such parameter"),
    pytest.param(solution(parameters=(("p", ""),)), (Matcher(parameter="p"),), None, id="an empty parameter"),
    pytest.param(solution(), (Matcher("addOn", "Other"),), None, id="all that is set must agree"),
    pytest.param(solution(None), (ADD_ON,), None, id="no conference id"),
    pytest.param(solution(""), (ADD_ON,), None, id="an empty conference id"),
    pytest.param(solution("x" * 512), (ADD_ON,), "x" * 512, id="the longest id"),
    pytest.param(solution("x" * 513), (ADD_ON,), None, id="an id too long"),
    pytest.param(solution(parameters=REAL), (Matcher(parameter="no"), ADD_ON), MEETING_ID, id="the second agrees"),
    pytest.param(
        solution(parameters=REAL), (Matcher(parameter="realMeetingId"), ADD_ON), "m-4711", id="the first wins"
    ),
    pytest.param(
        solution(parameters=(("p", ""),)), (Matcher(parameter="p"), ADD_ON), None, id="the first that agrees decides"
    ),
]


@pytest.mark.parametrize(("conference", "matchers", "found"), CASES)
def test_matchers_tell_the_meeting(
    conference: ConferenceSolution | None, matchers: tuple[Matcher, ...], found: str | None
) -> None:
    assert match.meeting_id(conference, matchers) == found


TEXTS = st.none() | st.sampled_from(["", "addOn", "Example Meeting", "https:", "p", "x" * 600])
MATCHERS = st.lists(st.builds(Matcher, TEXTS, TEXTS, TEXTS, TEXTS), max_size=4)
PAIRS = st.lists(st.tuples(st.sampled_from(["p", ""]), st.text(max_size=3)), max_size=2).map(tuple)
SOLUTIONS = st.builds(solution, TEXTS, key_type=TEXTS, name=TEXTS, parameters=PAIRS)


@LAW
@given(SOLUTIONS, MATCHERS)
def test_an_id_that_is_found_can_be_used(conference: ConferenceSolution, matchers: list[Matcher]) -> None:
    found = match.meeting_id(conference, matchers)
    assert found is None or 1 <= len(found) <= 512


@LAW
@given(SOLUTIONS, MATCHERS, MATCHERS)
def test_matchers_after_one_that_decided_change_nothing(
    conference: ConferenceSolution, matchers: list[Matcher], more: list[Matcher]
) -> None:
    found = match.meeting_id(conference, matchers)
    assert found is None or match.meeting_id(conference, [*matchers, *more]) == found
