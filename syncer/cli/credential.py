"""Credentials that a command is given: one that is here and cannot be used is refused before anything is written.

One that is not here is taken: a worker may have a folder, variables and a key ring that this machine has not.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from syncer.cli import connect
from syncer.cli.output import as_sentence
from syncer.model.errors import NotThere, OperatorError

if TYPE_CHECKING:
    from syncer.clients.secret import Secret
    from syncer.store.database import Database

_SEALED = "sealed:"
_TAKEN = (
    "It is taken all the same, for the worker may have it where this machine has not; `syncer check`, run there, says "
    "whether it can be used."
)


async def of_google(option: str, reference: str) -> list[str]:
    """What there is to say of a Google credential that is given. Raises OperatorError for one that cannot be used."""
    from syncer.clients.google import auth

    token_uris = connect.settings().token_uris
    return await _seen(option, reference, lambda secret: auth.refuse_unusable(reference, secret, token_uris=token_uris))


async def of_provider(option: str, reference: str, provider: str, settings: Mapping[str, str]) -> list[str]:
    """What there is to say of a provider's secret that is given. Raises OperatorError for one it cannot be set up with.

    provider, settings: of the account.
    """
    from syncer.clients.http import Http
    from syncer.clients.providers.directory import refuse_unusable
    from syncer.model.conference import ProviderAccount

    account = ProviderAccount(0, provider, tuple(settings.items()), reference)
    return await _seen(option, reference, lambda secret: refuse_unusable(Http(), account, secret))


async def unsealed(database: "Database", slug: str, google: str | None, provider: str | None) -> list[str]:
    """What there is to say of a tenant's references that name sealed values: of those that are not there yet."""
    from syncer.store import vault

    given = [(google, False), (provider, True)]
    sealed = [(one.removeprefix(_SEALED), is_its) for one, is_its in given if one and one.startswith(_SEALED)]
    owners = await vault.owners(database, slug) if sealed else None
    return [
        f"Credential sealed:{name} is not there yet; `syncer tenant seal {slug} {name}"
        f"{' --provider' if is_its else ''} --from FILE` puts it in."
        for name, is_its in sealed
        if owners and not await vault.is_there(database, owners.place(name, is_providers=is_its))
    ]


async def _seen(option: str, reference: str, refuse: Callable[["Secret"], None]) -> list[str]:
    from syncer.clients.references import References

    if reference.startswith(_SEALED):
        return []
    chosen = connect.settings()
    references = References(folder=chosen.credentials_folder, env_prefix=chosen.credentials_prefix, environ=os.environ)
    try:
        refuse(await references.read(reference))
    except NotThere as error:
        return [f"{as_sentence(str(error))} {_TAKEN}"]
    except OperatorError as error:
        sentence = f"{option} is refused, and nothing was changed: {error}"
    else:
        return []
    raise OperatorError(sentence)
