"""A database that cannot be used is told in one sentence, with what to do, and without the password."""

import shutil
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from syncer.model.errors import OperatorError
from syncer.store import migrate as migrations
from syncer.store.reach import reach
from tests.cli.conftest import Rows, Terminal


@pytest.fixture
def stranger(database: str, run_sql: Callable[[str], None]) -> Iterator[str]:
    """The address by which a role gets in that owns nothing."""
    run_sql("CREATE ROLE stranger LOGIN PASSWORD 's3cret'")
    parts = urlsplit(database)
    yield parts._replace(netloc=f"stranger:s3cret@{parts.hostname}:{parts.port}").geturl()
    run_sql(f"DROP DATABASE {parts.path[1:]} WITH (FORCE)")
    run_sql("DROP ROLE stranger")
    run_sql(f"CREATE DATABASE {parts.path[1:]}")


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        pytest.param(lambda _: "s3cret", 2, "SYNCER_DATABASE_URL is not a Postgres address", id="no URL"),
        pytest.param(lambda _: "postgresql://u:s3cret@h:port/d", 2, "SYNCER_DATABASE_URL cannot be used", id="port"),
        pytest.param(lambda url: url.replace("://", "://x", 1), 1, "refuses the user name or password", id="user"),
        pytest.param(lambda url: url.replace("?", "x?"), 1, "has no database of the name", id="database"),
        pytest.param(lambda _: "postgresql://u:s3cret@127.0.0.1:1/d", 1, "cannot be reached", id="nobody there"),
    ],
)
def test_a_wrong_address_is_one_sentence(
    terminal: Terminal,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[str], str],
    code: int,
    sentence: str,
) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", change(database))
    for command in (("project", "list"), ("migrate",), ("run",)):
        answer = terminal(*command)
        assert (answer.code, answer.out) == (code, "")
        assert sentence in answer.err
        assert "s3cret" not in answer.err
        assert answer.err.count("\n") == 1
    assert terminal("check", "--json").document["ok"] is False


async def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d"
        with pytest.raises(OperatorError, match=r"did not answer within 0\.2 seconds"):
            await reach(dsn, seconds=0.2)


def test_missing_rights_are_named(terminal: Terminal, stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", stranger)
    answer = terminal("project", "list")
    assert answer.code == 1
    assert "lacks USAGE on schema syncer" in answer.err
    assert "GRANT USAGE ON SCHEMA syncer" in answer.err


def test_missing_rights_on_tables_are_named(
    terminal: Terminal, stranger: str, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.run("GRANT USAGE ON SCHEMA syncer TO stranger")
    rows.run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA syncer TO stranger")
    monkeypatch.setenv("SYNCER_DATABASE_URL", stranger)
    assert terminal("project", "add", "main").code == 0
    rows.run("REVOKE UPDATE ON syncer.tenant FROM stranger")
    assert "lacks UPDATE on table syncer.tenant;" in terminal("project", "list").err


def test_a_user_that_may_not_migrate_is_told_who_may(
    terminal: Terminal, stranger: str, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(stranger)._replace(path=urlsplit(empty_database).path)
    monkeypatch.setenv("SYNCER_DATABASE_URL", parts.geturl())
    *_, finding = terminal("check", "--json").document["checks"]
    assert (finding["what"], finding["is_well"]) == ("privileges", False)
    assert "needs more rights than user stranger has; run `syncer migrate` as " in finding["sentence"]
    assert "TO stranger" in finding["sentence"]


def test_a_database_that_cannot_be_written_is_told(terminal: Terminal, rows: Rows, database: str) -> None:
    rows.run(f"ALTER DATABASE {urlsplit(database).path[1:]} SET default_transaction_read_only = on")
    assert "is read-only" in terminal("project", "add", "main").err
    *_, finding = terminal("check", "--json").document["checks"]
    assert (finding["what"], "is read-only" in finding["sentence"]) == ("privileges", True)


def test_an_api_root_without_its_last_slash_is_told_in_words(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_GOOGLE_API_ROOT", "https://s3cret.test")
    answer = terminal("tenant", "list")
    assert (answer.code, "SYNCER_GOOGLE_API_ROOT: it must end with a slash" in answer.err) == (2, True)
    assert "s3cret" not in answer.err


def test_missing_migrations_are_named_and_applied_on_demand(
    terminal: Terminal, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", empty_database)
    for command in (("run",), ("tenant", "list")):
        answer = terminal(*command)
        assert (answer.code, "run `syncer migrate`" in answer.err) == (1, True)
    assert terminal("migrate", "--check").code == 1
    assert terminal("migrate", "--check", "--json").document["missing"]
    assert terminal("migrate", "--json").document["applied"]
    assert terminal("migrate", "--check").code == 0
    assert terminal("tenant", "list").code == 0


def test_a_migration_that_takes_away_keeps_nothing_from_starting(
    terminal: Terminal, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrations.FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "9999_post_last.sql").write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\n")
    _of_folder(monkeypatch, tmp_path)
    monkeypatch.setenv("SYNCER_DATABASE_URL", empty_database)
    assert terminal("migrate", "--expand", "--json").document["left"] == ["9999_post_last"]
    assert "1 migration left for" in terminal("migrate", "--expand").out
    assert terminal("tenant", "list").code == 0
    assert "left for `syncer migrate`" in terminal("check", "--database").out
    assert terminal("migrate", "--json").document == {"applied": ["9999_post_last"], "left": []}


def _of_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Our migrations are those of this folder."""
    for name in ("migrate", "expand", "pending", "status"):
        monkeypatch.setattr(migrations, name, partial(getattr(migrations, name), folder=folder))


@pytest.mark.parametrize("command", ["migrate", "work", "receive"])
def test_what_runs_in_pods_needs_an_address(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.delenv("SYNCER_DATABASE_URL")
    answer = terminal(command)
    assert (answer.code, f"`syncer {command}` needs SYNCER_DATABASE_URL" in answer.err) == (2, True)


def test_a_wrong_setting_is_named_without_its_value(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCER_CYCLE_SECONDS", "s3cret")
    answer = terminal("tenant", "list")
    assert (answer.code, "SYNCER_CYCLE_SECONDS" in answer.err, "s3cret" in answer.err) == (2, True, False)
