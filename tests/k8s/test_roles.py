"""The roles that the cluster makes can do what their pods do, and no more."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.cli.conftest import Terminal
from tests.conftest import Databases
from tests.k8s.manifests import KUBECTL, containers, installed, of_kind

pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="the wheel of kubectl is for Linux")
ROLES = ("syncer_receiver", "syncer_worker", "syncer_owner")


@dataclass(frozen=True, slots=True)
class Pods:
    """A database that was made as the cluster makes it. monkeypatch: gives a command what a pod would have."""

    dsn: str
    terminal: Terminal
    monkeypatch: pytest.MonkeyPatch

    def enter(self, name: str) -> None:
        """From here on commands run as in a container of this workload."""
        environ = next(one.environ for one in containers(installed("production")) if one.where == name)
        role, ours = urlsplit(environ["SYNCER_DATABASE_URL"]).username, urlsplit(self.dsn)
        # Without a password, which comes by PGPASSWORD as in the pod.
        url = ours._replace(netloc=f"{role}@{ours.hostname}:{ours.port}").geturl()
        self.monkeypatch.setenv("SYNCER_DATABASE_URL", url)
        self.monkeypatch.setenv("PGPASSWORD", f"of {role}")


@pytest.fixture
def pods(
    databases: Databases, empty_database: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pods]:
    (cluster,) = of_kind(installed("production"), "Cluster")
    initdb = cluster["spec"]["bootstrap"]["initdb"]
    name = urlsplit(empty_database).path[1:]
    databases.run(f"CREATE ROLE {initdb['owner']} LOGIN")
    databases.run(f"ALTER DATABASE {name} OWNER TO {initdb['owner']}")
    databases.runner.run(_run(empty_database, initdb["postInitApplicationSQL"]))
    for role in ROLES:
        databases.run(f"ALTER ROLE {role} PASSWORD 'of {role}'")
    yield Pods(empty_database, terminal, monkeypatch)
    databases.run(f"DROP DATABASE {name} WITH (FORCE)")
    for role in ROLES:
        databases.run(f"DROP ROLE {role}")
    databases.run(f"CREATE DATABASE {name}")


async def _run(dsn: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(dsn)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def test_the_job_makes_the_schema_and_pods_have_their_rights(pods: Pods) -> None:
    pods.enter("Job/syncer-expand")
    assert pods.terminal("migrate", "--expand").code == 0
    for name in ("Deployment/syncer-worker", "Deployment/syncer-receiver"):
        pods.enter(name)
        checked = pods.terminal("check", "--database", "--json")
        assert (checked.code, checked.document["ok"]) == (0, True), checked.out
    assert pods.terminal("project", "add", "main").code == 0


async def told(dsn: str, sql: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.execute(sql)
    finally:
        await connection.close()


@pytest.mark.parametrize("sql", ["DROP TABLE syncer.calendar", "CREATE TABLE syncer.x ()", "CREATE SCHEMA other"])
@pytest.mark.parametrize("role", ROLES[:2])
def test_no_pod_changes_the_schema(pods: Pods, databases: Databases, role: str, sql: str) -> None:
    pods.enter("Job/syncer-expand")
    assert pods.terminal("migrate", "--expand").code == 0
    ours = urlsplit(pods.dsn)
    dsn = ours._replace(netloc=f"{role}:of {role}@{ours.hostname}:{ours.port}").geturl()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        databases.runner.run(told(dsn, sql))
