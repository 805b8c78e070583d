"""What a machine tells beside its placements: numbers once, incidents until they are heard."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from miner_agent.domain.cgroup import GroupUsage
from miner_agent.facts.cards import Cards, Health
from miner_agent.facts.groups import ContainerUsage
from miner_agent.facts.kernel_log import KernelLog
from miner_agent.incident_journal import INCIDENTS_MOST, IncidentJournal
from miner_agent.telemetry import Telemetry
from protocol.usage import CardUsage, GpuUsage, Incident, IncidentBlame, IncidentKind
from tests.miner_agent.world import World

OOM = (
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=x,mems_allowed=0,global_oom,"
    "task_memcg={},task=tail,pid=25242,uid=0"
)
XID = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1"
GROUP = "/docker/ab"


class DrawnCards(Cards):
    """Cards of the imagination, at NVML's doorway."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Health] = []
        self.reported: list[tuple[str, int]] = []

    def usage(self) -> tuple[CardUsage, ...]:
        return tuple(CardUsage(uuid=one.uuid) for one in self.told)

    def used_by(self, gpu_uuid: str, processes: object) -> GpuUsage:
        return GpuUsage(uuid=gpu_uuid, busy_percent=50)

    def health(self) -> tuple[Health, ...]:
        return tuple(self.told)

    def xids(self) -> tuple[tuple[str, int], ...]:
        found, self.reported = tuple(self.reported), []
        return found


class Machine:
    """One rental on a machine whose files, log and cards a test writes."""

    def __init__(self, path: Path) -> None:
        self.path, self.world, self.cards = path, World(path / "journal"), DrawnCards()
        self.rental = self.world.want()
        self.world.sync()
        self.world.work()
        self.world.work()
        self.log = path / "kmsg"
        self.log.touch()
        self.sequence = itertools.count()
        self.kills = 0
        self.journal = IncidentJournal(path / "incidents")
        self.telemetry = self._telemetry()

    def restart(self) -> None:
        """Kill the agent where it is and start another."""
        self.telemetry.close()
        self.journal = IncidentJournal(self.path / "incidents")
        self.telemetry = self._telemetry()

    def say(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(f"3,{next(self.sequence)},5000000,-;{text}\n")

    def incidents(self) -> tuple[Incident, ...]:
        return self.telemetry.untold()

    def look(self) -> tuple[Incident, ...]:
        self.telemetry.look()
        return self.incidents()

    def give_gpu(self, uuid: str) -> None:
        self.world.journal.change(self.rental, gpu_uuids=(uuid,))

    def _read(self, pid: int) -> ContainerUsage | None:
        group = GroupUsage(cpu_ms=1234, memory_bytes=99, oom_kills=self.kills)
        return ContainerUsage(group, GROUP, (10, 20), (1, 2))

    def _telemetry(self) -> Telemetry:
        return Telemetry(
            journal=self.journal,
            clock=self.world.clock,
            seen=self.world.agent.seen,
            disk=self.path,
            cards=self.cards,
            log=LineLog(self.log),
            read=self._read,
        )


class LineLog(KernelLog):
    """A file whose records are lines: a real one gives one record a read."""

    def records(self):
        for chunk in super().records():
            yield from chunk.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def kinds(incidents: Sequence[Incident]) -> list[tuple[IncidentKind, IncidentBlame, UUID | None]]:
    return [(one.kind, one.blame, one.placement_id) for one in incidents]


def test_a_reading_is_told_once(machine: Machine) -> None:
    machine.give_gpu("GPU-1")
    machine.telemetry.look()
    taken = machine.telemetry.take()
    assert taken is not None
    (used,) = taken.placements
    assert (used.placement_id, used.run, used.cpu_ms) == (machine.rental, 0, 1234)
    assert (used.received_bytes, used.sent_bytes, used.disk_used_bytes) == (10, 20, 1)
    assert used.gpus[0].busy_percent == 50
    assert machine.telemetry.take() is None
    assert machine.telemetry.newest == taken


def test_what_was_logged_before_the_first_agent_is_no_news(machine: Machine) -> None:
    machine.say(XID)
    assert machine.look() == ()
    machine.say("I/O error, dev sda, sector 99")
    (told,) = machine.look()
    assert "sda" in told.sentence
    boot_ms = machine.world.clock.wall_ms() - machine.world.clock.boot_ms()
    assert told.at_ms == boot_ms + 5000


def test_an_incident_is_told_until_it_is_heard_and_found_once(machine: Machine) -> None:
    machine.look()
    machine.say("I/O error, dev sda, sector 99")
    (first,) = machine.look()
    for _ in range(2):
        machine.restart()
        assert machine.look() == (first,)
    machine.telemetry.told([first])
    machine.restart()
    assert machine.look() == ()


def test_what_happens_while_the_agent_is_away_is_found(machine: Machine) -> None:
    machine.look()
    machine.telemetry.close()
    machine.say("I/O error, dev sda, sector 99")
    machine.restart()
    assert len(machine.look()) == 1


def test_a_new_boot_has_a_log_of_its_own(machine: Machine) -> None:
    machine.say("x")
    machine.say("y")
    machine.look()
    machine.world.clock.boot = "boot-2"
    machine.log.write_text("")
    machine.sequence = itertools.count()
    machine.restart()
    machine.say("I/O error, dev sda, sector 99")
    assert len(machine.look()) == 1


def test_what_cannot_be_written_down_is_read_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.look()
    machine.say("I/O error, dev sda, sector 99")

    def full(*arguments: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(machine.journal, "note", full)
        with pytest.raises(OSError, match="No space"):
            machine.telemetry.look()
    assert len(machine.look()) == 1


def test_every_kill_in_a_rental_is_told_once_and_is_the_renters_doing(machine: Machine) -> None:
    machine.kills = 2
    (first,) = machine.look()
    assert kinds([first]) == [(IncidentKind.OUT_OF_MEMORY, IncidentBlame.RENTER, machine.rental)]
    assert first.count == 2
    machine.restart()
    machine.kills = 3
    _, second = machine.look()
    assert second.count == 1
    assert len(machine.look()) == 2


def test_a_kill_for_want_of_the_machines_memory_blames_the_machine_alone(machine: Machine) -> None:
    machine.look()
    machine.say(OOM.format(GROUP))
    machine.say(OOM.format("/user.slice"))
    machine.kills = 1
    told = machine.look()
    out, machines = IncidentKind.OUT_OF_MEMORY, IncidentBlame.MACHINE
    assert kinds(told) == [(out, machines, machine.rental), (out, machines, None)]
    assert machine.look() == told


def test_a_rental_that_ended_for_want_of_memory_is_told_once(machine: Machine) -> None:
    found = machine.world.runtime.found
    former = found[machine.rental, 0]
    found[machine.rental, 0] = replace(former, running=False, exit_code=137, oom_killed=True)
    machine.world.agent.plan()
    (told,) = machine.look()
    assert kinds([told]) == [(IncidentKind.OUT_OF_MEMORY, IncidentBlame.RENTER, machine.rental)]
    machine.restart()
    assert machine.look() == (told,)


def test_a_card_that_falls_off_the_bus_is_the_machines_doing(machine: Machine) -> None:
    machine.give_gpu("GPU-1")
    machine.cards.told = [Health("GPU-1", "0000:3b:00", 0, is_hot=False)]
    machine.look()
    machine.say(XID)
    machine.cards.told = []
    machine.cards.reported = [("GPU-1", 79)]
    (told,) = machine.look()
    assert kinds([told]) == [(IncidentKind.GPU_ERROR, IncidentBlame.MACHINE, machine.rental)]
    assert told.gpu_uuid == "GPU-1"


def test_the_driver_is_asked_where_nobody_may_read_the_log(machine: Machine) -> None:
    machine.log.unlink()
    machine.cards.reported = [("GPU-1", 31)]
    (told,) = machine.look()
    assert (told.blame, told.sentence) == (IncidentBlame.UNKNOWN, "The GPU reported Xid 31.")


def test_lost_bits_and_heat_are_told_when_they_come(machine: Machine) -> None:
    machine.cards.told = [Health("GPU-1", "p", 7, is_hot=False)]
    assert machine.look() == ()
    machine.cards.told = [Health("GPU-1", "p", 8, is_hot=True)]
    told = machine.look()
    assert [one.kind for one in told] == [IncidentKind.GPU_MEMORY, IncidentKind.GPU_HOT]
    machine.restart()
    assert machine.look() == told
    machine.cards.told = [Health("GPU-1", "p", 8, is_hot=False)]
    machine.look()
    machine.cards.told = [Health("GPU-1", "p", 8, is_hot=True)]
    assert len(machine.look()) == 3


def test_a_quiet_machine_writes_nothing(machine: Machine) -> None:
    machine.look()
    written = machine.journal._store._database.total_changes
    for _ in range(3):
        machine.say("veth3c65709: entered promiscuous mode")
        machine.look()
    assert machine.journal._store._database.total_changes == written


def test_a_machine_that_fails_for_days_keeps_a_bounded_list(machine: Machine) -> None:
    machine.look()
    for index in range(INCIDENTS_MOST + 5):
        machine.say(f"I/O error, dev sd{index}, sector 99")
    machine.look()
    assert len(machine.journal.unsent(most=10_000)) == INCIDENTS_MOST
