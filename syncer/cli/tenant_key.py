"""`syncer tenant key`: the keys that a tenant's backend registers calendars and conferences with."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli import asking, connect, output
from syncer.cli.asking import Yes
from syncer.cli.output import AsJson

Slug = Annotated[str, Parameter(help="The tenant's name.")]


async def add(
    slug: Slug,
    /,
    *,
    name: Annotated[str, Parameter(help="What the key is called among the tenant's keys.")] = "backend",
    as_json: AsJson = False,
) -> None:
    """Make a key for a tenant's backend. It is shown this once, and kept as a digest only.

    A tenant may have several, so that one is replaced by another without a gap: add, tell the backend, revoke.

    Example: syncer tenant key add acme --name apps-script
    """
    from syncer.store import api_keys

    async with connect.store() as database:
        made = await api_keys.add(database, slug, name)
    if as_json:
        output.document({"tenant": slug, "key_id": made.key_id, "key": made.text})
        return
    output.lines([made.text])
    output.say(f"This is key {made.key_id} of tenant {slug}. Nobody can show it again.")
    output.advise(f"syncer tenant key list {slug}")


async def list_all(slug: Slug, /, *, as_json: AsJson = False) -> None:
    """List the keys of a tenant, without what makes them keys.

    Example: syncer tenant key list acme
    """
    from syncer.store import api_keys

    async with connect.store() as database:
        found = await api_keys.all_of(database, slug)
    if as_json:
        output.document(found)
        return
    output.table(
        ("key", "name", "made", "revoked"), [(one.key_id, one.name, one.created_at, one.revoked_at) for one in found]
    )
    if not found:
        output.advise(f"syncer tenant key add {slug}")


async def revoke(
    slug: Slug,
    key_id: Annotated[str, Parameter(help="The key, as `syncer tenant key list` shows it.")],
    /,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Make a key good for nothing, from the next call on and for good.

    Example: syncer tenant key revoke acme 0123456789ab --yes
    """
    from syncer.store import api_keys

    if not asking.sure(f"Whoever still calls with key {key_id} of tenant {slug} is refused from now on.", yes=yes):
        return 1
    async with connect.store() as database:
        was_good = await api_keys.revoke(database, slug, key_id)
    if as_json:
        output.document({"tenant": slug, "key_id": key_id, "was_good": was_good})
        return 0
    output.lines([f"Key {key_id} of tenant {slug} is {'revoked' if was_good else 'revoked already'}."])
    output.advise(f"syncer tenant key list {slug}")
    return 0
