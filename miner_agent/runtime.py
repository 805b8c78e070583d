"""This will say what the agent needs of the machine that it runs placements on."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from miner_agent.domain.generation import Generation
from miner_agent.domain.image import Image
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from protocol.agent import Problem, RegistryLogin
from protocol.workload import JobFile


class CannotRun(Exception):
    """The placement cannot run here; ``code`` and the sentence may go to the marketplace."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Running:
    """A placement that runs: its container's start and, of a rental, its door's host key."""

    token: str
    host_key: str | None


@dataclass(frozen=True, slots=True)
class Collected:
    """What a job left, stored by the marketplace already; a problem where it left too much."""

    outputs: tuple[JobFile, ...]
    problem: Problem | None = None


class Runtime(Protocol):
    """What the agent needs from the machine; calls may raise EngineUnavailable and be repeated."""

    def containers(self) -> Collection[Container]:
        """Return every container of this machine."""
        ...

    def find(self, placement_id: UUID, generation: int) -> Container | None:
        """Return one container as it is at this moment."""
        ...

    def traces(self) -> Mapping[UUID, Collection[int]]:
        """Return the placements of which anything else is here, with the numbers of their disks."""
        ...

    def fetch(
        self,
        placement: Placement,
        *,
        login: RegistryLogin | None,
        progress: Callable[[str], None],
    ) -> Image:
        """Return the image of what is to run, fetching it and a job's inputs where missing.

        :raises CannotRun: when they cannot be had.
        """
        ...

    def make(self, placement: Placement, generation: Generation) -> None:
        """Make the container where it is missing, and its disk unless it adopts one.

        What runs of the same placement is not touched.

        :raises CannotRun: when it cannot be made, or files that were there are lost.
        """
        ...

    def start(self, placement: Placement, generation: Generation) -> Running:
        """Start what was made, with its disk; nothing else of the placement may run.

        :raises CannotRun: when it cannot run, for a reason that trying again may not change.
        :raises PortTaken: when another program listens on one of its ports.
        """
        ...

    def halt(self, placement_id: UUID, generation: int) -> None:
        """Let a container come to its end; one that is not there is fine."""
        ...

    def rekey(self, placement: Placement) -> None:
        """Let exactly the placement's authorized keys in."""
        ...

    def notify(self, placement: Placement) -> None:
        """Write the placement's notice where what runs finds it, and signal that if it asked to be.

        None: take a notice back.
        """
        ...

    def collect(self, placement: Placement, *, goes_on: Callable[[], None]) -> Collected:
        """Take what an ended job leaves behind, before it is removed; ``goes_on`` may end it.

        :raises MarketRefused: when the marketplace does not take it.
        """
        ...

    def tidy(self, placement_id: UUID, *, kept: Collection[Generation]) -> None:
        """Remove the containers and disks that are of none of these generations."""
        ...

    def remove(self, placement_id: UUID) -> None:
        """Remove containers, disks and door; what is missing is fine."""
        ...

    def trim(self, slots_used: Callable[[], frozenset[int]]) -> None:
        """Remove what is kept for all placements and that none of them uses any more."""
        ...
