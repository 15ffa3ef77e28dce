"""`syncer check` finds what does not work, one line each, with what to do."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ANA, Rows, Terminal
from tests.cli.outside import Outside, tell

CREDENTIAL = "credential file:google.json of acme"


@pytest.fixture
def all_is_well(a_calendar: str, rows: Rows, outside: Outside, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tell(f"{outside.conferencing}simulator/accounts", {"slug": secrets.name.replace("_", "-")})
    monkeypatch.setenv("SYNCER_CREDENTIAL_ACME", account["webhook_secret"])
    rows.run(
        "UPDATE syncer.provider_account SET settings = jsonb_build_object('url', $1::text)", account["webhook_url"]
    )


def failures(terminal: Terminal) -> dict[str, str]:
    answer = terminal("check", "--json")
    found = {one["what"]: one["sentence"] for one in answer.document["checks"] if not one["is_well"]}
    assert answer.code == (1 if found else 0)
    return found


def test_all_that_works_is_said_to_work(all_is_well: None, terminal: Terminal) -> None:
    answer = terminal("check")
    assert answer.code == 0, answer.out
    whats = [line[8:].partition(": ")[0] for line in answer.out.splitlines()]
    assert whats == [
        *("database", "privileges", "migrations", "clock", "Google's clock"),
        *(CREDENTIAL, f"calendar {ANA} of acme", "provider of acme"),
    ]


def test_a_calendar_out_of_reach_is_told_with_what_to_do(all_is_well: None, terminal: Terminal, rows: Rows) -> None:
    rows.run("UPDATE syncer.calendar SET google_id = 'nobody@tenant-a.test'")
    found = failures(terminal)
    assert list(found) == ["calendar nobody@tenant-a.test of acme"]
    (sentence,) = found.values()
    assert sentence.startswith(f"On behalf of {ANA}: ")
    assert (sentence.count("subject"), sentence.count("share it")) == (1, 1)


def test_a_subject_of_another_domain_is_told(all_is_well: None, terminal: Terminal, rows: Rows) -> None:
    rows.run("UPDATE syncer.calendar SET subject = 'x@elsewhere.test'")
    found = failures(terminal)
    assert list(found) == [f"calendar {ANA} of acme"]
    assert "On behalf of x@elsewhere.test: " in found[f"calendar {ANA} of acme"]


@pytest.mark.parametrize("trouble", ["state = 'parked'", "failures = 3"])
def test_what_fails_is_tried_beside_what_is_well_each_under_a_name_of_its_own(
    all_is_well: None, terminal: Terminal, rows: Rows, trouble: str
) -> None:
    rows.run(
        "INSERT INTO syncer.calendar (tenant_id, google_id, subject) SELECT tenant_id, 'a' || n || '@tenant-a.test', "
        "'a' || n || '@tenant-a.test' FROM syncer.tenant, generate_series(1, 12) AS n"
    )
    rows.run(f"UPDATE syncer.calendar SET {trouble} WHERE google_id <> $1", ANA)  # noqa: S608
    checks = terminal("check", "--json").document["checks"]
    whats = [one["what"] for one in checks]
    assert len(whats) == len(set(whats))
    assert [one["what"] for one in checks if one["what"].startswith("calendar ") and one["is_well"]] == [
        f"calendar {ANA} of acme"
    ]
    refused = {one["what"]: one["sentence"] for one in checks if not one["is_well"]}
    assert len(refused) == 11 + ("parked" in trouble)
    assert refused["further calendars of acme"].startswith("2 calendars that fail were not tried")
    told = refused["calendar a1@tenant-a.test of acme"]
    assert "On behalf of a1@tenant-a.test: " in told
    assert "restore the user" in told
    assert "consent again" not in told


def test_a_tenant_whose_calendars_are_all_paused_is_not_said_to_have_none(
    all_is_well: None, terminal: Terminal, rows: Rows
) -> None:
    rows.run("UPDATE syncer.calendar SET state = 'paused'")
    assert "calendars of acme: All of them are paused" in terminal("check").out


def test_a_credential_that_is_not_there_is_told(all_is_well: None, terminal: Terminal, secrets: Path) -> None:
    (secrets / "google.json").unlink()
    found = failures(terminal)
    assert list(found) == [CREDENTIAL]
    assert "is not there" in found[CREDENTIAL]


def test_a_wrong_webhook_secret_is_told_without_showing_it(
    all_is_well: None, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_CREDENTIAL_ACME", "whsec_c2VjcmV0LXRoYXQtaXMtb2YtdGhlLXdyb25nLWFjY291bnQ=")
    found = failures(terminal)
    assert list(found) == ["provider of acme"]
    assert "c2Vjcm" not in found["provider of acme"]


def test_a_domain_that_does_not_delegate_is_told_what_to_delegate(
    all_is_well: None, terminal: Terminal, secrets: Path, outside: Outside
) -> None:
    key = tell(f"{outside.google}simulator/service-accounts", {"domains": ["elsewhere.test"]})
    (secrets / "google.json").write_text(json.dumps(key))
    found = failures(terminal)
    (sentence,) = found.values()
    assert "unauthorized_client" in sentence
    assert sentence.count("delegate to the service account's client id") == 1
    assert "https://www.googleapis.com/auth/calendar.events" in sentence


@pytest.mark.parametrize("subject", [None, ANA])
def test_the_credential_of_a_tenant_without_calendars_is_tried(
    all_is_well: None, terminal: Terminal, rows: Rows, secrets: Path, subject: str | None
) -> None:
    rows.run("DELETE FROM syncer.calendar")
    rows.run("UPDATE syncer.tenant SET subject = $1", subject)
    assert failures(terminal) == {}
    (secrets / "google.json").write_text("{}")
    assert list(failures(terminal)) == [CREDENTIAL]


def test_a_time_that_was_moved_is_a_failure_with_what_to_do(all_is_well: None, terminal: Terminal, rows: Rows) -> None:
    rows.run("INSERT INTO syncer.test_clock (shift) VALUES ('3 days')")
    found = failures(terminal)
    assert "UPDATE syncer.test_clock SET shift = '0'" in found["clock"]
    rows.run("UPDATE syncer.test_clock SET shift = '0'")
    assert failures(terminal) == {}
    assert "marks this as a cluster for tests" in terminal("check").out


def test_plain_http_names_the_setting_and_the_host_once(
    all_is_well: None, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SYNCER_PRIVATE_NETWORKS")
    sentence = failures(terminal)["provider of acme"]
    assert "SYNCER_PRIVATE_NETWORKS" in sentence
    assert sentence.count("127.0.0.1") == 1


def test_a_token_endpoint_that_is_not_listed_names_the_setting(
    all_is_well: None, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SYNCER_TOKEN_URIS")
    assert "SYNCER_TOKEN_URIS" in failures(terminal)[CREDENTIAL]


def test_a_google_that_is_not_there_is_told(
    all_is_well: None, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_GOOGLE_API_ROOT", "http://127.0.0.1:1/")
    assert {"Google's clock", f"calendar {ANA} of acme"} == failures(terminal).keys()


def test_what_waits_for_a_person_is_told_though_all_works(all_is_well: None, terminal: Terminal, rows: Rows) -> None:
    rows.run("UPDATE syncer.calendar SET state = 'parked', next_look_at = now() + interval '9 minutes', failures = 1")
    rows.run(
        "INSERT INTO syncer.conference (tenant_id, account_id, meeting_id, state) "
        "SELECT tenant_id, account_id, 'm' || n, 'held' FROM syncer.tenant, generate_series(1, 3) AS n"
    )
    found = failures(terminal)
    assert list(found) == ["parked calendars of acme", "deletions of acme"]
    assert f"`syncer calendar resume acme {ANA}`" in found["parked calendars of acme"]
    assert found["deletions of acme"].startswith("3 deletions are held for a person")
    assert "`syncer calendar release acme ADDRESS`" in found["deletions of acme"]
