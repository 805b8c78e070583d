"""This will give a proof a folder on the disk of placements, so large and no larger, once."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from miner_agent import disk, loops
from miner_agent.command import CommandFailed
from miner_agent.domain.root_inside import Ids

#: four times what a validator has written, which is what the prover wants to see free
SIZE_BYTES = 300 << 20

logger = logging.getLogger(__name__)


class Scratch:
    """An ext4 of its own in a file, as placements' disks are, and what is measured is theirs."""

    def __init__(self, folder: Path, *, root_inside: Callable[[], Ids]) -> None:
        self._file = folder / "scratch.img"
        self._target = folder / "scratch"
        self._root_inside = root_inside

    def open(self, user: int) -> Path | None:
        """Return a new empty folder for this user of a container; None where none can be had.

        :raises EngineUnavailable: when Docker does not say whom the user acts as.
        """
        if disk.missing():
            return None
        inside = self._root_inside()
        try:
            self.close()
            self._target.mkdir(mode=0o711, parents=True, exist_ok=True)
            loops.make_file_system(self._file, size_bytes=SIZE_BYTES)
            loops.mount(self._file, self._target, options="nodev,nosuid,noexec")
            os.chown(self._target, inside.user + user, inside.group + user)
            # Its room is free again as soon as nothing has it mounted, whoever dies before.
            self._file.unlink()
        except (CommandFailed, OSError) as error:
            logger.warning("no disk to measure", extra={"error": str(error)})
            self.close()
            return None
        return self._target

    def close(self) -> None:
        """Take it away, with what is in it; what is not there is fine."""
        try:
            loops.unmount(self._target)
            loops.let_go(self._file)
            self._file.unlink(missing_ok=True)
        except (CommandFailed, OSError) as error:
            # The next one tries it again.
            logger.warning("scratch not removed", extra={"error": str(error)})
