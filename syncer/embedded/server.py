"""The address of a running local Postgres."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg

from syncer.embedded import postmaster
from syncer.embedded.cluster import USER, Cluster
from syncer.embedded.errors import EmbeddedError

_DATABASE = "syncer"
_CONNECT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running local Postgres. Both addresses hold its password, so they are not shown.

    dsn: over TCP on 127.0.0.1. socket_dsn: over its Unix socket. port: of TCP, and in the socket's name.
    folder: where it keeps everything. log_path: what it has to say. version: as `18.6`.
    """

    dsn: str = field(repr=False)
    socket_dsn: str = field(repr=False)
    port: int
    folder: Path
    log_path: Path
    version: str


async def opened(cluster: Cluster) -> Server:
    """The running Postgres of this cluster, its database `syncer` made if it is not there yet.

    Raises EmbeddedError when it does not let us in.
    """
    found = postmaster.of(cluster.data_folder)
    if found is None:
        raise cluster.failure("The local Postgres has ended")
    try:
        password = cluster.password_path.read_text("ascii")
        version = await _with_database(_address(found.port, password, "postgres"))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise EmbeddedError(
            f"The local Postgres in {cluster.folder} does not let us in ({type(error).__name__}): "
            "stop it and move that folder away to begin with an empty one."
        ) from None
    return Server(
        dsn=_address(found.port, password, _DATABASE),
        socket_dsn=f"postgresql://{USER}:{password}@/{_DATABASE}"
        f"?host={quote(str(found.sockets), safe='')}&port={found.port}",
        port=found.port,
        folder=cluster.folder,
        log_path=cluster.log_path,
        version=version,
    )


def _address(port: int, password: str, database: str) -> str:
    # The wheel's Postgres has no TLS, and on loopback there is nothing to hide from.
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}?sslmode=disable"


async def _with_database(dsn: str) -> str:
    connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", _DATABASE):
            await connection.execute(f"CREATE DATABASE {_DATABASE}")
        # Some packagers add words of their own after the number.
        return str(await connection.fetchval("SELECT split_part(current_setting('server_version'), ' ', 1)"))
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)
