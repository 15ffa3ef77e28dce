"""A credential that is here and cannot be used is refused by what would name it; one that is not here is taken."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ADD_TENANT, ANA, Rows, Terminal

CANARY = "s3cret"
USER = {"type": "authorized_user", "client_id": "c", "client_secret": CANARY, "refresh_token": CANARY}
SERVICE = {
    "type": "service_account",
    "client_email": "a@x.test",
    "private_key_id": "1",
    "private_key": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n",
    "token_uri": "https://oauth2.googleapis.com/token",
}
HOOK = "whsec_" + base64.b64encode(b"k" * 32).decode()


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


WRONG = {
    "no JSON": (CANARY.encode(), "is not a JSON object: give the key file as Google made it"),
    "half a file": (json.dumps(USER).encode()[:-9], "is not a JSON object"),
    "a list": (json.dumps([USER]).encode(), "is not a JSON object"),
    "another kind": (json.dumps({"web": USER}).encode(), "is of a type that is not accepted: give a service_account"),
    "missing keys": (json.dumps(without(USER, "refresh_token")).encode(), "lacks refresh_token: give the key file"),
    "no text": (json.dumps(USER | {"client_id": 7}).encode(), "has no usable text in client_id"),
    "no key": (json.dumps(SERVICE).encode(), "has no usable RSA key in private_key"),
    "elsewhere": (
        json.dumps(SERVICE | {"token_uri": "https://evil.test/"}).encode(),
        "a token_uri that is not allowed",
    ),
    "binary": (b"\xff\xfe" + CANARY.encode(), "is not UTF-8 text"),
    "nothing": (b"", "is not a JSON object"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials folder of the commands."""
    monkeypatch.setenv("SYNCER_CREDENTIALS_FOLDER", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG)
def test_a_key_file_that_cannot_be_used_is_refused_and_nothing_is_changed(
    a_calendar: str, terminal: Terminal, rows: Rows, folder: Path, content: bytes, sentence: str
) -> None:
    (folder / "wrong.json").write_bytes(content)
    new = ("tenant", "add", "b", "--project", "main", "--credential", "file:wrong.json", *ADD_TENANT[7:])
    for command in (
        new,
        ("tenant", "set", "acme", "--credential", "file:wrong.json", "--grace", "1h"),
        ("calendar", "add", "acme", "bo@tenant-a.test", "--credential", "file:wrong.json"),
    ):
        answer = terminal(*command)
        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
        assert answer.err.startswith("--credential is refused, and nothing was changed: credential file:wrong.json ")
        assert sentence in answer.err
        assert CANARY not in answer.err
    assert rows.value("SELECT string_agg(slug || credential || grace, ' ') FROM syncer.tenant") == (
        "acmefile:google.json00:10:00"
    )
    assert rows.value("SELECT count(*) FROM syncer.calendar") == 1


def test_what_stands_where_a_key_file_should_is_refused(a_calendar: str, terminal: Terminal, folder: Path) -> None:
    (folder / "wrong.json").mkdir()
    answer = terminal("tenant", "set", "acme", "--credential", "file:wrong.json")
    assert (answer.code, "is not a file: put the key file in its place" in answer.err) == (1, True)


def test_a_variable_that_cannot_be_used_is_refused(
    a_calendar: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_CREDENTIAL_WRONG", CANARY)
    named = "env:SYNCER_CREDENTIAL_WRONG"
    for option, sentence in (("--credential", "a JSON object"), ("--provider-credential", "a webhook secret")):
        answer = terminal("tenant", "set", "acme", option, named)
        assert (answer.code, answer.out) == (1, "")
        assert f"{option} is refused, and nothing was changed: credential {named} is not {sentence}" in answer.err
        assert CANARY not in answer.err


def test_a_tenant_with_a_wrong_secret_of_its_provider_is_not_added(
    terminal: Terminal, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal("project", "add", "main")
    monkeypatch.setenv("SYNCER_CREDENTIAL_ACME", "whsec_short")
    answer = terminal(*ADD_TENANT)
    assert (answer.code, "--provider-credential is refused, and nothing was changed" in answer.err) == (1, True)
    assert rows.value("SELECT count(*) FROM syncer.tenant") == 0


def test_credentials_that_are_here_and_good_are_taken_without_a_word(
    terminal: Terminal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal("project", "add", "main")
    (folder / "google.json").write_text(json.dumps(USER))
    monkeypatch.setenv("SYNCER_CREDENTIAL_ACME", HOOK)
    for command in (
        ADD_TENANT,
        ("tenant", "set", "acme", "--credential", "file:google.json"),
        ("calendar", "add", "acme", ANA, "--credential", "file:google.json"),
    ):
        answer = terminal(*command)
        assert (answer.code, answer.err) == (0, "")


def test_credentials_that_are_not_here_are_taken_with_a_warning_each(terminal: Terminal, folder: Path) -> None:
    terminal("project", "add", "main")
    answer = terminal(*ADD_TENANT, "--json")
    assert (answer.code, answer.document["tenant"]) == (0, "acme")
    google, provider = answer.err.splitlines()
    assert google.startswith("Warning: Credential file:google.json is not there: put the file into the credentials")
    assert provider.startswith("Warning: Credential env:SYNCER_CREDENTIAL_ACME is not there: set the variable")
    for line in (google, provider):
        assert "It is taken all the same, for the worker may have it where this machine has not" in line


def test_without_a_folder_a_file_is_taken_with_a_warning(a_calendar: str, terminal: Terminal) -> None:
    answer = terminal("calendar", "add", "acme", "bo@tenant-a.test", "--credential", "file:bo.json")
    assert (answer.code, "no credentials folder is set; set SYNCER_CREDENTIALS_FOLDER" in answer.err) == (0, True)


def test_a_sealed_credential_that_is_not_there_yet_is_taken_with_the_way_to_seal_it(
    a_calendar: str, terminal: Terminal, rows: Rows
) -> None:
    command = ("tenant", "set", "acme", "--credential", "sealed:google", "--provider-credential", "sealed:hook")
    answer = terminal(*command)
    assert answer.code == 0
    assert "`syncer tenant seal acme google --from FILE`" in answer.err
    assert "`syncer tenant seal acme hook --provider --from FILE`" in answer.err
    rows.run(
        "INSERT INTO syncer.grant (tenant_id, name, sealed) "
        "SELECT tenant_id, 'google', '\\x01'::bytea || decode(repeat('00', 40), 'hex') FROM syncer.tenant"
    )
    assert "acme google" not in terminal(*command).err
