"""This will find out how a container gets its GPUs here: from Docker itself, or NVIDIA's hook."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from miner_agent.command import CommandFailed
from miner_agent.domain.gpus import GpuAccess, GpuGrant, card_of, devices, is_part, names_device
from miner_agent.engine import Engine
from miner_agent.mps import Mps, MpsFailed
from protocol.hardware import Gpu

SPECIFICATION_BYTES_MOST = 4 << 20
ENDINGS = (".yaml", ".json")

logger = logging.getLogger(__name__)


class GpuUnavailable(Exception):
    """This machine cannot put its GPUs into a container; what it answered is for the host."""


class GpuDoor:
    """Asked before each container is made: a host changes drivers while we run."""

    def __init__(
        self, engine: Engine, *, mps: Mps, units: Callable[[], Sequence[Gpu]] = tuple
    ) -> None:
        self._engine = engine
        self._mps = mps
        self._units = units

    def open(self, gpu_uuids: Sequence[str]) -> GpuGrant:
        """Return how a container gets these units, after their sharing service runs.

        :raises GpuUnavailable: when the service cannot be started.
        """
        if not gpu_uuids:
            return GpuGrant()
        granted = self.alone(gpu_uuids)
        try:
            share = self._mps.share(gpu_uuids, vram_bytes=self._part_bytes(gpu_uuids))
        except MpsFailed as error:
            raise GpuUnavailable(str(error)) from error
        if share is None:
            return granted
        told = {"environment": share.environment, "writable": share.mounts}
        return granted.model_copy(update=told)

    def alone(self, gpu_uuids: Sequence[str]) -> GpuGrant:
        """Return how a container gets these units whole, where nobody shares their cards."""
        if not gpu_uuids:
            return GpuGrant()
        access = self._access({card_of(unit) for unit in gpu_uuids})
        return GpuGrant(access=access, devices=devices(gpu_uuids, access=access))

    def starting(self, gpu_uuids: Sequence[str]) -> AbstractContextManager[None]:
        """Keep what these units need while a container with them is made or started."""
        return self._mps.starting(gpu_uuids)

    def rest(self, mounted: Callable[[], frozenset[str]]) -> None:
        """End what no running container needs; ``mounted`` asks what they have inside."""
        try:
            self._mps.rest(mounted)
        except CommandFailed as error:
            # The next one's end tries it again.
            logger.warning("sharing service not ended", extra={"error": str(error)})

    def _access(self, cards: set[str]) -> GpuAccess:
        folders = self._engine.facts().cdi_folders
        specifications = [text for folder in folders for text in _read(Path(folder))]
        known = (any(names_device(text, uuid=card) for text in specifications) for card in cards)
        # Docker looks for the hook when it starts, and tells nobody: a start will say.
        return GpuAccess.CDI if all(known) else GpuAccess.NVIDIA

    def _part_bytes(self, gpu_uuids: Sequence[str]) -> int:
        parts = {unit for unit in gpu_uuids if is_part(unit)}
        return min((unit.vram_bytes for unit in self._units() if unit.uuid in parts), default=0)


def _read(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix in ENDINGS and path.stat().st_size <= SPECIFICATION_BYTES_MOST:
            found.append(path.read_text(errors="replace"))
    return found
