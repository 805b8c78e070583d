"""The machine's state on disk."""

import os
import stat
from pathlib import Path
from uuid import uuid4

import pytest

from miner_agent import facts
from miner_agent.domain.claims import PORT
from miner_agent.engine import Engine, EngineFacts
from miner_agent.machine import Machine
from miner_agent.settings import read
from protocol.agent import DesiredPlacement, Want
from protocol.hardware import Resources
from protocol.workload import Workload


class Rooted(Engine):
    """An engine that says where it keeps its files."""

    def facts(self) -> EngineFacts:
        return EngineFacts(version="28", storage_driver="overlay2", root="/")


@pytest.mark.parametrize("found", [None, "", "half a num"])
def test_the_disk_is_measured_once_and_again_where_the_answer_was_lost(
    tmp_path: Path, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, remembered = (
        Machine(read({"BERTH_AGENT_HOME": str(tmp_path)})),
        tmp_path / "disk_bytes",
    )
    if found is not None:
        remembered.write_text(found)
    measured = machine.disk_bytes(Rooted())
    assert measured == int(remembered.read_text())
    monkeypatch.setattr(facts, "DISK_PERCENT", 1)
    assert facts.free_disk_bytes("/") != measured
    assert machine.disk_bytes(Rooted()) == measured


def test_nobody_else_on_the_machine_reads_the_journal(tmp_path: Path) -> None:
    machine = Machine(read({"HOME": "/root", "BERTH_AGENT_HOME": str(tmp_path)}))
    journal = machine.journal()
    journal.remember(nonce="n")
    files = list(tmp_path.glob("journal*"))
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    journal.close()


def test_no_rental_gets_the_port_of_the_validators_door(tmp_path: Path) -> None:
    settings = read(
        {
            "BERTH_AGENT_HOME": str(tmp_path),
            "BERTH_AGENT_PORTS": "20000-20001",
            "BERTH_AGENT_CONTROL_PORT": "20000",
            "BERTH_AGENT_DISK_BYTES": "100",
        }
    )
    machine = Machine(settings)
    journal = machine.journal()
    desired = DesiredPlacement(
        placement_id=uuid4(),
        want=Want.RUN,
        workload=Workload(image="i", resources=Resources.of(cpus=1, ram_bytes=100, disk_bytes=100)),
    )
    acceptance = machine.acceptance(machine.engine())
    changes = {"want": Want.RUN, "funded_until_boot_ms": 1}
    acceptance.accept(desired, changes=changes, journal=journal)
    assert journal.claimed(PORT) == {"20001"}
    journal.close()


def test_a_machine_that_is_closed_holds_nothing_open_and_can_begin_anew(tmp_path: Path) -> None:
    machine = Machine(read({"HOME": "/root", "BERTH_AGENT_HOME": str(tmp_path)}))
    machine.key_or_new()

    def journals() -> list[str]:
        paths = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return [path for path in paths if path.startswith(str(tmp_path))]

    before = journals()
    for _ in range(2):
        machine.belongings()
        machine.images(machine.engine())
        transfers = machine._transfers
        assert transfers is not None
        assert journals() != before
        machine.close()
        assert transfers._client.is_closed
        assert journals() == before
