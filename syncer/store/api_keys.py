"""API keys: what a tenant's backend comes with. Of a key only its id and a digest of its secret are kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from syncer.model.errors import OperatorError, StoreRefused
from syncer.store import statements, tenants
from syncer.store.database import Database

_KEY = re.compile(r"syncer_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME = "a_key_name_is_short_and_plain"
_NOBODY = bytes(32)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose key it is."""

    tenant_id: int
    tenant: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Made:
    """A key that was just made. text: the key itself, which nobody can show again."""

    key_id: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """A key as it is listed. revoked_at: None for one that is good."""

    key_id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


async def add(database: Database, tenant: str, name: str) -> Made:
    """Makes a key for a tenant (slug). Raises OperatorError: no such tenant, or a name that cannot be."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    try:
        row = await database.first(_statements()["add"], tenant, key_id, name, _digest(secret))
    except StoreRefused as refused:
        if refused.constraint != _NAME:
            raise
        raise OperatorError(
            "A key's name is 1 to 63 small letters, digits, dots, dashes and underscores.", exit_code=2
        ) from None
    if row is None:
        raise await tenants.unserved(database, tenant)
    return Made(key_id, f"syncer_{key_id}_{secret}")


async def all_of(database: Database, tenant: str) -> list[Listed]:
    """The keys of a tenant (slug), oldest first. Raises OperatorError when there is no such tenant."""
    rows = await database.fetch(_statements()["all_of"], tenant)
    if not rows and await database.first(statements.of("tenants")["tenant_id"], tenant) is None:
        raise await tenants.unknown(database, "tenant", tenant)
    return [Listed(row["key_id"], row["name"], row["created_at"], row["revoked_at"]) for row in rows]


async def revoke(database: Database, tenant: str, key_id: str) -> bool:
    """A key is good for nothing from now on, everywhere; says whether it was good until now.

    Raises OperatorError when the tenant (slug) has no such key.
    """
    was_good = await database.value(_statements()["revoke"], tenant, key_id)
    if was_good is None:
        await all_of(database, tenant)
        raise OperatorError(
            f"Tenant {tenant!r} has no key {key_id!r}; `syncer tenant key list {tenant}` shows those there are."
        )
    return bool(was_good)


async def bearer(database: Database, text: str) -> Bearer | None:
    """Whose key this is; None for one that is not good, whatever is wrong with it. Asks the database each time."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    key_id, secret = match.groups()
    row = await database.first(_statements()["known"], key_id)
    # Always compared: a key that is not there takes as long as one that is wrong.
    is_right = hmac.compare_digest(row["hash"] if row is not None else _NOBODY, _digest(secret))
    return Bearer(row["tenant_id"], row["slug"], key_id) if is_right and row is not None else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _statements() -> Mapping[str, str]:
    return statements.of("api_keys")
