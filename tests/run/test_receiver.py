"""What vendors tell is kept once it is answered, and whoever cannot sign learns nothing and costs nothing."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import structlog.testing
from standardwebhooks import Webhook

from syncer.model.errors import OperatorError
from syncer.run.listening import Address, Limits
from syncer.run.receiver import PATH, Receiver
from tests.cli.process import started
from tests.run.worker import SECONDS, until, variables
from tests.simulator.vendors import Reply, check
from tests.sync.stage import Acted, Booked, a_project

ANYWHERE = Address("127.0.0.1", 0)
FOREIGN = "whsec_" + "Zm9yZWlnbi1mb3JlaWduLWZvcmVpZ24tZm9yZWlnbg=="
MARKS = "SELECT count(*) FROM syncer.changed_there"


@dataclass(frozen=True)
class Line:
    """A vendor's line to a receiver."""

    receiver: Receiver
    address: Address
    session: aiohttp.ClientSession
    secret: str

    @property
    def url(self) -> str:
        return f"http://{self.address}{PATH}"

    async def tell(self, *meeting_ids: str, tenant: str = "acme", **headers: str) -> Reply:
        """A signed call about these meetings."""
        return await self.send(told(*meeting_ids, tenant=tenant), at=None, **headers)

    async def send(self, content: Any, *, at: datetime | None = None, **headers: str) -> Reply:
        """A signed call with this content, or with these bytes; headers replace the right ones."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        signed = signature(self.secret, body, at=at) | {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.ask("POST", data=body, headers=signed)

    async def ask(self, method: str, **more: Any) -> Reply:
        url = more.pop("url", self.url)
        async with self.session.request(method, url, **more) as response:
            return Reply(response.status, dict(response.headers), await response.read())


def told(*meeting_ids: str, tenant: str = "acme") -> dict[str, Any]:
    conferences = [{"id": meeting_id} for meeting_id in meeting_ids]
    return {
        "type": "conference.changed",
        "timestamp": "2026-12-01T09:00:00Z",
        "data": {"tenant": tenant, "conferences": conferences},
    }


def signature(secret: str, body: bytes, *, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signed = Webhook(secret).sign("msg_1", at, body.decode("utf-8", "replace"))
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signed}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as made:
        yield made


@pytest.fixture
async def line(stage: Acted, session: aiohttp.ClientSession) -> AsyncIterator[Line]:
    """A receiver for the stage's tenant, whose vendor has its secret."""
    receiver = Receiver(stage.tools)
    async with receiver.listening(ANYWHERE) as address:
        assert address is not None
        yield Line(receiver, address, session, stage.vendor.account["webhook_secret"])


@pytest.fixture
async def followed(stage: Acted) -> Booked:
    """A meeting in step with its event."""
    stage.project = await a_project(stage.tools)
    booked = await stage.book()
    await stage.follow()
    return booked


async def test_a_told_change_is_marked_and_counted_truly(stage: Acted, line: Line, followed: Booked) -> None:
    content = told(followed.meeting_id, "999", followed.meeting_id)
    check(content, "told")
    reply = await line.send(content)
    check(reply.json, "heard")
    assert (reply.status, reply.json) == (200, {"accepted": 1, "unknown": ["999"]})
    assert await stage.tools.database.value(MARKS) == 1
    assert (line.receiver.counts.known, line.receiver.counts.unknown) == (1, 1)


async def test_a_replay_changes_nothing_more(stage: Acted, line: Line, followed: Booked) -> None:
    body = json.dumps(told(followed.meeting_id)).encode()
    headers = signature(line.secret, body)
    assert [(await line.ask("POST", data=body, headers=headers)).status for _ in range(3)] == [200, 200, 200]
    assert await stage.tools.database.value(MARKS) == 1


async def test_whoever_cannot_sign_learns_nothing(stage: Acted, line: Line, followed: Booked) -> None:
    old, known = datetime.now(UTC) - timedelta(minutes=6), told(followed.meeting_id)
    foreign = replace(line, secret=FOREIGN)
    replies = [
        await foreign.send(known),
        await foreign.send(told("999")),
        await foreign.send(told("1", tenant="nobody")),
        await line.send(told("1", tenant="nobody")),
        await line.send(known, at=old),
        await line.send(known, at=datetime.now(UTC) + timedelta(minutes=6)),
        await line.send(known, webhook_signature="v1,!"),
        await line.send(known, webhook_signature="nonsense"),
        await line.send(known, webhook_signature="v1a,AAAA"),
        await line.send(known, webhook_timestamp="nan"),
        await line.send(known, webhook_id="msg_2"),
        await line.send(b"<html>"),
        await line.send(b"\xff"),
        await line.send(b"[" * 10_000),
        await line.send(b""),
        await line.ask("POST", data=json.dumps(known)),
    ]
    assert {(reply.status, reply.body) for reply in replies} == {(401, replies[0].body)}
    check(replies[0].json, "problem")
    assert await stage.tools.database.value(MARKS) == 0
    assert line.receiver.counts.refused == len(replies)


async def test_refusals_are_told_once_for_each_sender_and_counted(stage: Acted, line: Line, followed: Booked) -> None:
    foreign = replace(line, secret=FOREIGN)
    with structlog.testing.capture_logs() as lines:
        receiver = Receiver(stage.tools)
        async with receiver.listening(ANYWHERE) as address:
            assert address is not None
            for tenant in ("acme", "nobody", "acme", "others"):
                await replace(foreign, address=address).tell("1", tenant=tenant)
            await replace(line, address=address).tell(followed.meeting_id)
            await replace(foreign, address=address).tell("1")
    account_id = await stage.tools.database.value("SELECT account_id FROM syncer.tenant")
    told_of = [row["account_id"] for row in lines if row["event"] == "calls are refused"]
    assert told_of == [account_id, 0]
    assert {name: lines[-1][name] for name in ("event", "known", "unknown", "refused")} == {
        "event": "calls taken",
        "known": 1,
        "unknown": 0,
        "refused": 5,
    }


async def test_our_own_calls_sent_back_to_us_are_refused(line: Line, followed: Booked) -> None:
    reply = await line.send(told(followed.meeting_id) | {"type": "conference.updated"})
    assert reply.status == 422


@pytest.mark.parametrize(
    "content",
    [
        {"type": "conference.changed", "data": {"tenant": "acme", "conferences": [{"id": "1"}]}},
        told(),
        told("x" * 513),
        told("a\x00b"),
        told(""),
        told(*map(str, range(501))),
        told("1") | {"type": 7},
        {**told("1"), "data": {"tenant": "acme", "conferences": "1"}},
        told("1") | {"timestamp": "yesterday"},
        told("1") | {"timestamp": "2026-12-01T09:00:00"},
    ],
    ids=[
        "no timestamp",
        "no meeting",
        "long id",
        "control sign",
        "empty id",
        "too many",
        "no type",
        "no list",
        "no time",
        "no time zone",
    ],
)
async def test_a_signed_call_of_a_wrong_shape_is_told_what_is_wrong(line: Line, content: Any) -> None:
    reply = await line.send(content)
    check(reply.json, "problem")
    assert (reply.status, reply.headers["Content-Type"]) == (422, "application/problem+json")
    assert "canary" not in reply.body.decode()
    assert len(reply.json["detail"]) <= 200
    assert "\\" not in reply.json["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", PATH, 405), ("POST", "/v1/conference", 404), ("GET", "/", 404)]
)
async def test_what_is_not_there_is_a_problem_too(line: Line, method: str, path: str, status: int) -> None:
    reply = await line.ask(method, url=f"http://{line.address}{path}")
    check(reply.json, "problem")
    assert (reply.status, reply.json["status"]) == (status, status)


async def test_a_body_that_is_too_large_is_refused(line: Line) -> None:
    assert (await line.send(told("1") | {"more": "x" * 70_000})).status == 413


async def test_headers_that_are_too_large_are_refused(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as lines:
        replies = [await line.tell("1", more="x" * 5_000), await line.tell("1", webhook_id="x" * 5_000)]
    for reply in replies:
        check(reply.json, "problem")
        assert (reply.status, reply.headers["Content-Type"]) == (400, "application/problem+json")
    assert (lines, caplog.records) == ([], [])


async def test_bytes_that_are_no_request_are_answered_and_not_logged(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection(line.address.host, line.address.port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        assert b"application/problem+json" in await reader.read()
    writer.close()
    assert caplog.records == []


async def test_nothing_is_inflated(line: Line) -> None:
    assert (await line.tell("1", content_encoding="gzip")).status == 200


@pytest.fixture
async def hurried(stage: Acted) -> AsyncIterator[Address]:
    """A receiver without patience."""
    limits = Limits(connections=2, request_seconds=0.2, silence_seconds=0.2)
    async with Receiver(stage.tools).listening(ANYWHERE, limits) as address:
        assert address is not None
        yield address


async def test_a_body_that_drips_is_given_up(hurried: Address) -> None:
    reader, writer = await asyncio.open_connection(hurried.host, hurried.port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    async with asyncio.timeout(SECONDS):
        assert b" 408 " in await reader.readline()
        await reader.read()
    writer.close()


@pytest.mark.parametrize("said", [b"", b"POST /v1/conf", b"POST / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_caller_who_says_nothing_is_shown_out(hurried: Address, said: bytes) -> None:
    reader, writer = await asyncio.open_connection(hurried.host, hurried.port)
    writer.write(said)
    async with asyncio.timeout(SECONDS):
        assert await reader.read() == b""
    writer.close()


async def test_so_many_connections_and_no_more(hurried: Address) -> None:
    held = [await asyncio.open_connection(hurried.host, hurried.port) for _ in range(3)]
    async with asyncio.timeout(0.15):
        assert await held[2][0].read() == b""
    for _, writer in held:
        writer.close()


async def test_a_burst_is_few_statements(stage: Acted, line: Line, followed: Booked) -> None:
    replies = await asyncio.gather(*(line.tell(followed.meeting_id) for _ in range(60)))
    assert {reply.status for reply in replies} == {200}
    # Each statement takes two numbers: one for the row that is in the way, one for its new mark.
    assert await stage.tools.database.value("SELECT max(mark) FROM syncer.changed_there") < 60


async def test_without_its_database_a_signed_call_is_to_come_again(
    stage: Acted, line: Line, followed: Booked, run_sql: Callable[[str], None]
) -> None:
    assert (await line.tell(followed.meeting_id)).status == 200
    name = urlsplit(stage.dsn).path[1:]
    with structlog.testing.capture_logs() as lines:
        await asyncio.to_thread(run_sql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
        await asyncio.to_thread(run_sql, cut)
        replies = [await line.tell(followed.meeting_id) for _ in range(3)]
        assert [(reply.status, reply.headers["Retry-After"]) for reply in replies] == [(503, "2")] * 3
        assert (await replace(line, secret=FOREIGN).tell(followed.meeting_id)).status == 401
        await asyncio.to_thread(run_sql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert (await line.tell(followed.meeting_id)).status == 200
    told_of = [row["event"] for row in lines if row["event"].startswith("receiver ")]
    assert told_of == ["receiver fails", "receiver recovered"]


async def test_an_account_whose_secret_is_missing_is_told_to_the_operator_only(stage: Acted, line: Line) -> None:
    folder = stage.settings.credentials_folder
    assert folder is not None
    (folder / "webhook").unlink()
    with structlog.testing.capture_logs() as lines:
        assert {(await line.tell("1")).status for _ in range(3)} == {401}
    assert [row["event"] for row in lines] == ["calls of a provider account cannot be checked"]
    assert line.secret not in str(lines)


async def test_a_new_secret_counts_within_seconds_beside_the_old_one(stage: Acted, line: Line) -> None:
    assert ((await line.tell("1")).status, (await replace(line, secret=FOREIGN).tell("1")).status) == (200, 401)
    folder = stage.settings.credentials_folder
    assert folder is not None
    (folder / "webhook").write_text(f"{FOREIGN}\n{line.secret}\n")

    async def is_heard() -> bool:
        return (await replace(line, secret=FOREIGN).tell("1")).status == 200

    await until(is_heard)
    assert (await line.tell("1")).status == 200


async def test_a_taken_port_is_one_sentence(stage: Acted, line: Line) -> None:
    with pytest.raises(OperatorError, match=f"^Cannot listen on {line.address}: another program listens there; set "):
        async with Receiver(stage.tools).listening(line.address):
            pass


async def test_off_takes_no_calls(stage: Acted) -> None:
    async with Receiver(stage.tools).listening(Address.of("off")) as address:
        assert address is None


@pytest.mark.parametrize("text", ["127.0.0.1:8470", "[::1]:0", "localhost:65535"])
def test_an_address_is_read_as_it_is_shown(text: str) -> None:
    assert str(Address.of(text)) == text


async def test_the_simulated_vendor_tells_what_its_users_change(stage: Acted, line: Line, followed: Booked) -> None:
    path = "simulator/accounts/acme/changes"
    assert (await stage.vendor.ask("PUT", path, json={"url": line.url, "tenant": "acme"})).status == 200
    await stage.change_meeting(followed, title="By the vendor's user")

    async def is_marked() -> bool:
        return bool(await stage.tools.database.value(MARKS))

    await until(is_marked)


MEETINGS = """
WITH made AS (
    INSERT INTO syncer.conference (tenant_id, account_id, meeting_id, applied_version)
    SELECT tenant_id, account_id, 'meeting' || n, 1 FROM syncer.tenant, generate_series(1, 60) AS n
    RETURNING account_id, meeting_id, tenant_id
)
INSERT INTO syncer.meeting_owner (account_id, meeting_id, tenant_id) SELECT * FROM made
"""
MARKED = "SELECT meeting_id FROM syncer.changed_there JOIN syncer.conference USING (tenant_id, conference_id)"


async def test_a_killed_receiver_keeps_what_it_has_answered(stage: Acted, session: aiohttp.ClientSession) -> None:
    # Paused, so that no worker reads the meetings and takes the marks away.
    await stage.tools.database.run("UPDATE syncer.tenant SET state = 'paused'")
    await stage.tools.database.run(MEETINGS)
    kept: set[str] = set()

    with started("run", **(variables(stage) | {"SYNCER_LISTEN": "127.0.0.1:0"})) as process:
        address = await asyncio.to_thread(address_of, process)
        line = Line(Receiver(stage.tools), address, session, stage.vendor.account["webhook_secret"])

        async def tell(meeting_id: str) -> None:
            with suppress(aiohttp.ClientError, OSError):
                if (await line.tell(meeting_id)).status == 200:
                    kept.add(meeting_id)
                    process.send_signal(signal.SIGKILL)

        await asyncio.gather(*(tell(f"meeting{number}") for number in range(1, 61)))
        await asyncio.to_thread(process.wait, SECONDS)
    assert kept
    assert kept <= {row["meeting_id"] for row in await stage.tools.database.fetch(MARKED)}


def address_of(process: "subprocess.Popen[str]") -> Address:
    """Where a process takes calls, by what it logs."""
    assert process.stderr is not None
    for row in process.stderr:
        if "taking calls" in row:
            found = Address.of(json.loads(row)["where"].removeprefix("http://"))
            assert found is not None
            return found
    raise AssertionError("It takes no calls.")
