"""This will define one container of a placement: what it was, or is to be, made as."""

from pydantic import Field

from miner_agent.domain.image import Image
from protocol.message import Message
from protocol.workload import Workload


class Generation(Message):
    """A container as it was made; a change of anything here needs a new one.

    The disk is the placement's: a new generation of the same image adopts the one before's.
    """

    number: int
    #: the number of the generation for which its disk was made: its own, unless it adopts
    disk: int
    edition: int
    resets: int
    workload: Workload
    image: Image
    gpu_uuids: tuple[str, ...] = ()
    #: the network slot; None: it has no network, or has given it back
    slot: int | None = None
    #: empty: it has given back what it had of the machine, and cannot run any more
    cores: tuple[int, ...] = ()
    #: port inside -> port of the machine, the SSH door's included
    ports: dict[int, int] = Field(default_factory=dict)

    @property
    def adopts(self) -> bool:
        """Say whether its disk was made for a generation before it."""
        return self.disk != self.number

    def without_room(self) -> "Generation":
        """Return it after it gave back cores, GPUs and network; its disk and ports stay."""
        return self.model_copy(update={"cores": (), "gpu_uuids": (), "slot": None})
