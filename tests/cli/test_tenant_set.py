"""`tenant set` changes what is given and nothing else, says what that means, and refuses what cannot be."""

from dataclasses import replace

import pytest

from syncer.store import tenants
from tests.cli.conftest import Rows, Terminal, acme


def tenant(terminal: Terminal) -> dict[str, object]:
    found: dict[str, object] = terminal("tenant", "show", "acme", "--json").document
    return found


@pytest.mark.parametrize(
    ("options", "name", "shown", "meaning"),
    [
        pytest.param(("--grace", "1h"), "grace", {"grace_seconds": 3600}, "goes from now on", id="grace"),
        pytest.param(("--window", "2d"), "window", {"window_seconds": 172_800}, "are read anew", id="window"),
        pytest.param(
            ("--matcher", "type=addOn,name=Example"),
            "matchers",
            {"matchers": [{"solution_type": "addOn", "solution_name": "Example"}]},
            "is detached: it stays at the provider",
            id="matchers",
        ),
        pytest.param(("--write-back", "location"), "write-back", {"ladder": ["location"]}, "", id="ladder"),
        pytest.param(("--guard-calendar", "7,9%"), "guards", {"guards": [7, 9, 50, 5]}, "stays held", id="guard"),
        pytest.param(("--guard-tenant", "3,1%"), "guards", {"guards": [20, 30, 3, 1]}, "stays held", id="its guard"),
        pytest.param(
            ("--credential", "file:new.json"),
            "credential",
            {"credential": "file:new.json"},
            "`syncer tenant resume acme`",
            id="credential",
        ),
        pytest.param(("--subject", "admin@x.test"), "subject", {"subject": "admin@x.test"}, "on behalf", id="subject"),
        pytest.param(("--per-minute", "300"), "requests a minute", {"per_minute": 300}, "", id="requests a minute"),
        pytest.param(("--weight", "5"), "weight", {"weight": 5}, "", id="weight"),
        pytest.param(
            ("--provider-limit", "10/second", "--provider-limit", "100/day/organizer"),
            "provider limits",
            {"provider_limits": ["10/second", "100/day/organizer"]},
            "",
            id="provider's limits",
        ),
        pytest.param(
            ("--provider-url", "https://new.test/hook"),
            "provider settings",
            {"provider_settings": {"url": "https://new.test/hook"}},
            "",
            id="provider's URL",
        ),
        pytest.param(
            ("--provider-credential", "file:hook"),
            "provider credential",
            {"provider_credential": "file:hook"},
            "tried again at once",
            id="provider's credential",
        ),
    ],
)
def test_what_is_given_changes_and_nothing_else(
    a_calendar: str,
    terminal: Terminal,
    options: tuple[str, ...],
    name: str,
    shown: dict[str, object],
    meaning: str,
) -> None:
    before = tenant(terminal)
    answer = terminal("tenant", "set", "acme", *options)
    assert (answer.code, f"{name} changed" in answer.out, meaning in answer.out) == (0, True, True)
    assert tenant(terminal) == before | shown
    assert terminal("tenant", "set", "acme", *options, "--json").document["changed"] == []


def test_limits_go(a_calendar: str, terminal: Terminal) -> None:
    before = tenant(terminal)
    terminal("tenant", "set", "acme", "--per-minute", "9", "--provider-limit", "1/day")
    answer = terminal("tenant", "set", "acme", "--per-minute", "0", "--provider-limit", "none", "--json")
    assert answer.document["changed"] == ["requests a minute", "provider limits"]
    assert tenant(terminal) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--weight", "0"), "A tenant's weight is between 1 and 100."),
        (("--per-minute", "-1"), "A tenant's requests a minute are a count from 1 to 2147483647."),
        (("--per-minute", "2147483648"), "A tenant's requests a minute are a count from 1 to 2147483647."),
        (("--provider-limit", "10/week"), "takes a count and a period, such as 10/second"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_a_sentence(
    a_calendar: str, terminal: Terminal, options: tuple[str, ...], sentence: str
) -> None:
    before = tenant(terminal)
    answer = terminal("tenant", "set", "acme", *options)
    assert (answer.code, sentence in answer.err) == (2, True)
    assert tenant(terminal) == before


def test_a_tenant_that_joins_an_account_loosens_none_of_its_limits(
    a_calendar: str, terminal: Terminal, rows: Rows
) -> None:
    terminal("tenant", "set", "acme", "--provider-limit", "10/second")
    rows.stored(lambda database: tenants.add_tenant(database, replace(acme("other"), provider_limits=("5/minute",))))
    assert tenant(terminal)["provider_limits"] == ["10/second", "5/minute"]


def test_a_subject_goes(a_calendar: str, terminal: Terminal) -> None:
    terminal("tenant", "set", "acme", "--subject", "admin@x.test")
    assert terminal("tenant", "set", "acme", "--subject", "none", "--json").document["changed"] == ["subject"]
    assert tenant(terminal)["subject"] is None


def test_an_account_that_others_share_is_changed_for_them_only_when_that_was_said(
    a_calendar: str, terminal: Terminal, rows: Rows
) -> None:
    rows.stored(lambda database: tenants.add_tenant(database, acme("other")))
    change = ("tenant", "set", "acme", "--provider-url", "https://new.test/hook")
    answer = terminal(*change)
    assert (answer.code, "shares its provider account with other" in answer.err) == (2, True)
    assert rows.value("SELECT settings ->> 'url' FROM syncer.provider_account") == "https://meet.example.org/hook"
    assert terminal(*change, "--yes", "--json").document == {
        "tenant": "acme",
        "changed": ["provider settings"],
        "also_for": ["other"],
        "meetings_that_leave": 0,
    }
    assert rows.value("SELECT settings ->> 'url' FROM syncer.provider_account") == "https://new.test/hook"


def test_two_accounts_never_become_one(a_calendar: str, terminal: Terminal, rows: Rows) -> None:
    terminal("tenant", "add", "b", "--project", "main", "--credential", "file:x", *provider("https://b.test/"))
    answer = terminal("tenant", "set", "b", "--grace", "1h", *provider("https://meet.example.org/hook"))
    assert (answer.code, "two accounts cannot become one" in answer.err) == (1, True)
    assert rows.value("SELECT bool_and(grace = '10 minutes') FROM syncer.tenant")


def provider(url: str) -> tuple[str, ...]:
    return ("--provider-url", url, "--provider-credential", "env:SYNCER_CREDENTIAL_ACME")


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        pytest.param((), 2, "Nothing is given to change", id="nothing"),
        pytest.param(("--grace", "31d"), 2, "The grace must lie between", id="grace"),
        pytest.param(("--subject", "admin"), 2, "such as ana@example.org", id="subject"),
        pytest.param(("--credential", "s3cret"), 2, "--credential takes a reference", id="credential"),
        pytest.param(("--provider-url", "s3cret"), 2, "--provider-url takes a whole URL", id="URL"),
        pytest.param(("--provider-url", "https://169.254.169.254/s3cret"), 2, "that is open to tenants", id="inside"),
        pytest.param(("--provider-url", "https://[fd00::1]/s3cret"), 2, "that is open to tenants", id="inside, IPv6"),
        pytest.param(("--matcher", "kind=x"), 2, "--matcher takes", id="matcher"),
        pytest.param(("--guard-calendar", "20"), 2, "--guard-calendar takes a count and a percentage", id="guard"),
        pytest.param(("--guard-tenant", "20,101%"), 2, "--guard-tenant takes", id="more than all"),
        pytest.param(("--guard-tenant", "9999999999,1%"), 2, "--guard-tenant takes", id="too many"),
        pytest.param(("--project", "other"), 2, "--project", id="what cannot change"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(
    a_calendar: str, terminal: Terminal, options: tuple[str, ...], code: int, sentence: str
) -> None:
    before = tenant(terminal)
    answer = terminal("tenant", "set", "acme", *options)
    assert (answer.code, answer.out, answer.err.count("\n")) == (code, "", 1)
    assert sentence in answer.err
    assert "s3cret" not in answer.err
    assert tenant(terminal) == before


def test_a_tenant_that_is_not_there_is_told(a_calendar: str, terminal: Terminal) -> None:
    answer = terminal("tenant", "set", "acne", "--grace", "1h")
    assert (answer.code, "did you mean 'acme'?" in answer.err) == (1, True)
