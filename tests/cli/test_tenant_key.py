"""A tenant's keys are shown once, listed without what makes them keys, and good for nothing once revoked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from tests.cli.conftest import Rows, Served, Terminal
from tests.cli.outside import until
from tests.cli.process import started
from tests.test_pages import free_ports


def test_a_key_is_shown_once_and_kept_as_a_digest(a_calendar: str, terminal: Terminal, rows: Rows) -> None:
    made = terminal("tenant", "key", "add", "acme", "--name", "apps-script")
    key = made.out.splitlines()[0]
    secret = key.split("_", 2)[2]
    assert (made.code, len(secret), "Nobody can show it again" in made.err) == (0, 43, True)
    listed = terminal("tenant", "key", "list", "acme", "--json")
    assert [(one["name"], one["revoked_at"]) for one in listed.document] == [("apps-script", None)]
    shown = listed.out + terminal("tenant", "key", "list", "acme").out
    assert secret not in shown + str(rows.value("SELECT array_agg(k::text) FROM syncer.api_key k"))


def test_a_key_is_revoked_and_another_stays_good(a_calendar: str, terminal: Terminal) -> None:
    first, second = (terminal("tenant", "key", "add", "acme", "--json").document for _ in range(2))
    revoke = ("tenant", "key", "revoke", "acme", first["key_id"])
    answer = terminal(*revoke)
    assert (answer.code, "--yes" in answer.err) == (2, True)
    assert terminal(*revoke, "--yes").out.startswith(f"Key {first['key_id']} of tenant acme is revoked.")
    assert terminal(*revoke, "--yes", "--json").document["was_good"] is False
    listed = {one["key_id"]: one["revoked_at"] for one in terminal("tenant", "key", "list", "acme", "--json").document}
    assert [listed[first["key_id"]] is None, listed[second["key_id"]]] == [False, None]


def test_wrong_names_are_told_in_a_sentence(a_calendar: str, terminal: Terminal) -> None:
    assert "There is no tenant 'acne'; did you mean 'acme'?" in terminal("tenant", "key", "add", "acne").err
    assert "There is no tenant 'acne'" in terminal("tenant", "key", "list", "acne").err
    answer = terminal("tenant", "key", "add", "acme", "--name", "Mine!")
    assert (answer.code, "small letters" in answer.err) == (2, True)
    answer = terminal("tenant", "key", "revoke", "acme", "0123456789ab", "--yes")
    assert (answer.code, "`syncer tenant key list acme` shows those there are" in answer.err) == (1, True)


def test_both_who_runs_all_and_who_receives_only_take_registrations(served: Served, terminal: Terminal) -> None:
    key = terminal("tenant", "key", "add", "acme", "--json").document["key"]
    for command in ("run", "receive"):
        (port,) = free_ports(1)
        with started(command, **{**served.variables, "SYNCER_LISTEN": f"127.0.0.1:{port}"}):
            until(lambda port=port: told(port, key) in (200, 204))  # type: ignore[misc]


def told(port: str, key: str) -> int:
    """The status of a calendar's registration; 0 while nobody listens."""
    body = json.dumps({"calendar": "zoe@tenant-a.test"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/calendars", body, {"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.URLError:
        return 0
