"""Providers are found by name, and a broken one fails nobody but its own tenants."""

from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest

from syncer.clients.http import Http
from syncer.clients.providers.directory import Providers, load
from syncer.clients.providers.webhook import WebhookProvider
from syncer.clients.references import References
from syncer.model.calendar import Policy, Tenant
from syncer.model.conference import Change, ChangeKind, Gone, Retry
from syncer.model.errors import OperatorError

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
NEW_SECRET = "whsec_" + "bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQ="
READ = Change(ChangeKind.READ, "acme", "1", 0, "key")


def tenant(**changed: Any) -> Tenant:
    usual: dict[str, Any] = {
        "tenant_id": 1,
        "slug": "acme",
        "policy": Policy(matchers=()),
        "account_id": 1,
        "provider": "webhook",
        "provider_settings": (("url", "https://hooks.example.org/"),),
        "provider_credential": "file:hook",
    }
    return Tenant(**{**usual, **changed})


@pytest.fixture
def providers(http: Http, references: References, put: Callable[[str, Any], str]) -> Providers:
    put("hook", SECRET)
    return Providers(http, references)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Installs a package, for this test, whose module has this source and whose entry point has this name."""

    def install(package: str, name: str, source: str) -> None:
        (tmp_path / f"{package}.py").write_text(source)
        about = tmp_path / f"{package}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[syncer.providers]\n{name} = {package}:Made\n")

    monkeypatch.syspath_prepend(tmp_path)
    return install


def test_the_webhook_is_there() -> None:
    assert load("webhook") is WebhookProvider


async def test_a_provider_is_kept_until_its_account_changes(providers: Providers) -> None:
    first = await providers.of(tenant())
    assert await providers.of(tenant(slug="other")) is first
    assert await providers.of(tenant(account_id=2)) is not first
    assert await providers.of(tenant(provider_settings=(("url", "https://new.example.org/"),))) is not first


async def test_an_unknown_provider_is_told_with_what_there_is(providers: Providers) -> None:
    with pytest.raises(OperatorError, match=r"provider zoom is not installed: .* choose .*webhook"):
        await providers.of(tenant(provider="zoom"))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError when broken_a:Made was loaded"),
        ("1 / 0", "ZeroDivisionError when broken_b:Made was loaded"),
        ("def", "SyntaxError when broken_c:Made was loaded"),
        ("x = 1", "AttributeError when broken_d:Made was loaded"),
        ("def Made(setup): raise KeyError(setup.secret.reveal())", "KeyError when it was set up"),
    ],
)
async def test_a_broken_plugin_names_itself_and_fails_only_its_own(
    providers: Providers, plugins: Callable[[str, str, str], None], source: str, says: str
) -> None:
    words = says.split()
    plugins(words[2].split(":")[0] if "loaded" in words else "broken_e", "acme", source)
    with pytest.raises(OperatorError, match="provider acme is broken") as caught:
        await providers.of(tenant(provider="acme"))
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert isinstance(await providers.of(tenant()), WebhookProvider)


def test_two_packages_of_one_name_are_refused(plugins: Callable[[str, str, str], None]) -> None:
    plugins("twin_a", "twin", "Made = print")
    plugins("twin_b", "twin", "Made = print")
    with pytest.raises(OperatorError, match="provider twin is there 2 times, in twin_a and twin_b"):
        load("twin")


async def test_a_secret_that_was_changed_is_read_within_seconds(
    http: Http, references: References, put: Callable[[str, Any], str]
) -> None:
    put("hook", SECRET)
    patient, hasty = Providers(http, references), Providers(http, references, credential_seconds=0)
    before = await patient.of(tenant()), await hasty.of(tenant())
    assert await hasty.of(tenant()) is before[1]
    put("hook", f"{NEW_SECRET}\n{SECRET}")
    assert await patient.of(tenant()) is before[0]
    assert await hasty.of(tenant()) is not before[1]


async def test_an_account_that_cannot_be_used_waits_for_the_operator(providers: Providers) -> None:
    outcome = await providers.apply(tenant(provider_credential="file:missing"), READ)
    why = "credential file:missing is not there: put the file into the credentials folder"
    assert outcome == Retry(why, kind=why)


_PICKY = """
from syncer.clients.providers.base import Unauthorized
from syncer.model.conference import Capabilities, Gone

class Made:
    capabilities = Capabilities(fields=(), update_returns_meeting=False, has_idempotency=True)

    def __init__(self, setup):
        self.secret = setup.secret.reveal()

    async def apply(self, change):
        calls.append(self.secret)
        return Gone() if self.secret == "new" else Unauthorized("not accepted")

calls = []
"""


@pytest.mark.parametrize(("now", "asked"), [("new", ["old", "new"]), ("bad", ["old", "bad"])])
async def test_a_credential_that_is_not_accepted_is_read_anew_once(
    providers: Providers,
    plugins: Callable[[str, str, str], None],
    put: Callable[[str, Any], str],
    now: str,
    asked: list[str],
) -> None:
    plugins(f"picky_{now}", f"picky-{now}", _PICKY)
    mine = tenant(provider=f"picky-{now}", provider_credential=put("mine", "old"))
    await providers.of(mine)
    put("mine", now)
    outcome = await providers.apply(mine, READ)
    assert isinstance(outcome, Gone if now == "new" else Retry)
    assert import_module(f"picky_{now}").calls == asked


def test_the_group_is_the_one_that_is_documented() -> None:
    assert "webhook" in metadata.entry_points(group="syncer.providers").names
