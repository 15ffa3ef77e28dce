"""`syncer tenant seal`: puts a credential into the database, sealed. The value is never an argument."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli import asking, connect, options, output
from syncer.cli.asking import Yes
from syncer.cli.output import AsJson
from syncer.model.errors import OperatorError

if TYPE_CHECKING:
    from syncer.clients.secret import Secret
    from syncer.settings import Settings
    from syncer.store.vault import Owners


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class SealOptions:
    """The options of `syncer tenant seal`."""

    source: Annotated[Path | None, Parameter(name="--from", help="File with the value; without it, stdin.")] = None
    provider: Annotated[
        bool, Parameter(negative="", show_default=False, help="It is the secret of the tenant's conferencing system.")
    ] = False


_FROM_STDIN = SealOptions()


async def seal(
    slug: Annotated[str, Parameter(help="The tenant's name.")],
    name: Annotated[str, Parameter(help="What sealed:NAME will call it.")],
    /,
    *,
    chosen: SealOptions = _FROM_STDIN,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Put a credential into the database, sealed with the key ring, for `sealed:NAME` to name.

    A Google credential is checked field by field, a provider's secret by the provider. One of that name is replaced.

    Example: syncer tenant seal acme google --from acme.json
    """
    from syncer.store import ring, tenants, vault
    from syncer.store.ring import Keys

    reference = f"sealed:{options.sealed_name(name)}"
    settings, is_providers = connect.settings(), chosen.provider
    keys = Keys(settings.key_ring)
    keys.ring()
    value = _given(chosen.source)
    async with connect.store() as database:
        owners = await vault.owners(database, slug)
        if owners.is_retired:
            raise OperatorError(f"Tenant {slug!r} was removed; `syncer tenant resume {slug}` takes it back first.")
        _refuse(owners, reference, value, settings, is_providers=is_providers)
        others = await tenants.sharers(database, slug) if is_providers else []
        if others and not asking.sure(_shared(slug, others), yes=yes):
            return 1
        with ring.alone(keys.path):
            key = keys.ring().primary
            place, origin = owners.place(name, is_providers=is_providers), owners.origin(is_providers=is_providers)
            is_new = await vault.put(database, key, place, value.reveal(), origin=origin)
    if as_json:
        of = "provider account" if is_providers else "tenant"
        output.document({"tenant": slug, "credential": reference, "of": of, "key_id": key.key_id, "is_new": is_new})
        return 0
    _tell(slug, owners, reference, is_new=is_new, is_providers=is_providers)
    return 0


def _given(source: Path | None) -> "Secret":
    from syncer.clients.secret import Secret
    from syncer.store.sealing import VALUE_LIMIT_BYTES

    if source is None and (sys.stdin is None or sys.stdin.isatty()):
        raise OperatorError(
            "The value comes from a file or a pipe, so that it stands in no command line: say --from FILE, or < FILE.",
            exit_code=2,
        )
    where = "stdin" if source is None else f"file {source}"
    try:
        if source is None:
            raw = sys.stdin.buffer.read(VALUE_LIMIT_BYTES + 1)
        else:
            with source.open("rb") as file:
                raw = file.read(VALUE_LIMIT_BYTES + 1)
    except OSError as error:
        raise OperatorError(f"The value cannot be read from {where}: {error.strerror}.", exit_code=2) from None
    if not raw.strip() or len(raw) > VALUE_LIMIT_BYTES:
        raise OperatorError(f"{where} holds no value of 1 to {VALUE_LIMIT_BYTES} bytes; nothing was sealed.")
    try:
        return Secret(raw.decode())
    except UnicodeDecodeError:
        sentence = f"{where} is not UTF-8 text; nothing was sealed."
    # Outside of the `except`: a decoding error holds the whole value.
    raise OperatorError(sentence)


def _refuse(owners: "Owners", reference: str, value: "Secret", chosen: "Settings", *, is_providers: bool) -> None:
    """Raises OperatorError for a value that could not be used."""
    from syncer.clients.google import auth
    from syncer.clients.http import Http
    from syncer.clients.providers.directory import refuse_unusable
    from syncer.model.conference import ProviderAccount

    if not is_providers:
        auth.refuse_unusable(reference, value, token_uris=chosen.token_uris)
        return
    account = ProviderAccount(owners.account_id, owners.provider, tuple(owners.settings.items()), reference)
    refuse_unusable(Http(), account, value)


def _shared(slug: str, others: list[str]) -> str:
    return f"Tenant {slug} shares its provider account with {', '.join(others)}, for whom it would be sealed too."


def _tell(slug: str, owners: "Owners", reference: str, *, is_new: bool, is_providers: bool) -> None:
    whose = f"the provider account of tenant {slug}" if is_providers else f"tenant {slug}"
    named = owners.provider_credential if is_providers else owners.credential
    replaced = "" if is_new else ", in the place of what it was"
    output.lines([f"Credential {reference} of {whose} is sealed{replaced}."])
    option = "--provider-credential" if is_providers else "--credential"
    naming = f"syncer tenant set {slug} {option} {reference}"
    if named == reference:
        output.lines(
            [f"A running worker uses it within seconds; `syncer tenant resume {slug}` tries again what waits."]
        )
        output.advise("syncer check")
    else:
        output.lines([f"The tenant itself names {named}; `{naming}` changes that."])
        output.advise(naming)
