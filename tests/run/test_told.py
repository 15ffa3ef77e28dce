"""What a vendor tells of is repaired within a rescue's time, also when it is told twice."""

from syncer.run.listening import Address
from syncer.run.receiver import Receiver
from tests.run.worker import a_worker, until_row, until_titled
from tests.sync.stage import Acted, Booked


async def test_a_worker_reads_what_its_receiver_was_told_of(stage: Acted, booked: Booked) -> None:
    async with a_worker(stage), Receiver(stage.tools).listening(Address("127.0.0.1", 0)) as address:
        await until_titled(stage, booked, "Standup")
        destination = {"url": f"http://{address}/v1/conferences/changes", "tenant": "acme"}
        await stage.vendor.ask("PUT", "simulator/accounts/acme/changes", json=destination)
        await stage.vendor.set_faults(changes={"next": {"doubled": 1}})
        await stage.change_meeting(booked, title="By the vendor's user", passcode="777")
        await until_titled(stage, booked, "Standup")
        await until_row(stage, "SELECT count(*) > 0 FROM syncer.history WHERE kind = 'wrote_back'")
        await until_row(stage, "SELECT count(*) = 0 FROM syncer.changed_there")
    assert len(await stage.calls("read")) <= 3
