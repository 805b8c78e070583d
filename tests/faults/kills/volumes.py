"""The volumes of a machine whose agent is killed, as their renters see them."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from protocol.agent import ObservedVolume
from protocol.workload import DesiredVolume, VolumeMount, VolumeState

VOLUMES_MOST, SIZE_BYTES = 2, 1 << 20
#: how many rentals want one
WANTED = 0.5


@dataclass(slots=True)
class Volume:
    """A volume, and what its renter left on it."""

    desired: DesiredVolume
    lines: list[str] = field(default_factory=list)


class Volumes:
    """Everything happens under the engine's lock."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._volumes: dict[UUID, Volume] = {}
        self.uses = self.removed = 0
        self.broken: list[str] = []

    def wish(self, orders: Iterable[Any]) -> None:
        """Let somebody make a volume, or throw one away that nothing has."""
        if len(self._volumes) < VOLUMES_MOST:
            volume_id = UUID(int=self._chance.getrandbits(128), version=4)
            desired = DesiredVolume(volume_id=volume_id, size_bytes=SIZE_BYTES)
            self._volumes[volume_id] = Volume(desired)
        elif self._chance.random() < 0.05 and (free := self._free(orders)):
            self._remove(self._chance.choice(free))

    def for_one(self, orders: Iterable[Any]) -> tuple[VolumeMount, ...]:
        """Return what a new rental has of them: each is in one placement at a time."""
        free = self._free(orders)
        if not free or self._chance.random() > WANTED:
            return ()
        return (VolumeMount(volume_id=self._chance.choice(free), path="/data"),)

    def remove_all(self) -> None:
        """Let every volume be thrown away."""
        for volume_id in self._volumes:
            self._remove(volume_id)

    def desired(self) -> tuple[DesiredVolume, ...]:
        """Return what the machine is told."""
        return tuple(volume.desired for volume in self._volumes.values())

    def observe(self, told: Sequence[ObservedVolume], broken: list[str]) -> None:
        """Take in what the machine says."""
        broken += self.broken
        self.broken.clear()
        for one in told:
            volume = self._volumes.get(one.volume_id)
            if volume is None:
                continue
            if one.state is VolumeState.REFUSED:
                broken.append(f"{one.volume_id} is refused: {one.problem}")
            elif one.state is VolumeState.GONE and volume.desired.remove:
                self.removed += 1
                del self._volumes[one.volume_id]

    def on_use(self, volume_id: UUID, found: list[str], left: list[str]) -> None:
        """Judge what a rental finds on its volume, and note what it leaves."""
        volume = self._volumes.get(volume_id)
        if volume is None or found != volume.lines:
            self.broken.append(f"the volume {volume_id} has {found} and not {volume}")
            return
        volume.lines = left
        self.uses += 1

    def on_loss(self, volume_id: UUID) -> None:
        """Judge that the files of a volume are removed."""
        volume = self._volumes.get(volume_id)
        if volume is not None and volume.lines and not volume.desired.remove:
            self.broken.append(f"the volume {volume_id} is removed though nobody asked for it")

    def _free(self, orders: Iterable[Any]) -> list[UUID]:
        used = {one.volume_id for order in orders for one in order.desired.workload.volumes}
        return [
            volume_id
            for volume_id, volume in self._volumes.items()
            if volume_id not in used and not volume.desired.remove
        ]

    def _remove(self, volume_id: UUID) -> None:
        volume = self._volumes[volume_id]
        volume.desired = volume.desired.model_copy(update={"remove": True})
