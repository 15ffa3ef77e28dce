"""Credentials in the database open for their own tenant with the ring, and for nobody without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest

from syncer.model.errors import OperatorError, StoreRefused, StoreUnavailable
from syncer.store import retirement, ring, vault
from syncer.store.ring import Keys
from syncer.store.tenants import NewCalendar, add_calendar
from syncer.store.vault import Vault, origin_of
from tests.store.vaults import NOW, Kept, a_vault, reference

CANARY = "canary-refresh-token"
SLUGS = ("acme", "other")


@pytest.fixture
async def kept(database: str, tmp_path: Path) -> AsyncIterator[Kept]:
    async with a_vault(database, tmp_path, *SLUGS) as made:
        yield made


async def test_a_value_is_read_by_its_reference(kept: Kept) -> None:
    mine, theirs = await kept.put("mine"), await kept.put("theirs", owner_id=2)
    hook = await kept.put("whsec", "acme", owner="account")
    assert [await kept.vault.read(one) for one in (mine, theirs, hook)] == ["mine", "theirs", "whsec"]


async def test_a_value_in_the_place_of_another_is_read_at_once(kept: Kept) -> None:
    one = await kept.put("old")
    assert await kept.vault.read(one) == "old"
    await kept.put("new")
    assert await kept.vault.read(one) == "new"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (reference("none"), "credential sealed:none is not there: `syncer tenant seal` puts it in"),
        (reference("none", owner="account"), "credential sealed:none is not there: .* with --provider"),
        (reference(owner_id=7), "credential sealed:google is not there"),
        ("sealed:google", "credential sealed:google does not say whose it is"),
        ("sealed:tenant/1/2/google", "does not say whose it is"),
        ("sealed:tenant/-1/google", "does not say whose it is"),
        ("sealed:tenant/²/google", "does not say whose it is"),
    ],
)
async def test_what_is_not_there_is_told_in_a_sentence(kept: Kept, asked: str, says: str) -> None:
    await kept.put(CANARY)
    with pytest.raises(OperatorError, match=says):
        await kept.vault.read(asked)


async def test_a_sealed_value_that_was_moved_opens_nowhere(kept: Kept) -> None:
    """By SQL, as somebody may who can write rows and has no ring: between tenants, names, and tables."""
    homes = [("tenant", 1, "a"), ("tenant", 1, "b"), ("tenant", 2, "a"), ("account", 1, "a"), ("account", 2, "a")]
    for owner, owner_id, name in homes:
        await kept.put(f"{CANARY} of {owner} {owner_id}", name, owner=owner, owner_id=owner_id)  # type: ignore[arg-type]
    before = {home: await sealed_at(kept, *home) for home in homes}
    for there, here in permutations(homes, 2):
        await move(kept, before[there], *here)
        with pytest.raises(OperatorError, match="is not what was sealed under this name") as caught:
            await kept.vault.read(reference(here[2], owner=here[0], owner_id=here[1]))  # type: ignore[arg-type]
        assert CANARY not in str(caught.value)
        await move(kept, before[here], *here)
        assert await kept.vault.read(reference(here[2], owner=here[0], owner_id=here[1]))  # type: ignore[arg-type]


async def sealed_at(kept: Kept, owner: str, owner_id: int, name: str) -> bytes:
    table, column = ("grant", "tenant_id") if owner == "tenant" else ("account_grant", "account_id")
    sql = f"SELECT sealed FROM syncer.{table} WHERE {column} = $1 AND name = $2"  # noqa: S608
    return bytes(await kept.database.value(sql, owner_id, name))


async def move(kept: Kept, sealed: bytes, owner: str, owner_id: int, name: str) -> None:
    table, column = ("grant", "tenant_id") if owner == "tenant" else ("account_grant", "account_id")
    sql = f"UPDATE syncer.{table} SET sealed = $3 WHERE {column} = $1 AND name = $2"  # noqa: S608
    await kept.database.run(sql, owner_id, name, sealed)


async def test_a_dump_alone_opens_nothing(kept: Kept, tmp_path: Path) -> None:
    """All rows there are, and a ring of somebody else's."""
    references = [await kept.put(CANARY, f"n{number}") for number in range(20)]
    dump = b"\n".join(str(row).encode() for row in await kept.database.fetch("SELECT g::text FROM syncer.grant g"))
    raw = b"".join(bytes(row[0]) for row in await kept.database.fetch("SELECT sealed FROM syncer.grant"))
    for form in (CANARY.encode(), CANARY.encode().hex().encode(), CANARY.encode()[::-1]):
        assert form not in dump
        assert form not in raw
    theirs = tmp_path / "theirs.json"
    ring.write(theirs, ring.new("ring", NOW))
    for keys in (Keys(theirs), Keys(None)):
        for one in references:
            with pytest.raises(OperatorError, match=r"is not in the key ring|no key ring is set"):
                await Vault(kept.database, keys).read(one)


async def test_an_unknown_key_is_told_in_a_sentence(kept: Kept) -> None:
    one, old = await kept.put(CANARY), kept.ring.primary
    ring.write(kept.path, ring.new("ring", NOW))
    with pytest.raises(OperatorError) as caught:
        await Vault(kept.database, Keys(kept.path)).read(one)
    assert str(caught.value) == (
        f"credential sealed:google cannot be opened: key {old.key_id} is not in the key ring; bring back the ring that "
        "has it, or seal the credential anew"
    )


async def test_a_provider_secret_is_for_the_server_it_was_sealed_for(kept: Kept) -> None:
    one = await kept.put("whsec", "acme", owner="account")
    for url in ("https://meet.example.org:443/elsewhere", "HTTPS://MEET.EXAMPLE.ORG/hook"):
        await lead_to(kept, url)
        assert await kept.vault.read(one) == "whsec"
    for url in (
        *("https://evil.test/hook", "http://meet.example.org/hook", "https://meet.example.org:8443/hook"),
        *("https://meet.example.org@evil.test/hook", "https://meet.example.org.evil.test/", "ftp://x", "", "https://["),
    ):
        await lead_to(kept, url)
        with pytest.raises(
            OperatorError, match=r"was sealed for https://meet.example.org:443, and its account leads to"
        ):
            await kept.vault.read(one)
    await kept.database.run("UPDATE syncer.account_grant SET origin = 'https://evil.test:443'")
    await lead_to(kept, "https://evil.test/hook")
    with pytest.raises(OperatorError, match="is not what was sealed under this name"):
        await kept.vault.read(one)


async def lead_to(kept: Kept, url: str) -> None:
    sql = "UPDATE syncer.provider_account SET settings = jsonb_build_object('url', $1::text) WHERE account_id = 1"
    await kept.database.run(sql, url)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin_of("HTTPS://A.test/x?y") == origin_of("https://a.test:443") == "https://a.test:443"
    assert origin_of("http://a.test") == "http://a.test:80"
    assert origin_of("https://u:w@a.test") == "https://a.test:443"
    assert [origin_of(text) for text in ("", "a.test", "https://", "https://a:b", "mailto:a@b")] == [""] * 5


async def test_what_was_replaced_is_told_once(kept: Kept) -> None:
    mine, theirs = await kept.put("old"), await kept.put("old", owner_id=2)
    assert list(await kept.vault.replaced()) == []
    await kept.vault.read(mine)
    await kept.vault.read(theirs)
    assert list(await kept.vault.replaced()) == []
    await kept.put("new")
    await kept.put("unread", "another")
    assert list(await kept.vault.replaced()) == [mine]
    assert list(await kept.vault.replaced()) == []


async def test_one_that_was_asked_for_in_vain_is_told_of_when_it_is_there(kept: Kept) -> None:
    with pytest.raises(OperatorError, match="is not there"):
        await kept.vault.read(reference())
    assert list(await kept.vault.replaced()) == []
    one = await kept.put("mine")
    assert list(await kept.vault.replaced()) == [one]
    assert list(await kept.vault.replaced()) == []


async def test_sealing_anew_replaces_nothing(kept: Kept) -> None:
    await kept.vault.read(await kept.put("same"))
    kept.promote(kept.add_key())
    assert (await vault.reseal(kept.database, kept.keys)).count == 1
    assert list(await kept.vault.replaced()) == []


async def test_while_the_database_is_away_what_was_read_stays_good(kept: Kept) -> None:
    await kept.vault.read(await kept.put("same"))
    kept.database._pool.terminate()
    assert list(await kept.vault.replaced()) == []
    with pytest.raises(StoreUnavailable):
        await kept.vault.read(reference())


@pytest.mark.parametrize("value", ["a secret as it is", "", "x" * 40])
async def test_what_is_not_sealed_gets_into_no_row(kept: Kept, value: str) -> None:
    with pytest.raises(StoreRefused):
        await kept.database.run(
            "INSERT INTO syncer.grant (tenant_id, name, sealed) VALUES (1, 'x', $1)", value.encode()
        )


async def test_rotation_seals_all_anew_and_every_value_opens_meanwhile(kept: Kept) -> None:
    values = {await kept.put(f"v{n}", f"n{n}", owner_id=1 + n % 2): f"v{n}" for n in range(30)}
    values[await kept.put("whsec", "acme", owner="account")] = "whsec"
    old, new = kept.ring.primary, kept.add_key()
    kept.promote(new)
    assert {one: await kept.vault.read(one) for one in values} == values
    told: list[int] = []
    done = await vault.reseal(kept.database, kept.keys, told.append)
    assert (done.count, sum(told), done.unopened) == (31, 31, ())
    assert await vault.counts(kept.database) == {new.key_id: 31}
    ring.write(kept.path, kept.ring.without(old.key_id))
    fresh = Vault(kept.database, Keys(kept.path))
    assert {one: await fresh.read(one) for one in values} == values
    assert (await vault.reseal(kept.database, kept.keys)).count == 0


async def test_rotation_that_was_killed_in_the_middle_goes_on(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_ROWS_AT_ONCE", 4)
    values = {await kept.put(f"v{n}", f"n{n}"): f"v{n}" for n in range(20)}
    old, new = kept.ring.primary, kept.add_key()
    kept.promote(new)

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    for left in (16, 12, 8):
        with pytest.raises(KeyboardInterrupt):
            await vault.reseal(kept.database, kept.keys, killed)
        assert (await vault.counts(kept.database)).get(old.key_id) == left
        assert {one: await kept.vault.read(one) for one in values} == values
    assert (await vault.reseal(kept.database, kept.keys)).count == 8
    assert {one: await kept.vault.read(one) for one in values} == values


async def test_a_value_that_does_not_open_stays_and_holds_up_no_other(kept: Kept) -> None:
    await kept.put("moved", "a")
    await kept.put("well", "b")
    await move(kept, await sealed_at(kept, "tenant", 1, "a"), "tenant", 1, "b")
    well = await kept.put("well", "c")
    kept.promote(kept.add_key())
    done = await vault.reseal(kept.database, kept.keys)
    assert done.count == 2
    (sentence,) = done.unopened
    assert sentence.startswith("tenant 1: credential sealed:b cannot be opened")
    assert await kept.vault.read(well) == "well"


async def test_a_value_given_during_rotation_is_not_overwritten(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await kept.put("old")
    sealed_anew = vault._sealed_anew
    old = kept.ring.primary
    kept.promote(kept.add_key())
    stale = await kept.database.fetch(vault._SQL["older_tenant"], kept.ring.primary.key_id, 0, "", 10)
    await kept.put("new")
    made, _ = sealed_anew(kept.keys, kept.ring.primary, "tenant", stale)
    columns = ([x.owner_id for x in made], [x.name for x in made], [x.before for x in made], [x.now for x in made])
    await kept.database.run(vault._SQL["reseal_tenant"], *columns)
    assert await kept.vault.read(one) == "new"
    assert old.key_id not in await vault.counts(kept.database)


async def test_a_removed_tenant_leaves_no_sealed_row(kept: Kept) -> None:
    for owner in ("tenant", "account"):
        for owner_id in (1, 2):
            await kept.put(CANARY, "acme", owner=owner, owner_id=owner_id)
    await retirement.retire_tenant(kept.database, "acme")
    left = await kept.database.fetch(
        "SELECT tenant_id FROM syncer.grant UNION ALL SELECT account_id FROM syncer.account_grant"
    )
    assert [row[0] for row in left] == [2, 2]
    with pytest.raises(OperatorError, match="was removed meanwhile"):
        await kept.put(CANARY)


async def test_an_account_that_others_share_keeps_its_secret(kept: Kept) -> None:
    await kept.database.run("UPDATE syncer.tenant SET account_id = 1")
    await kept.put("whsec", "acme", owner="account")
    await retirement.retire_tenant(kept.database, "acme")
    assert await kept.database.value("SELECT count(*) FROM syncer.account_grant") == 1
    await retirement.retire_tenant(kept.database, "other")
    assert await kept.database.value("SELECT count(*) FROM syncer.account_grant") == 0


async def test_a_users_grant_goes_with_the_last_calendar_that_names_it(kept: Kept) -> None:
    for name in ("google", "ana", "shared", "idle"):
        await kept.put(CANARY, name)
    await kept.put(CANARY, "ana", owner_id=2)
    for google_id, name in (
        ("a@x.test", "ana"),
        ("b@x.test", "shared"),
        ("c@x.test", "shared"),
        ("d@x.test", "google"),
    ):
        await add_calendar(kept.database, "acme", NewCalendar(google_id, credential=f"sealed:{name}"))
    for google_id in ("a@x.test", "b@x.test", "d@x.test"):
        going = await retirement.outlook(kept.database, "acme", google_id)
        await retirement.retire_calendars(kept.database, going)
    left = await kept.database.fetch("SELECT tenant_id, name FROM syncer.grant ORDER BY 1, 2")
    assert [tuple(row) for row in left] == [(1, "google"), (1, "idle"), (1, "shared"), (2, "ana")]
