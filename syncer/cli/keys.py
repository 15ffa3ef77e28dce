"""`syncer keys`: the key ring that seals credentials, and the move from one key to the next."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from syncer.cli import asking, connect, output, progress
from syncer.cli.asking import Yes
from syncer.cli.output import AsJson
from syncer.model.errors import OperatorError

if TYPE_CHECKING:
    from syncer.store.ring import Key, Ring


@dataclass(frozen=True, slots=True)
class _Row:
    """One key as it is listed. state: missing where credentials need it and the ring has it not."""

    key_id: str
    state: Literal["primary", "enabled", "missing"]
    made_at: datetime | None
    seals: int


async def new(*, as_json: AsJson = False) -> None:
    """Write the key ring that SYNCER_KEY_RING names, or add a key to the one that is there.

    The first key of a ring seals at once; a further one only opens, until `syncer keys rotate`.

    Example: syncer keys new
    """
    from syncer.store import ring
    from syncer.store.ring import Keys

    path = Keys(connect.settings().key_ring).path
    # Real time: it tells people when the key was made.
    now = datetime.now(UTC)
    with ring.alone(path):
        is_first = not path.exists()
        made = ring.new(f"key ring {path}", now) if is_first else ring.read(path).with_another(now)
        ring.write(path, made)
    key = made.keys[-1]
    if as_json:
        output.document({"key_ring": str(path), "key_id": key.key_id, "is_primary": key.is_primary})
        return
    if is_first:
        output.lines([f"Key ring {path} is written, with key {key.key_id}.", _KEEP])
    else:
        output.lines([f"Key {key.key_id} is added to key ring {path}; it seals nothing yet.", _SPREAD])
    output.advise("syncer tenant seal TENANT NAME --from FILE" if is_first else "syncer keys rotate")


_KEEP = "Keep a copy of it, apart from the database's backups: without it nothing opens that it sealed."
_SPREAD = "Once every process has the new file, `syncer keys rotate` seals all credentials anew with it."


async def list_all(*, as_json: AsJson = False) -> None:
    """List the keys of the ring, and how many credentials each seals.

    Example: syncer keys list
    """
    from syncer.store import vault
    from syncer.store.ring import Keys

    ring = Keys(connect.settings().key_ring).ring()
    async with connect.store() as database:
        counts = await vault.counts(database)
    rows = [
        _Row(key.key_id, "primary" if key.is_primary else "enabled", key.made_at, counts.pop(key.key_id, 0))
        for key in ring.keys
    ]
    rows += [_Row(key_id, "missing", None, count) for key_id, count in counts.items()]
    if as_json:
        output.document(rows)
        return
    output.table(("key", "state", "made", "seals"), [(one.key_id, one.state, one.made_at, one.seals) for one in rows])
    if counts:
        output.say("What a missing key seals does not open: bring back the ring that has it, or seal it anew.")


async def rotate(
    key_id: Annotated[str | None, Parameter(help="The key; without it, the newest of the ring.")] = None,
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Let the newest key of the ring seal from now on, and seal all credentials anew with it.

    May be stopped and started again at any time: what is done stays done, and every credential opens meanwhile.

    Example: syncer keys rotate
    """
    from syncer.store import ring, vault
    from syncer.store.ring import Keys

    keys = Keys(connect.settings().key_ring)
    async with connect.store() as database:
        with ring.alone(keys.path):
            chosen = keys.ring().newest if key_id is None else _known(keys.ring(), key_id)
            if not chosen.is_primary:
                ring.write(keys.path, keys.ring().with_primary(chosen.key_id))
        left = sum(count for other, count in (await vault.counts(database)).items() if other != chosen.key_id)
        with progress.shown("Sealing anew", total=left) as bar:
            done = await vault.reseal(database, keys, bar.advance)
    if as_json:
        output.document({"key_id": chosen.key_id, "sealed": done.count, "unopened": done.unopened})
    else:
        anew = output.counted(done.count, "credential was", "credentials were")
        output.lines([f"Key {chosen.key_id} seals from now on; {anew} sealed anew with it."])
        for sentence in done.unopened:
            output.say(f"Left as it was: {output.as_sentence(sentence)}")
        output.advise("syncer keys list")
    return 1 if done.unopened else 0


async def retire(
    key_id: Annotated[str, Parameter(help="The key, as `syncer keys list` shows it.")],
    /,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Take a key out of the ring for good. Refused while it seals anything.

    Example: syncer keys retire 1a2b3c4d --yes
    """
    from syncer.store import ring, vault
    from syncer.store.ring import Keys

    keys = Keys(connect.settings().key_ring)
    async with connect.store() as database:
        with ring.alone(keys.path):
            if _known(keys.ring(), key_id).is_primary:
                raise OperatorError(f"Key {key_id} is the one that seals; add another and `syncer keys rotate` first.")
            needed = (await vault.counts(database)).get(key_id, 0)
            if needed:
                sealed = output.counted(needed, "credential is", "credentials are")
                raise OperatorError(f"{sealed} sealed with key {key_id}; `syncer keys rotate` seals them anew first.")
            if not asking.sure(f"Older backups that are sealed with key {key_id} would open no more.", yes=yes):
                return 1
            ring.write(keys.path, keys.ring().without(key_id))
    if as_json:
        output.document({"key_id": key_id, "is_retired": True})
        return 0
    output.lines([f"Key {key_id} is gone from key ring {keys.path}."])
    output.advise("syncer keys list")
    return 0


def _known(ring: "Ring", key_id: str) -> "Key":
    key = ring.key(key_id)
    if key is None:
        raise OperatorError(
            f"There is no key {key_id!r} in {ring.source}; `syncer keys list` shows those there are.", exit_code=2
        )
    return key
