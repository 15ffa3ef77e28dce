"""Tries a database's address once, and says in one sentence what is wrong with it and what to do."""

import asyncpg

from syncer.model.errors import OperatorError

_ADDRESS = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


async def reach(dsn: str, *, seconds: float = 5.0) -> None:
    """Connects to `dsn` and lets go again.

    seconds: how long the server may take to let us in.
    Raises OperatorError, exit code 2 for an address that is none. It names nothing of the address: a password may be
    anywhere in a malformed one.
    """
    if not dsn.startswith(("postgresql://", "postgres://")):
        raise OperatorError(f"SYNCER_DATABASE_URL is not a Postgres address; write {_ADDRESS}.", exit_code=2)
    try:
        connection = await asyncpg.connect(dsn, timeout=seconds, server_settings={"application_name": "syncer"})
    except (ValueError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _sentence(error, seconds) from None
    # Nothing was asked of it, so there is nothing to end in order, and a frozen server must not hold us up.
    connection.terminate()


def _sentence(error: Exception, seconds: float) -> OperatorError:
    name = type(error).__name__
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            text = "refuses the user name or password in SYNCER_DATABASE_URL; correct them, or its pg_hba.conf"
        case asyncpg.InvalidCatalogNameError():
            text = "has no database of the name in SYNCER_DATABASE_URL; make it with createdb, or correct the name"
        case asyncpg.TooManyConnectionsError():
            text = "has no connection left for us; raise its max_connections, or end other clients"
        case asyncpg.InsufficientPrivilegeError():
            text = "does not let this user connect to the database; GRANT CONNECT ON DATABASE … TO this user"
        case asyncpg.PostgresError():
            text = f"does not let us in ({name}); its log says why"
        case TimeoutError():
            text = f"did not answer within {seconds:g} seconds; check host, port and firewall in SYNCER_DATABASE_URL"
        case OSError():
            text = f"cannot be reached ({error.strerror or name}); start it, or correct host and port"
        case _:
            return OperatorError(f"SYNCER_DATABASE_URL cannot be used ({name}); write {_ADDRESS}.", exit_code=2)
    return OperatorError(f"Postgres {text}.")
