"""What a judge says of each meeting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a meeting stands. held: its deletion waits for a person, as it should."""

    RIGHT = "right"
    HELD = "held"
    WRONG = "wrong"
    LOST = "lost"
    DOUBLED = "doubled"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not right with one meeting. sentence: which event, and what differs."""

    standing: Standing
    tenant: str
    meeting_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Each meeting by (tenant, meeting id) with its standing, and why where it is not right."""

    standings: dict[tuple[str, str], Standing]
    findings: tuple[Finding, ...]

    @property
    def is_right(self) -> bool:
        """Whether every meeting is right or rightly held."""
        return not self.findings

    def count(self, standing: Standing) -> int:
        """How many meetings stand so."""
        return Counter(self.standings.values())[standing]
