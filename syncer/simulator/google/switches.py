"""What can be set about the simulated Google while it runs: where Google's documentation leaves it open, and sizes.

The defaults are Google's documented behaviour, or the stricter reading where it documents none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

WHOLE = frozenset({"batch_limit", "patch_weight", "retry_after_seconds"})


@dataclass(slots=True)
class Switches:
    """All settings, by their names on the control face.

    slow_seconds: how long a slow answer waits. retry_after_seconds: sent with refusals for load; None sends none.
    batch: whether the endpoint is there. batch_limit: parts in a batch at most. batch_conflicts: whether the second
    write to a calendar in one batch is answered 409. batch_mixed_credentials: whether parts may carry different
    tokens. patch_weight: requests that a patch counts for. sync_token_days: how long sync tokens last; None for
    ever. moving_sync_tokens: whether each listing ends in a new sync token though nothing changed.
    time_max_ends_sync, updated_min_ends_sync: whether a listing with that parameter gets no sync token.
    updated_min_days: how far back updatedMin may reach. tombstone_days: after which deleted events leave full
    listings; None never. detailed_tombstones: whether showDeleted shows details of the organizer's deleted events.
    opaque_instance_ids: whether instances get ids that tell nothing. moved_instances_change_id: whether an instance
    of the later half of a split gets another id when it is rescheduled, and its old one ends without a word.
    exceptions_vanish: whether exceptions of a deleted series go without tombstones.
    """

    slow_seconds: float = 0.5
    retry_after_seconds: int | None = None
    batch: bool = True
    batch_limit: int = 1000
    batch_conflicts: bool = True
    batch_mixed_credentials: bool = True
    patch_weight: int = 1
    sync_token_days: float | None = None
    moving_sync_tokens: bool = False
    time_max_ends_sync: bool = True
    updated_min_ends_sync: bool = True
    updated_min_days: float = 28
    tombstone_days: float | None = None
    detailed_tombstones: bool = True
    opaque_instance_ids: bool = False
    moved_instances_change_id: bool = False
    exceptions_vanish: bool = False

    def as_json(self) -> dict[str, Any]:
        """Every setting by its name."""
        return asdict(self)

    def check(self, values: Mapping[str, Any]) -> None:
        """Raises ValueError with a sentence for a name or a value that makes no sense."""
        known = {field.name: field.default for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no setting named {name!r}: use one of {', '.join(known)}.")
            if not _fits(name, value, known[name]):
                raise ValueError(f"The value for the setting {name} makes no sense: its default is {known[name]}.")

    def set(self, values: Mapping[str, Any]) -> None:
        """Set some of them, which were checked."""
        for name, value in values.items():
            setattr(self, name, value)


def _fits(name: str, value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if value is None:
        return default is None
    kinds = int if name in WHOLE else (int, float)
    return isinstance(value, kinds) and value >= (1 if name in WHOLE else 0)
