"""This will hand a job its inputs and take its outputs, both by their content."""

import io
import logging
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from miner_agent import loops, outputs
from miner_agent.domain.owned import owner
from miner_agent.outputs import Output, OutputsRefused
from miner_agent.runtime import Collected
from miner_agent.transfers import Transfers
from protocol.agent import Problem
from protocol.workload import LOG_FILES, OUTPUTS_MOST, JobFile

INPUT, OUTPUT, PART = "input", "output", "part"

logger = logging.getLogger(__name__)


class JobFiles:
    """One directory for each job: its inputs, and where its output folder is mounted."""

    def __init__(self, directory: Path, *, transfers: Transfers) -> None:
        self._directory = directory
        self._transfers = transfers
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def input_folder(self, placement_id: UUID) -> Path:
        """Return the folder that the job sees as its inputs and cannot write."""
        return self._folder(placement_id) / INPUT

    def output_folder(self, placement_id: UUID) -> Path:
        """Return the folder that the job leaves its outputs in."""
        return self._folder(placement_id) / OUTPUT

    def prepare(self, placement_id: UUID) -> None:
        """Make both folders, so that Docker need not."""
        folder = self._folder(placement_id)
        folder.mkdir(mode=0o700, exist_ok=True)
        for inner in (INPUT, OUTPUT):
            (folder / inner).mkdir(mode=0o755, exist_ok=True)

    def fetch(
        self, placement_id: UUID, inputs: Sequence[JobFile], *, progress: Callable[[str], None]
    ) -> None:
        """Fetch every input that is not here yet; one that is here is whole.

        :raises MarketRefused: when the marketplace does not give one out.
        :raises MarketUnreachable: when it does not answer.
        :raises BlobBroken: when something else came.
        """
        self.prepare(placement_id)
        root, part = self.input_folder(placement_id), self._folder(placement_id) / PART
        for number, one in enumerate(inputs):
            target = root / one.path
            if target.exists():
                continue
            text = f"fetching input {number + 1} of {len(inputs)}"
            progress(text)
            self._transfers.get(
                one.digest,
                size_bytes=one.size_bytes,
                into=part,
                # Whatever was given up meanwhile is heard here.
                goes_on=lambda text=text: progress(text),  # type: ignore[misc]
            )
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            part.chmod(0o444)
            part.rename(target)

    def mount_output(self, placement_id: UUID, disk: Path) -> None:
        """Let the output folder be a part of the job's own limited disk; idempotent.

        :raises CommandFailed: when it cannot be mounted.
        """
        self.prepare(placement_id)
        source = disk / OUTPUT
        source.mkdir(exist_ok=True)
        # The image may name any user.
        source.chmod(stat.S_ISVTX | 0o777)
        loops.bind(source, self.output_folder(placement_id), options="nosuid,nodev")

    def collect(
        self,
        placement_id: UUID,
        *,
        bytes_most: int,
        logs: Sequence[bytes],
        goes_on: Callable[[], None] = lambda: None,
    ) -> Collected:
        """Store what the job left and what it said, ``logs`` being the ends of stdout and stderr.

        :raises MarketRefused: when the marketplace does not take one.
        :raises MarketUnreachable: when it does not answer; the same again is fine.
        """
        root, problem = self.output_folder(placement_id), None
        try:
            files_most = OUTPUTS_MOST - len(LOG_FILES)
            found = outputs.find(root, files_most=files_most, bytes_most=bytes_most)
        except OutputsRefused as error:
            found, problem = (), Problem(code=error.code, message=str(error))
        stored = []
        for output in found:
            if output.path not in LOG_FILES:
                with outputs.opened(root, output) as file:
                    stored.append(self._store(placement_id, output, file, goes_on))
        for path, content in zip(LOG_FILES, logs, strict=True):
            output = Output(path, len(content))
            stored.append(self._store(placement_id, output, io.BytesIO(content), goes_on))
        logger.info(
            "job outputs stored", extra={"placement": str(placement_id), "files": len(stored)}
        )
        return Collected(tuple(stored), problem)

    def remove(self, placement_id: UUID) -> None:
        """Remove the inputs, and unmount the outputs; nothing is fine.

        :raises CommandFailed: when they are in use.
        """
        loops.unmount(self.output_folder(placement_id))
        shutil.rmtree(self._folder(placement_id), ignore_errors=True)

    def traces(self) -> frozenset[UUID]:
        """Return the jobs that have a directory here."""
        folders = (path for path in self._directory.iterdir() if path.is_dir())
        return frozenset(one for path in folders if (one := owner(path.name)) is not None)

    def _store(
        self, placement_id: UUID, output: Output, file: BinaryIO, goes_on: Callable[[], None]
    ) -> JobFile:
        told = outputs.described(file, output)
        self._transfers.put(
            placement_id,
            digest=told.digest,
            size_bytes=told.size_bytes,
            file=file,
            goes_on=goes_on,
        )
        return told

    def _folder(self, placement_id: UUID) -> Path:
        return self._directory / str(placement_id)
