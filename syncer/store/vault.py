"""The vault: credentials that are sealed in the database, opened with the key ring, which is not.

Values come and go as text; whoever gets one makes it a secret at once.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from syncer.model.errors import OperatorError, StoreUnavailable
from syncer.model.reference import Owner, Sealed, as_written, owned, sealed_of
from syncer.store import sealing, statements, tenants
from syncer.store.database import Database, Row
from syncer.store.ring import Key, Keys
from syncer.store.sealing import NotOpened, Place

_SQL = statements.of("vault")
_TABLES: Mapping[Owner, str] = {"tenant": "grant", "account": "account_grant"}
_PORTS: Mapping[str, int] = {"http": 80, "https": 443}
_ASKED_SECONDS = 2.0
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Owners:
    """Whom a tenant's sealed values belong to. settings: of its provider account. Credentials are references."""

    tenant_id: int
    account_id: int
    is_retired: bool
    provider: str
    settings: Mapping[str, str]
    credential: str
    provider_credential: str

    def place(self, name: str, *, is_providers: bool) -> Sealed:
        """Where a value of that name stands: with the tenant, or with its provider account."""
        if is_providers:
            return Sealed("account", self.account_id, name)
        return Sealed("tenant", self.tenant_id, name)

    def origin(self, *, is_providers: bool) -> str:
        """What such a value may be used for."""
        return origin_of(self.settings.get("url", "")) if is_providers else ""


@dataclass(frozen=True, slots=True)
class Resealed:
    """What sealing anew came to. unopened: what could not be opened and stays as it is, in sentences."""

    count: int
    unopened: tuple[str, ...]


class _Anew(NamedTuple):
    owner_id: int
    name: str
    before: bytes
    now: bytes


class Vault:
    """Opens what is sealed. asked_seconds: `replaced` asks the database no more often."""

    def __init__(self, database: Database, keys: Keys, *, asked_seconds: float = _ASKED_SECONDS) -> None:
        self._database = database
        self._keys = keys
        self._asked_seconds = asked_seconds
        self._asked_at = float("-inf")
        self._since: int | None = None
        self._marks: dict[str, int] = {}

    async def read(self, reference: str) -> str:
        """The value behind a reference, as `model.reference.owned` gives it.

        Raises OperatorError, with a sentence that names the reference alone, and StoreError.
        """
        sealed = sealed_of(reference)
        if sealed is None:
            raise OperatorError(f"credential {as_written(reference)} does not say whose it is")
        if self._since is None:
            # Before anything is read: whatever is replaced after that is asked for.
            self._since = await self._database.value(_SQL["since"])
        row = await self._row(sealed)
        if row is not None and row["mark"] < self._marks.get(reference, 0):
            # Another one was given while this was on its way; `replaced` told of it, and will not again.
            row = await self._row(sealed)
        if row is None:
            # Whenever it comes, it is another one than none.
            self._marks[reference] = 0
            raise OperatorError(
                f"credential sealed:{sealed.name} is not there: `syncer tenant seal` puts it in"
                + (", with --provider" if sealed.owner == "account" else "")
            )
        self._marks[reference] = row["mark"]
        origin = origin_of(row["url"])
        if row["origin"] != origin:
            raise OperatorError(
                f"credential sealed:{sealed.name} was sealed for {row['origin'] or 'no server'}, and its account leads "
                f"to {origin or 'no server'} now: seal it anew if it may be used there"
            )
        return _opened(self._keys, _place(sealed, origin), row["sealed"])

    async def replaced(self) -> Sequence[str]:
        """References of tenants' values that are others since they were read here, as far as that was asked lately.

        While the database cannot be asked, what was read stays good.
        """
        if self._since is None or time.monotonic() - self._asked_at < self._asked_seconds:
            return ()
        self._asked_at = time.monotonic()
        try:
            rows = await self._database.fetch(_SQL["replaced"], self._since)
        except StoreUnavailable:
            return ()
        self._since = rows[0]["since"]
        return [reference for row in rows if (reference := self._noticed(row)) is not None]

    def _noticed(self, row: Row) -> str | None:
        if row["mark"] is None:
            return None
        reference = owned(f"sealed:{row['name']}", "tenant", row["tenant_id"])
        known = self._marks.get(reference)
        if known is None or known == row["mark"]:
            return None
        self._marks[reference] = row["mark"]
        return reference

    async def _row(self, sealed: Sealed) -> Row | None:
        return await self._database.first(_SQL[f"read_{sealed.owner}"], sealed.owner_id, sealed.name)


async def owners(database: Database, tenant: str) -> Owners:
    """Whom the sealed values of a tenant (slug) belong to. Raises OperatorError when there is no such tenant."""
    row = await database.first(_SQL["owners"], tenant)
    if row is None:
        raise await tenants.unknown(database, "tenant", tenant)
    settings = msgspec.json.decode(row["settings"], type=dict[str, str])
    references = row["credential"], row["provider_credential"]
    return Owners(
        row["tenant_id"], row["account_id"], row["state"] == "retired", row["provider"], settings, *references
    )


async def is_there(database: Database, sealed: Sealed) -> bool:
    """There is a value of that name, whatever it is."""
    return await database.first(_SQL[f"read_{sealed.owner}"], sealed.owner_id, sealed.name) is not None


async def put(database: Database, key: Key, sealed: Sealed, text: str, *, origin: str = "") -> bool:
    """Seals a value into the place of what was there; gives whether there was nothing.

    origin: of the URL that a provider account's value may be used for; of any other there is none.
    Raises OperatorError for a tenant that was retired or forgotten meanwhile.
    """
    value = made(key, sealed, text, origin=origin)
    is_new = await database.value(_SQL[f"put_{sealed.owner}"], sealed.owner_id, sealed.name, value, origin)
    if is_new is None:
        raise OperatorError("The tenant was removed meanwhile; nothing was sealed.")
    return bool(is_new)


def made(key: Key, sealed: Sealed, text: str, *, origin: str = "") -> bytes:
    """A value as `put` writes it, for a statement that writes more than that."""
    return sealing.seal(key, _place(sealed, origin), text)


async def counts(database: Database) -> dict[str, int]:
    """How many values each key seals, by key id; keys that seal none are left out."""
    return {row["key_id"]: row["count"] for row in await database.fetch(_SQL["counts"])}


async def reseal(database: Database, keys: Keys, tell: Callable[[int], None] = lambda _: None) -> Resealed:
    """Seals under the primary key all that another one seals, some at a time: what is done stays done.

    tell: called with how many were sealed since it was called last. Nobody who reads a value meanwhile notices.
    """
    primary = keys.ring().primary
    count, unopened = 0, []
    for owner in _TABLES:
        behind = (0, "")
        while rows := await database.fetch(_SQL[f"older_{owner}"], primary.key_id, *behind, _ROWS_AT_ONCE):
            done, failed = _sealed_anew(keys, primary, owner, rows)
            await database.run(
                _SQL[f"reseal_{owner}"],
                [one.owner_id for one in done],
                [one.name for one in done],
                [one.before for one in done],
                [one.now for one in done],
            )
            count += len(done)
            unopened += failed
            tell(len(rows))
            behind = (rows[-1]["owner_id"], rows[-1]["name"])
    return Resealed(count, tuple(unopened))


def _sealed_anew(keys: Keys, primary: Key, owner: Owner, rows: Sequence[Row]) -> tuple[list[_Anew], list[str]]:
    made: list[_Anew] = []
    failed: list[str] = []
    for row in rows:
        place = _place(Sealed(owner, row["owner_id"], row["name"]), row["origin"])
        try:
            text = _opened(keys, place, row["sealed"])
        except OperatorError as error:
            failed.append(f"{owner} {place.owner_id}: {error}")
            continue
        made.append(_Anew(place.owner_id, place.name, row["sealed"], sealing.seal(primary, place, text)))
    return made, failed


def _opened(keys: Keys, place: Place, value: bytes) -> str:
    key_id = sealing.key_id_of(value)
    what = f"credential sealed:{place.name} cannot be opened"
    key = keys.key(key_id)
    if key is None:
        raise OperatorError(
            f"{what}: key {key_id} is not in the key ring; bring back the ring that has it, or seal the credential anew"
        )
    try:
        return sealing.open_sealed(key, place, value)
    except NotOpened:
        sentence = f"{what}: it is not what was sealed under this name with key {key_id}; seal it anew"
    raise OperatorError(sentence)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, in small letters; empty for what is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}:{port}" if host and port else ""


def _place(sealed: Sealed, origin: str) -> Place:
    return Place(_TABLES[sealed.owner], "sealed", sealed.owner_id, sealed.name, origin)
