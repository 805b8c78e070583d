"""When a proof may run: beside what placements hold, in nobody's way, and ready in time."""

import socket
from pathlib import Path

import pytest

from miner_agent.domain.spare import Share
from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.journal import Journal
from miner_agent.proof_container import Room
from miner_agent.proof_image import ImageFailed
from miner_agent.proofs import NoProof, Proofs
from tests.miner_agent.world import VirtualClock


class Container:
    """Starts nothing, and notes what it was asked for."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fault: Exception | None = None

    def start(self, room: Room) -> socket.socket:
        self.told.append("start")
        if self.fault is not None:
            raise self.fault
        return socket.socketpair()[0]

    def status(self) -> int:
        return 0

    def remove(self) -> None:
        self.told.append("remove")


class Machine:
    def __init__(self, folder: Path) -> None:
        self.container, self.clock = Container(), VirtualClock()
        self.journal = Journal(folder / "journal")
        self.prepared: list[str] = []
        self.fault: Exception | None = None
        self.idle: list[str] = []
        self.proofs = Proofs(
            container=self.container,
            prepare=self.prepare,
            journal=self.journal,
            clock=self.clock,
            offered=lambda: Share(frozenset({0, 1}), frozenset({"GPU-1"}), 1 << 30),
            seconds_a_day=100,
            leave=lambda: self.idle.append("away"),
            come_back=lambda: self.idle.append("back"),
        )

    def prepare(self) -> None:
        self.prepared.append("image")
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_a_killed_agent_left_goes_once_and_nothing_is_made_for_nobody(
    machine: Machine,
) -> None:
    for _ in range(2):
        machine.proofs.tidy()
    assert (machine.container.told, machine.prepared) == (["remove"], [])


@pytest.mark.parametrize("fault", [EngineUnavailable("a"), EngineRefused("b"), ImageFailed("c")])
def test_an_image_that_cannot_be_made_is_tried_again(machine: Machine, fault: Exception) -> None:
    machine.journal.remember(validators="ssh-ed25519 AAAA")
    machine.fault = fault
    for _ in range(2):
        machine.proofs.tidy()
    assert machine.prepared == ["image"] * 2
    with pytest.raises(NoProof) as refused:
        machine.proofs.begin("alice")
    assert refused.value.code == "proof_unavailable"


def test_a_start_that_fails_leaves_the_machine_free(machine: Machine) -> None:
    machine.container.fault = EngineRefused("no")
    with pytest.raises(NoProof):
        machine.proofs.begin("alice")
    assert machine.idle == ["away", "back"]
    assert machine.container.told[-1] == "remove"
    machine.container.fault = None
    machine.proofs.begin("alice").close()
    with pytest.raises(NoProof) as refused:
        machine.proofs.begin("bob")
    assert refused.value.code == "proof_running"
    machine.proofs.end(0)
    machine.proofs.begin("bob").close()


def test_a_proof_without_a_wanted_gpu_goes_on(machine: Machine) -> None:
    machine.proofs.begin("alice").close()
    told = list(machine.container.told)
    machine.proofs.make_way()
    assert machine.container.told == told
