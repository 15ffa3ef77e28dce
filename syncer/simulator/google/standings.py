"""What stands between a user and a token: suspension, another name, a delegation that has not reached them yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

State = Literal["active", "suspended", "renamed"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Standing:
    """One user's. delegated_at: when a domain's delegation reaches this user, None when it did long ago."""

    state: State = "active"
    delegated_at: datetime | None = None

    def is_delegated(self, now: datetime) -> bool:
        """Whether service accounts of the domain may speak for the user by now.

        Source: Google Identity, "Using OAuth 2.0 for server to server applications": it may take up to 24 hours.
        """
        return self.delegated_at is None or now >= self.delegated_at
