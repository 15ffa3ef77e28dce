"""Settings are shown with where they come from, and what is none is refused with the nearest that is one."""

import subprocess

import pytest

from syncer.settings import unknown
from tests.cli.conftest import Terminal
from tests.cli.process import environment, started

_SECONDS = 30.0


@pytest.mark.parametrize(
    ("name", "near"),
    [
        pytest.param("SYNCER_CYCLE_SECOND", "SYNCER_CYCLE_SECONDS", id="a letter short"),
        pytest.param("SYNCER_DATABASEURL", "SYNCER_DATABASE_URL", id="a dash short"),
        pytest.param("SYNCER_CREDENTIAL_FOLDER", "SYNCER_CREDENTIALS_FOLDER", id="looks like a credential"),
        pytest.param("syncer_pul", "SYNCER_PULLS", id="small letters"),
        pytest.param("SYNCER_XYZ", None, id="near to nothing"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, near: str | None
) -> None:
    monkeypatch.setenv(name, "s3cret")
    for command in (("tenant", "list"), ("check",), ("run",), ("completion", "bash")):
        answer = terminal(*command)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
        named = f"{name} (did you mean {near}?)" if near else name
        assert f"There is no setting {named};" in answer.err
        assert "s3cret" not in answer.err
    assert terminal("--help").code == 0


def test_all_settings_are_shown_and_those_that_are_wrong_are_marked(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_CYCLE_SECOND", "s3cret")
    monkeypatch.setenv("SYNCER_SWEEPS", "s3cret")
    monkeypatch.setenv("SYNCER_LISTEN", "127.0.0.1:99999")
    monkeypatch.setenv("SYNCER_PULLS", "7")
    answer = terminal("config", "show", "--json")
    assert (answer.code, answer.document["ok"]) == (2, False)
    found = {one["name"]: one for one in answer.document["settings"]}
    assert found["SYNCER_CYCLE_SECOND"]["problem"] == "no setting; did you mean SYNCER_CYCLE_SECONDS?"
    assert "valid integer" in found["SYNCER_SWEEPS"]["problem"]
    assert found["SYNCER_LISTEN"]["problem"] == "its port must be from 0 to 65535"
    assert (found["SYNCER_PULLS"]["value"], found["SYNCER_CYCLE_SECONDS"]["value"]) == ("7", "60")
    shown = terminal("config", "show")
    assert (shown.code, shown.out.count("WRONG: ")) == (2, 3)
    assert "s3cret" not in answer.out + shown.out + shown.err


@pytest.mark.parametrize(
    "name",
    [
        *("SYNCER_SERVICE_HOST", "SYNCER_SERVICE_PORT", "SYNCER_SERVICE_PORT_HTTP", "SYNCER_PORT"),
        *("SYNCER_PORT_80_TCP", "SYNCER_PORT_80_TCP_ADDR", "SYNCER_RECEIVER_SERVICE_HOST"),
        *("SYNCER_CREDENTIAL_ACME", "SYNCER_DATABASE_URL", "syncer_database_url", "PATH"),
    ],
)
def test_what_is_a_setting_a_credential_or_kubernetes_own_passes(name: str) -> None:
    assert unknown({name: "x"}) == {}


def test_credentials_under_a_prefix_of_ones_own_pass() -> None:
    assert unknown({"SYNCER_CREDENTIALS_PREFIX": "SYNCER_SECRET_", "SYNCER_SECRET_ACME": "x"}) == {}


def test_settings_are_shown_with_their_source_and_without_secrets(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", "postgresql://u:s3cret@h/d")
    monkeypatch.setenv("SYNCER_CREDENTIAL_ACME", "whsec_s3cret")
    monkeypatch.setenv("SYNCER_PRIVATE_NETWORKS", "10.0.0.0/8, 127.0.0.0/8")
    answer = terminal("config", "show", "--json")
    assert "s3cret" not in answer.out + terminal("config", "show").out
    shown = {one["name"]: (one["value"], one["source"]) for one in answer.document["settings"]}
    assert shown["SYNCER_DATABASE_URL"] == ("***", "environment")
    assert shown["SYNCER_PRIVATE_NETWORKS"] == ("10.0.0.0/8,127.0.0.0/8", "environment")
    assert shown["SYNCER_CYCLE_SECONDS"] == ("60", "default")
    assert answer.document["credentials"] == ["SYNCER_CREDENTIAL_ACME"]
    assert all(one["meaning"] for one in answer.document["settings"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_knows_the_commands(terminal: Terminal, shell: str) -> None:
    script = terminal("completion", shell).out
    for word in ("tenant", "resync", "dry-run", "write-back"):
        assert word in script
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, timeout=_SECONDS)  # noqa: S607
    assert checked.returncode == 0 or shell != "bash", checked.stderr


def test_bash_completes_a_command(terminal: Terminal) -> None:
    script = terminal("completion", "bash").out
    asked = f"{script}\nCOMP_WORDS=(syncer calendar res); COMP_CWORD=2; _syncer; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    told = subprocess.run(["bash", "-c", asked], text=True, capture_output=True, timeout=_SECONDS, env=environment())  # noqa: S607
    assert set(told.stdout.split()) == {"resume", "resync"}


def test_a_misspelt_setting_stops_a_worker_before_it_begins(database: str) -> None:
    with started("run", SYNCER_DATABASE_URL=database, SYNCER_CYCLE="1") as process:
        assert process.wait(_SECONDS) == 2
        assert process.stderr is not None
        assert "did you mean SYNCER_CYCLE_SECONDS?" in process.stderr.read()
