"""What can be set about notifications while the simulator runs: how many are lost, late or doubled, and what is open.

The defaults are Google's documented behaviour, or what was seen there where it documents none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
WEEK_SECONDS = 604_800


class Notifying(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of notifications, by their names on the control face. Chances are from 0 to 1, drawn from the seed.

    loss: of a message, the sync message included. duplicate: of coming twice under one number. several: of one change
    being told by two messages. reorder: of being held back until the next message of its channel was sent, or for
    reorder_seconds. falls_silent: of a channel going silent for ever at a message, though it lives on. silent: ids of
    channels that are silent for as long as they are named here. delay_seconds: the shortest and the longest delay of a
    message, real time, drawn between them. sync_first: whether the answer to `watch` waits for the sync message.
    after_stop: messages that a stopped channel still brings. repeated_stops: how often a stopped channel can be stopped
    again before it is not found. longest_seconds: the longest life of a channel. unwatchable: ids of calendars that
    cannot be watched. https_only: whether addresses must be HTTPS. reusable_ids: whether the id of a channel that was
    stopped or is over may be used again. attempts: to bring a message, the first included. first_pause_seconds: before
    the second, doubled each time. answer_seconds: how long an answer is waited for. retry_unanswered: whether a
    message that nobody answers is sent again.
    """

    loss: Chance = 0.0
    duplicate: Chance = 0.0
    several: Chance = 0.0
    reorder: Chance = 0.0
    reorder_seconds: Seconds = 1.0
    falls_silent: Chance = 0.0
    silent: list[str] = []
    delay_seconds: tuple[Seconds, Seconds] = (0.0, 0.0)
    sync_first: bool = False
    after_stop: Count = 0
    repeated_stops: Count = 1
    longest_seconds: Annotated[int, msgspec.Meta(ge=1)] = WEEK_SECONDS
    unwatchable: list[str] = []
    https_only: bool = False
    reusable_ids: bool = False
    attempts: Annotated[int, msgspec.Meta(ge=1, le=20)] = 6
    first_pause_seconds: Seconds = 0.5
    answer_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    retry_unanswered: bool = False

    def __post_init__(self) -> None:
        """Refuse a delay that ends before it begins."""
        if self.delay_seconds[0] > self.delay_seconds[1]:
            raise ValueError("the shortest delay is longer than the longest")

    def with_(self, values: Mapping[str, Any]) -> Notifying:
        """The same with some settings changed. Raises ValueError with a sentence; nothing is changed then."""
        try:
            return msgspec.convert({**self.as_json(), **values}, Notifying)
        except msgspec.ValidationError as wrong:
            raise ValueError(f"The settings of notifications cannot be so: {wrong}.") from wrong

    def as_json(self) -> dict[str, Any]:
        """Every setting by its name."""
        settings: dict[str, Any] = msgspec.to_builtins(self)
        return settings
