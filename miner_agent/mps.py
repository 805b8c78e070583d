"""This will share a card among placements by NVIDIA's Multi-Process Service, one for each card.

The limits are the service's own defaults, which a client can lower and not raise, and the card
takes no other process (``Card.exclusive``). Clients and service speak through a folder of pipes and
through ``/dev/shm``, so all placements on one card share both: docs/isolation.md says what follows.
Source: CUDA MPS documentation, Tools and Interface Reference, read 2026-11-21.
"""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from miner_agent.command import CommandFailed, run
from miner_agent.domain.gpus import card_of, is_part

CONTROL = "nvidia-cuda-mps-control"
PIPES_INSIDE = "/berth-mps"
SHARED_MEMORY_INSIDE = "/dev/shm"  # noqa: S108
SHARED_MEMORY_BYTES = 4 << 30
#: the service's clients find each other in its /dev/shm, which is not the machine's
START = f'mount --bind "$0" {SHARED_MEMORY_INSIDE} && exec {CONTROL} -d'


class MpsFailed(Exception):
    """The service does not run; the sentence says what NVIDIA's program answered."""


@dataclass(frozen=True, slots=True)
class Share:
    """How a container reaches the service of its card."""

    environment: dict[str, str]
    #: host path -> path inside, to write on
    mounts: dict[str, str]


class Mps:
    """The services of this machine's cards, each with a folder of its own; they outlive us."""

    def __init__(self, directory: Path, *, slots: int) -> None:
        self._directory = directory
        self._slots = slots
        self._lock = threading.Lock()
        #: one look at what is used at a time: two would forget each other's starts
        self._looking = threading.Lock()
        #: cards of which a part is being given away just now, or was since the last look
        self._starting: Counter[str] = Counter()
        self._started: set[str] = set()

    def share(self, gpu_uuids: Sequence[str], *, vram_bytes: int) -> Share | None:
        """Return how these units are reached, starting the service; None: no part is among them.

        ``vram_bytes`` is what one part may use.

        :raises MpsFailed: when the service cannot be started or limited.
        """
        cards = sorted({card_of(unit) for unit in gpu_uuids if is_part(unit)})
        if not cards:
            return None
        if len(cards) > 1 or not all(is_part(unit) for unit in gpu_uuids):
            raise MpsFailed("Parts of several cards cannot be used together.")
        folder = self._directory / cards[0]
        self._ensure(cards[0], folder, vram_bytes=vram_bytes)
        return Share(
            environment={"CUDA_MPS_PIPE_DIRECTORY": PIPES_INSIDE},
            mounts={str(folder / "pipes"): PIPES_INSIDE, str(folder / "shm"): SHARED_MEMORY_INSIDE},
        )

    @contextmanager
    def starting(self, gpu_uuids: Sequence[str]) -> Iterator[None]:
        """Keep the services of these units while a container with them is made or started."""
        cards = {card_of(unit) for unit in gpu_uuids if is_part(unit)}
        with self._lock:
            self._starting.update(cards)
            self._started |= cards
        try:
            yield
        finally:
            with self._lock:
                self._starting.subtract(cards)

    def rest(self, mounted: Callable[[], frozenset[str]]) -> None:
        """End the services that nobody uses, and with each whatever its clients left in memory.

        ``mounted`` asks for all that running containers have inside of this machine's files.
        """
        if not self._folders():
            return
        with self._looking:
            with self._lock:
                self._started = {card for card, count in self._starting.items() if count}
            used = mounted()
            with self._lock:
                for folder in self._folders():
                    if folder.name not in self._started and str(folder / "shm") not in used:
                        self._end(folder)

    def remove(self) -> None:
        """End every service; one that does not run is fine."""
        for folder in self._folders():
            self._end(folder)

    def _folders(self) -> list[Path]:
        return list(self._directory.iterdir()) if self._directory.is_dir() else []

    def _end(self, folder: Path) -> None:
        if self._answers(folder):
            self._tell(folder, "quit")
        if os.path.ismount(folder / "shm"):
            run(["umount", "--lazy", str(folder / "shm")])
        shutil.rmtree(folder, ignore_errors=True)

    def _ensure(self, card: str, folder: Path, *, vram_bytes: int) -> None:
        try:
            if not self._answers(folder):
                self._start(card, folder)
            # Each time: a service that was killed before it heard its limits has none.
            self._tell(folder, f"set_default_device_pinned_mem_limit 0 {vram_bytes >> 20}M")
            self._tell(folder, f"set_default_active_thread_percentage {100 // self._slots}")
        except CommandFailed as error:
            raise MpsFailed(f"NVIDIA's sharing service does not work: {error}") from error

    def _start(self, card: str, folder: Path) -> None:
        for name in ("pipes", "log", "shm"):
            (folder / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        shared = folder / "shm"
        if not os.path.ismount(shared):
            options = f"size={SHARED_MEMORY_BYTES},mode=1777,nosuid,nodev,noexec"
            run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(shared)])
        start = ["unshare", "--mount", "--propagation", "private", "sh", "-c", START, str(shared)]
        run(["env", f"CUDA_VISIBLE_DEVICES={card}", *_variables(folder), *start])

    def _answers(self, folder: Path) -> bool:
        try:
            self._tell(folder, "get_default_active_thread_percentage")
        except CommandFailed:
            return False
        return True

    def _tell(self, folder: Path, words: str) -> None:
        run(["env", *_variables(folder), CONTROL], text=f"{words}\n", deadline_s=30)


def missing() -> tuple[str, ...]:
    """Return what has to be done before cards can be shared, each in a few words."""
    return () if shutil.which(CONTROL) else ("install NVIDIA's compute utilities",)


def _variables(folder: Path) -> tuple[str, str]:
    return (
        f"CUDA_MPS_PIPE_DIRECTORY={folder / 'pipes'}",
        f"CUDA_MPS_LOG_DIRECTORY={folder / 'log'}",
    )
