"""How many looks by the clock a project's budget allows, and how they are shared out among its calendars.

What is left of the day's requests, once what follows from changes has had its part, is spread over the rest of the day.
A calendar's share grows with the square root of how often it changes. A change waits half an interval on average, so of
all ways to share a number of looks this one makes the sum of (changes a second) * (interval / 2) the smallest.
"""

import math
from dataclasses import dataclass

_DAY_SECONDS = 86_400.0
# Of a day and of a minute, as much as the lane may take (`rules.budget`).
_SHARE = 0.9
# However much of the day is left in its last hours, it is not spent in a rush.
_MOST_OF_EVEN = 2.0
# Whatever changes cost, so much is looked at by the clock: it finds what nobody told of.
_LEAST_SHARE = 0.25
# No calendar waits longer than so many mean intervals; what that costs is set aside for it.
LONGEST_OF_MEAN = 4.0
_FOR_THE_LONGEST = 1 / (1 + 1 / LONGEST_OF_MEAN)
# One look finds any number of changes, so more than one in some minutes makes no difference; less than one a month
# is not told from none.
_MOST_A_SECOND, _LEAST_A_SECOND = 1 / 300, 1 / (30 * _DAY_SECONDS)
# Of how often a calendar changes, so long counts.
_MEMORY_SECONDS = 2 * _DAY_SECONDS
# What is thought of a calendar of which nothing is known.
CHANGES_AT_FIRST = 2 / _DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Means:
    """What a project has to spend. day_left: requests. day_left_seconds: of Google's day.

    urgent_a_second: requests that follow from changes, as of late.
    """

    per_minute: int
    per_day: int
    day_left: int
    day_left_seconds: float
    urgent_a_second: float


def looks_a_second(means: Means) -> float:
    """How many looks by the clock go out in a second, on average; 0.0 when nothing is left."""
    even = means.per_day / _DAY_SECONDS
    rest = means.day_left * _SHARE / max(means.day_left_seconds, 1.0)
    at_most = min(rest, even * _MOST_OF_EVEN, means.per_minute * _SHARE / 60.0)
    return max(at_most - means.urgent_a_second, at_most * _LEAST_SHARE, 0.0)


def changes_a_second(before: float, *, found: bool, seconds: float) -> float:
    """How often a calendar changes, from what was thought before and what a look after that time has found."""
    seen = (1.0 / max(seconds, 1.0)) if found else 0.0
    weight = min(1.0, seconds / _MEMORY_SECONDS)
    return min(max(before + (seen - before) * weight, _LEAST_A_SECOND), _MOST_A_SECOND)


def weight(changes: float) -> float:
    """What a calendar counts when looks are shared out."""
    return math.sqrt(changes)


def seconds_a_look(looks: float) -> float:
    """Between two looks by the clock at any calendar, so that what the longest intervals cost is left over.

    looks: that may go out in a second. Without any a day: what was planned is planned anew once there are some.
    """
    return 1.0 / (looks * _FOR_THE_LONGEST) if looks > 0.0 else _DAY_SECONDS


def longest_seconds(looks: float, calendars: int) -> float:
    """No calendar waits longer between two looks by the clock, before jitter."""
    return LONGEST_OF_MEAN * calendars * seconds_a_look(looks)
