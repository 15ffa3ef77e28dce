"""Credentials are sealed, served with, rotated and gone as a user does it, and no value is ever shown."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from syncer.store import ring, sealing, tenants, vault
from syncer.store.database import Database
from syncer.store.sealing import Place
from tests.cli.conftest import Rows, Served, Terminal, acme
from tests.cli.outside import until
from tests.cli.process import answered_on_a_terminal, environment, started

USER = {"type": "authorized_user", "client_id": "c", "client_secret": "canary-s", "refresh_token": "canary-r"}
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
SEAL = ("tenant", "seal", "acme", "google")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where SYNCER_KEY_RING says that the ring is; it is not there yet."""
    made = tmp_path / "keys" / "ring.json"
    made.parent.mkdir()
    monkeypatch.setenv("SYNCER_KEY_RING", str(made))
    return made


@pytest.fixture
def ringed(path: Path, terminal: Terminal) -> Path:
    """A ring of one key."""
    assert terminal("keys", "new").code == 0
    return path


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A file with a user's credential."""
    (tmp_path / "user.json").write_text(json.dumps(USER))
    return str(tmp_path / "user.json")


def typed(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    """What comes in on stdin."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


def test_a_ring_is_written_and_grows(path: Path, terminal: Terminal) -> None:
    first = terminal("keys", "new", "--json").document
    assert (first["key_ring"], first["is_primary"], path.stat().st_mode & 0o777) == (str(path), True, 0o600)
    answer = terminal("keys", "new")
    assert (answer.code, "it seals nothing yet" in answer.out) == (0, True)
    listed = terminal("keys", "list", "--json").document
    assert [(one["state"], one["seals"]) for one in listed] == [("primary", 0), ("enabled", 0)]
    assert listed[0]["key_id"] == first["key_id"]
    for material in (key["key"] for key in json.loads(path.read_text())["keys"]):
        assert material not in answer.out + terminal("keys", "list").out


def test_without_a_ring_the_sentence_says_how_to_get_one(a_calendar: str, terminal: Terminal, key_file: str) -> None:
    for command in (("keys", "new"), ("keys", "list"), ("keys", "rotate"), (*SEAL, "--from", key_file)):
        answer = terminal(*command)
        assert (answer.code, answer.out) == (1, "")
        assert "SYNCER_KEY_RING" in answer.err


def test_a_ring_that_is_open_to_others_is_refused_everywhere(
    a_calendar: str, ringed: Path, terminal: Terminal, key_file: str
) -> None:
    ringed.chmod(0o644)
    for command in (("keys", "list"), ("keys", "new"), ("keys", "rotate"), (*SEAL, "--from", key_file), ("run",)):
        answer = terminal(*command)
        assert (answer.code, "is open to others (mode 0644): `chmod 600` closes it" in answer.err) == (1, True)


def test_a_credential_is_sealed_from_a_file_and_from_stdin(
    a_calendar: str, ringed: Path, terminal: Terminal, rows: Rows, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = terminal(*SEAL, "--from", key_file)
    assert (answer.code, answer.err) == (0, "")
    assert "Credential sealed:google of tenant acme is sealed." in answer.out
    assert "`syncer tenant set acme --credential sealed:google` changes that" in answer.out
    typed(monkeypatch, json.dumps(USER).encode())
    again = terminal(*SEAL, "--json").document
    assert (again["is_new"], again["credential"], again["of"]) == (False, "sealed:google", "tenant")
    assert rows.value("SELECT count(*) FROM syncer.grant") == 1
    assert "canary" not in answer.out + json.dumps(again)


BAD_VALUES: list[tuple[bytes, str]] = [
    (b"", "holds no value of 1 to 65536 bytes"),
    (b" \n\t", "holds no value"),
    (b"{" + b"x" * 70_000, "holds no value of 1 to 65536 bytes"),
    (b"\xff\xfecanary", "is not UTF-8 text"),
    (b"canary", "Credential sealed:google is not a JSON object"),
    (b'{"type": "external_account", "canary": 1}', "of a type that is not accepted"),
    (json.dumps({**USER, "canary": 1}).encode(), "has fields that its type does not have"),
    (json.dumps({**USER, "refresh_token": ""}).encode(), "no usable text in refresh_token"),
    (json.dumps({**USER, "token_uri": "https://canary.test/"}).encode(), "names a token_uri that is not allowed"),
    (
        json.dumps(
            {
                "type": "service_account",
                "client_email": "a@b.test",
                "private_key": "canary",
                "private_key_id": "1",
                "token_uri": "https://oauth2.googleapis.com/token",
            }
        ).encode(),
        "no usable RSA key in private_key",
    ),
]


@pytest.mark.parametrize(("raw", "says"), BAD_VALUES, ids=[says for _, says in BAD_VALUES])
def test_a_value_that_cannot_be_used_is_refused_and_not_shown(
    a_calendar: str,
    ringed: Path,
    terminal: Terminal,
    rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raw: bytes,
    says: str,
) -> None:
    (tmp_path / "value").write_bytes(raw)
    typed(monkeypatch, raw)
    for answer in (terminal(*SEAL), terminal(*SEAL, "--from", str(tmp_path / "value"))):
        assert (answer.code, says in answer.err, "canary" in answer.err + answer.out) == (1, True, False)
        assert answer.err.count("\n") == 1
    assert rows.value("SELECT count(*) FROM syncer.grant") == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("acme", "Google"), 2, "1 to 63 lower-case letters"),
        (("acme", "-google"), 2, ""),
        (("acme", "a/b"), 2, "1 to 63 lower-case letters"),
        (("acme", "x" * 64), 2, "1 to 63 lower-case letters"),
        (("acme", ""), 2, "1 to 63 lower-case letters"),
        (("acne", "google"), 1, "There is no tenant 'acne'; did you mean 'acme'?"),
        (("acme",), 2, "`syncer tenant seal --help` shows how"),
        (("acme", "google", "the-secret-itself"), 2, "`syncer tenant seal --help` shows how"),
    ],
)
def test_wrong_usage_is_told(
    a_calendar: str,
    ringed: Path,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    typed(monkeypatch, json.dumps(USER).encode())
    answer = terminal("tenant", "seal", *arguments)
    assert (answer.code, says in answer.err) == (code, True), answer.err


def test_a_file_that_is_not_there_is_told(a_calendar: str, ringed: Path, terminal: Terminal, tmp_path: Path) -> None:
    for name in ("none", "."):
        answer = terminal(*SEAL, "--from", str(tmp_path / name))
        assert (answer.code, "The value cannot be read from file" in answer.err) == (2, True)


def test_on_a_terminal_nobody_types_a_secret(a_calendar: str, ringed: Path, database: str) -> None:
    code, shown = answered_on_a_terminal("", *SEAL, SYNCER_DATABASE_URL=database, SYNCER_KEY_RING=str(ringed))
    assert (code, "say --from FILE, or < FILE" in shown) == (2, True)


def test_a_providers_secret_is_tried_by_its_provider(
    a_calendar: str, ringed: Path, terminal: Terminal, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, b"canary")
    answer = terminal("tenant", "seal", "acme", "hook", "--provider")
    assert (answer.code, "sealed:hook" in answer.err, "canary" in answer.err) == (1, True, False)
    typed(monkeypatch, SECRET.encode())
    answer = terminal("tenant", "seal", "acme", "hook", "--provider")
    assert (answer.code, "of the provider account of tenant acme is sealed" in answer.out) == (0, True)
    assert rows.value("SELECT origin FROM syncer.account_grant") == "https://meet.example.org:443"


def test_another_server_needs_the_secret_anew(
    a_calendar: str, ringed: Path, terminal: Terminal, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal("tenant", "set", "acme", "--provider-credential", "sealed:hook")
    typed(monkeypatch, SECRET.encode())
    assert terminal("tenant", "seal", "acme", "hook", "--provider").code == 0
    answer = terminal("tenant", "set", "acme", "--provider-url", "https://evil.test/hook")
    assert "seal its secret anew: `syncer tenant seal acme hook --provider`" in answer.out
    found = {one["what"]: one["sentence"] for one in terminal("check", "--json").document["checks"]}
    assert "was sealed for https://meet.example.org:443" in found["provider of acme"]


def test_a_secret_that_others_share_is_sealed_only_when_that_was_said(
    a_calendar: str, ringed: Path, terminal: Terminal, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.stored(lambda database: tenants.add_tenant(database, acme("other")))
    typed(monkeypatch, SECRET.encode())
    answer = terminal("tenant", "seal", "acme", "hook", "--provider")
    assert (answer.code, "shares its provider account with other" in answer.err) == (2, True)
    assert rows.value("SELECT count(*) FROM syncer.account_grant") == 0
    typed(monkeypatch, SECRET.encode())
    assert terminal("tenant", "seal", "acme", "hook", "--provider", "--yes").code == 0


def test_a_tenant_names_what_is_sealed(a_calendar: str, ringed: Path, terminal: Terminal, key_file: str) -> None:
    assert terminal("tenant", "set", "acme", "--credential", "sealed:google").code == 0
    answer = terminal(*SEAL, "--from", key_file)
    assert "A running worker uses it within seconds" in answer.out
    assert terminal("tenant", "show", "acme", "--json").document["credential"] == "sealed:google"
    for wrong in ("sealed:", "sealed:A", "sealed:a/b", "sealed:tenant/1/google"):
        refused = terminal("tenant", "set", "acme", "--credential", wrong)
        assert (refused.code, "takes a reference, never the secret itself" in refused.err) == (2, True)


def test_a_removed_tenant_takes_its_sealed_credentials_along(
    a_calendar: str, ringed: Path, terminal: Terminal, rows: Rows, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(*SEAL, "--from", key_file)
    typed(monkeypatch, SECRET.encode())
    terminal("tenant", "seal", "acme", "hook", "--provider")
    assert terminal("tenant", "remove", "acme", "--yes").code == 0
    assert rows.value("SELECT (SELECT count(*) FROM syncer.grant) + (SELECT count(*) FROM syncer.account_grant)") == 0
    answer = terminal(*SEAL, "--from", key_file)
    assert (answer.code, "was removed; `syncer tenant resume acme`" in answer.err) == (1, True)


def test_keys_go_in_turn(a_calendar: str, ringed: Path, terminal: Terminal, key_file: str) -> None:
    terminal(*SEAL, "--from", key_file)
    old = terminal("keys", "list", "--json").document[0]["key_id"]
    answer = terminal("keys", "retire", old, "--yes")
    assert (answer.code, f"Key {old} is the one that seals" in answer.err) == (1, True)
    new = terminal("keys", "new", "--json").document["key_id"]
    terminal("keys", "rotate", old)
    answer = terminal("keys", "rotate")
    assert (answer.code, f"Key {new} seals from now on; 1 credential was sealed anew" in answer.out) == (0, True)
    assert terminal("keys", "rotate", "--json").document == {"key_id": new, "sealed": 0, "unopened": []}
    answer = terminal("keys", "retire", old)
    assert (answer.code, "Older backups" in answer.err) == (2, True)
    assert terminal("keys", "retire", old, "--yes").code == 0
    assert [one["key_id"] for one in terminal("keys", "list", "--json").document] == [new]
    answer = terminal("keys", "retire", old, "--yes")
    assert (answer.code, f"There is no key '{old}'" in answer.err) == (2, True)


def test_a_key_that_is_needed_is_not_retired(a_calendar: str, ringed: Path, terminal: Terminal, key_file: str) -> None:
    terminal(*SEAL, "--from", key_file)
    old = terminal("keys", "list", "--json").document[0]["key_id"]
    terminal("keys", "new")
    both = ring.read(ringed)
    ring.write(ringed, both.with_primary(both.keys[1].key_id))
    answer = terminal("keys", "retire", old, "--yes")
    assert (answer.code, f"1 credential is sealed with key {old}" in answer.err) == (1, True)
    assert ring.read(ringed).key(old) is not None


def test_a_missing_key_is_listed_and_checked(a_calendar: str, ringed: Path, terminal: Terminal, secrets: Path) -> None:
    terminal(*SEAL, "--from", str(secrets / "google.json"))
    old = terminal("keys", "list", "--json").document[0]["key_id"]
    found = {one["what"]: one for one in terminal("check", "--json").document["checks"]}
    assert found["key ring"]["sentence"] == "It has the key of 1 sealed credential."
    ringed.unlink()
    terminal("keys", "new")
    answer = terminal("keys", "list")
    assert ("missing" in answer.out, old in answer.out, "does not open" in answer.err) == (True, True, True)
    failed = {one["what"]: one for one in terminal("check", "--json").document["checks"] if not one["is_well"]}
    assert f"1 credential does not open, for key {old} is not in it" in failed["key ring"]["sentence"]
    rotated = terminal("keys", "rotate")
    assert (rotated.code, f"key {old} is not in the key ring" in rotated.err) == (1, True)


@pytest.fixture
def sealed(served: Served, rows: Rows, path: Path, terminal: Terminal, secrets: Path) -> dict[str, str]:
    """The served tenant, which names nothing but sealed credentials; the files are gone. What a worker needs."""
    terminal("keys", "new")
    terminal("tenant", "set", "acme", "--credential", "sealed:google", "--provider-credential", "sealed:hook")
    assert terminal(*SEAL, "--from", str(secrets / "google.json")).code == 0
    assert terminal("tenant", "seal", "acme", "hook", "--provider", "--from", str(secrets / "webhook")).code == 0
    for name in ("google.json", "webhook"):
        (secrets / name).unlink()
    return {**served.variables, "SYNCER_KEY_RING": str(path)}


def test_a_worker_serves_with_sealed_credentials_through_a_change_of_keys(
    served: Served, sealed: dict[str, str], terminal: Terminal
) -> None:
    assert terminal("check").code == 0
    event_id, meeting_id = served.ana.book(served.account, "Standup")
    with started("run", **sealed) as worker:
        until(lambda: served.title(meeting_id) == "Standup")
        old = terminal("keys", "list", "--json").document[0]["key_id"]
        assert terminal("keys", "new").code == 0
        assert terminal("keys", "rotate").code == 0
        assert terminal("keys", "retire", old, "--yes").code == 0
        served.ana.edit(event_id, summary="Renamed")
        until(lambda: served.title(meeting_id) == "Renamed")
        # The provider's secret is read again every two seconds: from here on with the new key.
        time_to_read = time.monotonic() + 2.5
        until(lambda: time.monotonic() > time_to_read)
        served.ana.edit(event_id, summary="Renamed again")
        until(lambda: served.title(meeting_id) == "Renamed again")
        worker.terminate()
        told = "".join(worker.communicate(timeout=30))
    material = [key["key"] for key in json.loads(Path(sealed["SYNCER_KEY_RING"]).read_text())["keys"]]
    private_key = str(served.outside.key["private_key"]).splitlines()[1]
    assert [one for one in (served.account["webhook_secret"], private_key, *material) if one in told] == []


def test_a_credential_that_is_replaced_is_used_within_seconds(
    served: Served, sealed: dict[str, str], terminal: Terminal, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good token is at hand, and is dropped: what was given instead has no rights."""
    stranger = {**USER, "token_uri": sealed["SYNCER_TOKEN_URIS"]}
    _, meeting_id = served.ana.book(served.account, "Standup")
    with started("run", **sealed):
        until(lambda: served.title(meeting_id) == "Standup")
        typed(monkeypatch, json.dumps(stranger).encode())
        assert terminal(*SEAL).code == 0
        sealed_at = time.monotonic()
        rows.until("SELECT bool_and(state = 'parked' OR failures > 0) FROM syncer.calendar")
        assert time.monotonic() - sealed_at < 10
    assert "canary" not in str(rows.value("SELECT reason FROM syncer.calendar"))


def many(rows: Rows, path: Path, count: int) -> None:
    """So many sealed values, beside those there are."""
    primary = ring.read(path).primary
    names = [f"n{number}" for number in range(count)]
    values = [sealing.seal(primary, Place("grant", "sealed", 1, name), f"value of {name}") for name in names]

    async def write(database: Database) -> Any:
        sql = "INSERT INTO syncer.grant (tenant_id, name, sealed) SELECT 1, * FROM unnest($1::text[], $2::bytea[])"
        return await database.run(sql, names, values)

    rows.stored(write)


def test_a_rotation_that_is_killed_goes_on_where_it_was(
    a_calendar: str, ringed: Path, terminal: Terminal, rows: Rows, database: str
) -> None:
    many(rows, ringed, 20_000)
    new = terminal("keys", "new", "--json").document["key_id"]
    with started("keys", "rotate", SYNCER_DATABASE_URL=database, SYNCER_KEY_RING=str(ringed)) as process:
        rows.until("SELECT count(DISTINCT key_id) = 2 FROM syncer.grant")
        process.kill()
        process.wait(10)
    # What it had sent may still be done after its end.
    rows.until(
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    left = rows.value("SELECT count(*) FROM syncer.grant WHERE key_id <> $1", new)
    assert 0 < left < 20_000
    assert terminal("keys", "rotate", "--json").document == {"key_id": new, "sealed": left, "unopened": []}

    async def opened(database: Database) -> bool:
        kept = vault.Vault(database, ring.Keys(ringed))
        names = [f"n{number}" for number in range(0, 20_000, 97)]
        return all([await kept.read(f"sealed:tenant/1/{name}") == f"value of {name}" for name in names])

    assert rows.stored(opened)


def test_a_value_stands_in_no_command_line_and_no_log(
    a_calendar: str, ringed: Path, terminal: Terminal, key_file: str, database: str
) -> None:
    """A process of its own, at DEBUG, with the value on stdin."""
    ended = subprocess.run(
        [sys.executable, "-m", "syncer", *SEAL],
        input=Path(key_file).read_bytes(),
        capture_output=True,
        timeout=30,
        env=environment(SYNCER_DATABASE_URL=database, SYNCER_KEY_RING=str(ringed), SYNCER_LOG_LEVEL="debug"),
    )
    assert (ended.returncode, b"is sealed" in ended.stdout) == (0, True)
    assert b"canary" not in ended.stdout + ended.stderr
