"""Which meeting does an event's conference refer to? Answered by the tenant's matchers, in order."""

from collections.abc import Sequence

from syncer.model.calendar import ConferenceSolution, Matcher

_ID_LIMIT = 512


def meeting_id(solution: ConferenceSolution | None, matchers: Sequence[Matcher]) -> str | None:
    """The provider's id of the meeting, or None when this conference is not one of the tenant's provider.

    Source: conferenceId is chosen by the add-on and at most 512 characters (Apps Script reference, ConferenceData).
    """
    if solution is None:
        return None
    for matcher in matchers:
        if _agrees(solution, matcher):
            found = dict(solution.parameters).get(matcher.parameter) if matcher.parameter else solution.conference_id
            return found if found and len(found) <= _ID_LIMIT else None
    return None


def _agrees(solution: ConferenceSolution, matcher: Matcher) -> bool:
    return (
        (matcher.solution_type is None or matcher.solution_type == solution.key_type)
        and (matcher.solution_name is None or matcher.solution_name == solution.name)
        and (matcher.uri_prefix is None or any(uri.startswith(matcher.uri_prefix) for uri in solution.uris))
        and (matcher.parameter is None or matcher.parameter in dict(solution.parameters))
    )
