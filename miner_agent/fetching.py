"""This will fetch an image for as long as its registry is quick and this machine has the room."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing

from miner_agent.domain.pull import SLOWEST_BYTES_S, Pull
from miner_agent.engine import Engine, EngineRefused
from protocol.agent import RegistryLogin

#: below the hour that a marketplace gives a start that goes on
PULL_DEADLINE_S = 3300
#: at once on this machine; who waits for one keeps nothing but a thread
PULLS_MOST = 4
#: each change is a request to the marketplace
PROGRESS_EVERY_S = 1.0
#: a fetch that leaves less than this is given up: Docker itself needs a disk that is not full
KEPT_BYTES = 2 << 30
#: with less than this, unused images are removed before another one is fetched
ROOM_BYTES = 10 << 30
#: the same of files, of which a disk holds only so many
KEPT_FILES, ROOM_FILES = 100_000, 500_000
#: as the registry sends it; what it unpacks to is watched on the disk
IMAGE_BYTES_MOST = 64 << 30


class PullGivenUp(Exception):
    """This machine will not go on with a fetch; why, in a few words."""


def free_bytes(folder: str) -> int:
    """Return the room on the disk of this folder."""
    return shutil.disk_usage(folder).free


def free_files(folder: str) -> int:
    """Return how many more files the disk of this folder can hold."""
    told = os.statvfs(folder)
    # Some file systems have no such limit.
    return told.f_favail if told.f_files else ROOM_FILES


class Fetching:
    """The few pulls that this machine does at once."""

    def __init__(
        self,
        engine: Engine,
        *,
        make_room: Callable[[], None],
        free_bytes: Callable[[str], int] = free_bytes,
        free_files: Callable[[str], int] = free_files,
    ) -> None:
        self._engine = engine
        self._make_room = make_room
        self._free_bytes = free_bytes
        self._free_files = free_files
        self._pulls = threading.BoundedSemaphore(PULLS_MOST)

    def fetch(
        self,
        name: str,
        *,
        login: RegistryLogin | None,
        progress: Callable[[str], None],
    ) -> None:
        """Fetch ``repository@digest`` unless it comes while this one waits for its turn.

        :raises PullGivenUp: when it is too slow, too large or there is no room.
        """
        while not self._pulls.acquire(timeout=PROGRESS_EVERY_S):
            progress("waiting for other images")
        try:
            if self._engine.image(name) is None:
                self._pull(name, login, progress)
        finally:
            self._pulls.release()

    def _lacks(self, root: str, room_bytes: int, room_files: int) -> bool:
        return self._free_bytes(root) < room_bytes or self._free_files(root) < room_files

    def _pull(
        self, name: str, login: RegistryLogin | None, progress: Callable[[str], None]
    ) -> None:
        root = self._engine.facts().root
        if self._lacks(root, ROOM_BYTES, ROOM_FILES):
            self._make_room()
        deadline = time.monotonic() + PULL_DEADLINE_S
        pull = Pull()
        shown_at = 0.0
        repository, _, digest = name.partition("@")
        with closing(self._engine.pull(repository, digest, login=login)) as lines:
            for line in lines:
                if "error" in line:
                    raise EngineRefused(str(line["error"]))
                pull.note(line)
                now_s = time.monotonic()
                if now_s - shown_at > PROGRESS_EVERY_S:
                    if self._lacks(root, KEPT_BYTES, KEPT_FILES):
                        raise PullGivenUp("this machine has no room for it")
                    percent = pull.percent()
                    progress("pulling" if percent is None else f"pulling {percent} %")
                    shown_at = now_s
                if pull.size_bytes() > IMAGE_BYTES_MOST:
                    raise PullGivenUp(f"it is larger than {IMAGE_BYTES_MOST >> 30} GiB")
                if pull.is_too_slow(now_s=now_s):
                    slowest = f"{SLOWEST_BYTES_S // 1000} kB a second"
                    raise PullGivenUp(f"its registry sent less than {slowest} for minutes")
                if now_s > deadline:
                    raise PullGivenUp(f"it took longer than {PULL_DEADLINE_S} s")
