"""What is added is there, what is wrong is told in one sentence, and then nothing was changed."""

import pytest

from tests.cli.conftest import ADD_TENANT, ANA, Rows, Terminal, acme

SUBJECT = ("--subject", "admin@tenant-a.test")


def test_what_is_added_is_listed(terminal: Terminal) -> None:
    assert terminal("project", "add", "main").code == 0
    assert terminal(*ADD_TENANT).code == 0
    assert terminal("calendar", "add", "acme", ANA, "--subject", ANA, "--address", "Ana.B@tenant-a.test").code == 0
    (project,) = terminal("project", "list", "--json").document
    (tenant,) = terminal("tenant", "list", "--json").document
    (calendar,) = terminal("calendar", "list", "acme", "--json").document
    assert (project["slug"], project["tenants"], project["calendars"]) == ("main", 1, 1)
    assert (tenant["slug"], tenant["matchers"]) == ("acme", [{"solution_type": "addOn"}])
    assert (calendar["google_id"], calendar["addresses"]) == (ANA, ["ana.b@tenant-a.test"])


def test_a_tenant_keeps_what_its_options_say(terminal: Terminal) -> None:
    terminal("project", "add", "main")
    options = ("--matcher", "type=addOn,name=Example Meeting", "--matcher", "uri=https://meet.example.org/a,,b")
    terminal(*ADD_TENANT, *options, "--grace", "1m30s", "--window", "2d", "--write-back", "location", *SUBJECT)
    tenant = terminal("tenant", "show", "acme", "--json").document
    assert tenant["matchers"] == [
        {"solution_type": "addOn", "solution_name": "Example Meeting"},
        {"uri_prefix": "https://meet.example.org/a,b"},
    ]
    assert (tenant["grace_seconds"], tenant["window_seconds"], tenant["ladder"]) == (90, 172_800, ["location"])
    assert tenant["subject"] == SUBJECT[1]
    assert SUBJECT[1] in terminal("tenant", "show", "acme").out


def test_tenants_of_one_account_share_its_row(a_calendar: str, rows: Rows) -> None:
    from syncer.store import tenants

    rows.stored(lambda database: tenants.add_tenant(database, acme("other")))
    assert rows.value("SELECT count(DISTINCT account_id) FROM syncer.tenant") == 1


def test_a_tenant_is_paused_and_resumed(a_calendar: str, terminal: Terminal) -> None:
    assert "paused now" in terminal("tenant", "pause", "acme").out
    assert "paused already" in terminal("tenant", "pause", "acme").out
    assert terminal("tenant", "show", "acme", "--json").document["state"] == "paused"
    assert "active now" in terminal("tenant", "resume", "acme").out


@pytest.mark.parametrize("state", ["active", "paused"])
def test_resuming_makes_parked_calendars_due_at_once(
    a_calendar: str, terminal: Terminal, rows: Rows, state: str
) -> None:
    rows.run("UPDATE syncer.tenant SET state = $1", state)
    rows.run(
        "UPDATE syncer.calendar SET state = 'parked', reason = 'No access.', failures = 3, "
        "next_look_at = syncer.clock() + interval '10 minutes'"
    )
    assert "1 parked calendar is looked at again at once." in terminal("tenant", "resume", "acme").out
    assert rows.value(
        "SELECT state = 'active' AND reason IS NULL AND failures = 0 AND next_look_at IS NULL FROM syncer.calendar"
    )
    again = terminal("tenant", "resume", "acme", "--json").document
    assert (again["changed"], again["unparked"]) == (False, 0)


def test_pausing_leaves_parked_calendars_alone(a_calendar: str, terminal: Terminal, rows: Rows) -> None:
    rows.run("UPDATE syncer.calendar SET state = 'parked'")
    terminal("tenant", "pause", "acme")
    assert rows.value("SELECT state FROM syncer.calendar") == "parked"


def test_what_a_providers_url_asks_is_not_shown(terminal: Terminal) -> None:
    terminal("project", "add", "main")
    url = ADD_TENANT.index("--provider-url") + 1
    added = (*ADD_TENANT[:url], "https://meet.example.org/hook?token=s3cret", *ADD_TENANT[url + 1 :])
    assert terminal(*added).code == 0
    for command in (("show", "acme"), ("show", "acme", "--json"), ("list", "--json")):
        shown = terminal("tenant", *command).out
        assert "https://meet.example.org/hook?…" in shown
        assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("project", "add", "main"), "There is a project of that name already", id="project twice"),
        pytest.param(ADD_TENANT, "There is a tenant of that name already", id="tenant twice"),
        pytest.param(("tenant", "show", "acne"), "did you mean 'acme'?", id="near name"),
        pytest.param(("tenant", "pause", "zzz"), "`syncer tenant list` shows those there are.", id="no such tenant"),
        pytest.param(("calendar", "add", "acme", ANA), "The tenant has that calendar already", id="calendar twice"),
        pytest.param(("calendar", "add", "nix", "b@x.test"), "There is no tenant 'nix'", id="calendar of nobody"),
        pytest.param(("calendar", "explain", "acme", "ana@tenant-a.tes"), f"did you mean '{ANA}'?", id="near id"),
        pytest.param(("calendar", "release", "acme", "x"), "has no calendar 'x'", id="release of nothing"),
        pytest.param(("calendar", "list", "nix"), "There is no tenant 'nix'", id="calendars of nobody"),
        pytest.param(("conference", "show", "acme", "1"), "has no conference for meeting '1'", id="no conference"),
        pytest.param(("conference", "history", "nix", "1"), "There is no tenant 'nix'", id="history of nobody"),
    ],
)
def test_a_refusal_is_one_sentence_and_changes_nothing(
    a_calendar: str, terminal: Terminal, rows: Rows, arguments: tuple[str, ...], sentence: str
) -> None:
    before = _counts(rows)
    answer = terminal(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err
    assert answer.err.count("\n") == 1
    assert _counts(rows) == before


_CALENDAR = ("calendar", "add", "acme", "b@x.test")
_NO_ADDRESS = "such as ana@example.org"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("project", "add", "Main!"), "A name is 1 to 63 lower-case letters", id="slug"),
        pytest.param(("project", "add", "x", "--per-minute", "0"), "A limit of a minute is a count", id="limit"),
        pytest.param((*ADD_TENANT, "--grace", "99999d"), "The grace must lie between", id="grace"),
        pytest.param((*ADD_TENANT, "--window", "99999d"), "The window must be between", id="window"),
        pytest.param((*ADD_TENANT, "--grace", "9d" * 9), "--grace is a duration", id="grace of many parts"),
        pytest.param((*ADD_TENANT, "--subject", "admin"), _NO_ADDRESS, id="tenant's subject"),
        pytest.param(("calendar", "add", "acme", "primary"), "kept by the calendar's own id", id="primary"),
        pytest.param(("calendar", "add", "acme", "a b"), "A calendar is given by its own id", id="not an id"),
        pytest.param(("calendar", "add", "acme", "a\x1b@x.test"), "A calendar is given by its own id", id="control"),
        pytest.param(("calendar", "add", "acme", "a\u202e@x.test"), "A calendar is given by its own id", id="mark"),
        pytest.param((*_CALENDAR, "--subject", "ana"), _NO_ADDRESS, id="subject without a host"),
        pytest.param((*_CALENDAR, "--subject", "a b@x.test"), _NO_ADDRESS, id="subject with a space"),
        pytest.param((*_CALENDAR, "--subject", "a\x07@x.test"), _NO_ADDRESS, id="subject with a bell"),
        pytest.param((*_CALENDAR, "--address", "ana"), _NO_ADDRESS, id="address"),
        pytest.param((*_CALENDAR, "--credential", "file:../x"), "--credential takes a reference", id="credential"),
        pytest.param(("conference", "list", "--limit", "0"), "--limit", id="no limit"),
        pytest.param(("conference", "list", "--limit", "100001"), "--limit", id="great limit"),
        pytest.param(("simulate", "google", "--port", "65536"), "--port", id="great port"),
        pytest.param(("simulate", "conferencing", "--port", "-1"), "--port", id="negative port"),
    ],
)
def test_what_can_never_work_is_wrong_usage_and_changes_nothing(
    a_calendar: str, terminal: Terminal, rows: Rows, arguments: tuple[str, ...], sentence: str
) -> None:
    before = _counts(rows)
    answer = terminal(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert sentence in answer.err
    assert answer.err.count("\n") == 1
    assert _counts(rows) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(("--credential", "s3cret"), "--credential takes a reference", id="a secret itself"),
        pytest.param(("--provider-credential", "whsec_s3cret"), "never the secret itself", id="a webhook's secret"),
        pytest.param(("--credential", "file:a/s3cret"), "no '/' and no '..'", id="a folder"),
        pytest.param(("--credential", "file:.."), "no '/' and no '..'", id="the folder above"),
        pytest.param(
            ("--credential", "env:s3cret"), "begins with SYNCER_CREDENTIAL_", id="a variable in small letters"
        ),
        pytest.param(("--provider-credential", "env:S3CRET"), "begins with SYNCER_CREDENTIAL_", id="another variable"),
        pytest.param(("--matcher", "kind=addOn"), "--matcher takes type=, name=, uri=", id="matcher"),
        pytest.param(("--matcher", "type="), "--matcher takes", id="empty matcher"),
        pytest.param(("--grace", "soon"), "--grace is a duration such as 90s", id="grace"),
        pytest.param(("--write-back", "title"), "--write-back takes each of", id="ladder"),
        pytest.param(("--provider", "zoomm"), "is not installed; there is webhook", id="provider"),
        pytest.param(("--provider-url", "https://u:s3cret@x.test/"), "takes a whole URL", id="URL with a password"),
        pytest.param(("--provider-url", "https://:443/s3cret"), "takes a whole URL", id="URL without a host"),
        pytest.param(("--provider-url", "https://x.test:70000/s3cret"), "takes a whole URL", id="URL with a port"),
        pytest.param(("--provider-url", f"https://x.test/{'s3cret' * 400}"), "at most 2000", id="long URL"),
        pytest.param(("--provider-url", "https://10.1.2.3/s3cret"), "not open to tenants", id="inside"),
        pytest.param(("--nope",), "--nope", id="unknown option"),
    ],
)
def test_a_wrong_option_is_told_without_its_secrets(
    terminal: Terminal, rows: Rows, options: tuple[str, ...], sentence: str
) -> None:
    terminal("project", "add", "main")
    named = dict(zip(ADD_TENANT[3::2], ADD_TENANT[4::2], strict=True))
    named |= dict(zip(options[::2], options[1::2], strict=False))
    answer = terminal(
        *ADD_TENANT[:3], *(part for pair in named.items() for part in pair), *options[len(options) // 2 * 2 :]
    )
    assert answer.code == 2
    assert sentence in answer.err
    assert "s3cret" not in answer.err
    assert _counts(rows) == (1, 0, 0, 0)


def test_a_tenant_of_no_project_leaves_no_account_behind(terminal: Terminal, rows: Rows) -> None:
    answer = terminal(*ADD_TENANT)
    assert (answer.code, "There is no project 'main'" in answer.err) == (1, True)
    assert _counts(rows) == (0, 0, 0, 0)


def test_an_argument_that_is_no_text_is_told(terminal: Terminal) -> None:
    answer = terminal("tenant", "show", "\udcff")
    assert (answer.code, "not valid text" in answer.err) == (2, True)


def _counts(rows: Rows) -> tuple[int, ...]:
    names = ("project", "provider_account", "tenant", "calendar")
    return tuple(rows.value(f"SELECT count(*) FROM syncer.{name}") for name in names)  # noqa: S608
