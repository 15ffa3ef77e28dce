"""References to sealed credentials, told apart by whose they are.

People write `sealed:NAME`, and each tenant and each provider account has names of its own. Rows become values with the
owner in the reference, so that whatever is kept by reference never serves another tenant.
"""

from dataclasses import dataclass
from typing import Literal

_SEALED = "sealed:"

Owner = Literal["tenant", "account"]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What names one sealed value. owner_id: the tenant's or the provider account's."""

    owner: Owner
    owner_id: int
    name: str


def owned(reference: str, owner: Owner, owner_id: int) -> str:
    """A reference out of a row of this owner's: a sealed one with its owner in it, any other as it stands."""
    if not reference.startswith(_SEALED):
        return reference
    return f"{_SEALED}{owner}/{owner_id}/{reference.removeprefix(_SEALED)}"


def sealed_of(reference: str) -> Sealed | None:
    """What a reference as `owned` gives it names; None for one that names no sealed value, or not whose."""
    match reference.removeprefix(_SEALED).split("/"):
        case [("tenant" | "account") as owner, owner_id, name] if reference.startswith(_SEALED) and _is_id(owner_id):
            return Sealed(owner, int(owner_id), name)
    return None


def as_written(reference: str) -> str:
    """The reference as people wrote it."""
    sealed = sealed_of(reference)
    return reference if sealed is None else f"{_SEALED}{sealed.name}"


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()
