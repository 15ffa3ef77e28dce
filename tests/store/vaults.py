"""A vault on a fresh database: tenants, a ring in a file, and values that are sealed with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syncer.model.reference import Owner, Sealed
from syncer.store import ring, tenants, vault
from syncer.store.database import Database
from syncer.store.ring import Key, Keys, Ring
from syncer.store.vault import Vault

NOW = datetime(2099, 12, 1, tzinfo=UTC)
HOOK = "https://meet.example.org/hook"
ORIGIN = "https://meet.example.org:443"


@dataclass(frozen=True, slots=True)
class Kept:
    """A vault, and what is around it."""

    database: Database
    path: Path
    keys: Keys
    vault: Vault

    @property
    def ring(self) -> Ring:
        return ring.read(self.path)

    async def put(self, text: str, name: str = "google", *, owner: Owner = "tenant", owner_id: int = 1) -> str:
        """Seals a value; gives its reference."""
        origin = ORIGIN if owner == "account" else ""
        sealed = Sealed(owner, owner_id, name)
        await vault.put(self.database, self.ring.primary, sealed, text, origin=origin)
        return reference(name, owner=owner, owner_id=owner_id)

    def add_key(self) -> Key:
        """Another key, which only opens."""
        ring.write(self.path, self.ring.with_another(NOW + timedelta(days=len(self.ring.keys))))
        return self.ring.keys[-1]

    def promote(self, key: Key) -> None:
        """Lets it seal from now on."""
        ring.write(self.path, self.ring.with_primary(key.key_id))


def reference(name: str = "google", *, owner: Owner = "tenant", owner_id: int = 1) -> str:
    return f"sealed:{owner}/{owner_id}/{name}"


@asynccontextmanager
async def a_vault(dsn: str, folder: Path, *slugs: str) -> AsyncIterator[Kept]:
    """A ring of one key, and tenants of these slugs, each with a provider account of its own; ids count from 1."""
    path = folder / "ring.json"
    ring.write(path, ring.new("key ring", NOW))
    async with Database.opened(dsn, connections=4) as database:
        await tenants.add_project(database, "main")
        for slug in slugs or ("acme", "other"):
            tenant = tenants.NewTenant(
                slug=slug,
                project="main",
                credential="sealed:google",
                provider_credential=f"sealed:{slug}",
                provider_settings={"url": HOOK},
            )
            await tenants.add_tenant(database, tenant)
        keys = Keys(path)
        yield Kept(database, path, keys, Vault(database, keys, asked_seconds=0))
