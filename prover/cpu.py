"""This will answer a proof-of-CPU: hash on every core, fill memory, walk through it."""

import hashlib
import mmap
import os
import struct
from collections.abc import Callable

from prover.lines import Answer, BadRequest, Demand, Request, Session, natural
from prover.merkle import merkle_levels, merkle_path, sha256

PAGE_BYTES = 65536
CELL_BYTES = 64
TASKS_MOST = 1 << 20


def share(processes: int, count: int, work: Callable[[int], bytes]) -> list[bytes]:
    """Return work(0..count-1), spread over forked processes."""
    processes = max(1, min(processes, count))
    children = []
    for first in range(processes):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _work_and_exit(writing, work, range(first, count, processes))
        os.close(writing)
        children.append((reading, child))
    answers: list[bytes] = [b""] * count
    failed = False
    for first, (reading, child) in enumerate(children):
        with os.fdopen(reading, "rb") as pipe:
            content = pipe.read()
        failed |= os.waitpid(child, 0)[1] != 0
        for position, index in enumerate(range(first, count, processes)):
            size = len(content) // len(range(first, count, processes))
            answers[index] = content[position * size : (position + 1) * size]
    if failed:
        raise BadRequest("A worker process failed.")
    return answers


def _work_and_exit(writing: int, work: Callable[[int], bytes], indexes: range) -> None:
    status = 1
    try:
        with os.fdopen(writing, "wb") as pipe:
            for index in indexes:
                pipe.write(work(index))
        status = 0
    finally:
        os._exit(status)


class Cpu:
    """The demands on cores and memory."""

    def __init__(self, session: Session, *, memory_bytes_most: int, cores: int) -> None:
        self._session = session
        self._memory_bytes_most = memory_bytes_most
        self._cores = cores
        self._pages = 0
        self._memory: mmap.mmap | None = None
        self._digests: dict[str, list[bytes]] = {}
        self._levels: dict[str, list[list[bytes]]] = {}

    def demands(self) -> dict[str, Demand]:
        """Return what is answered here, by operation."""
        return {
            "cpu_hash": self._cpu_hash,
            "ram_fill": self._ram_fill,
            "ram_walk": self._ram_walk,
            "open": self._open,
        }

    def _seed(self, what: bytes, request: Request) -> bytes:
        return sha256(sha256(self._session.bind + what) + bytes.fromhex(request["nonce"]))

    def _cpu_hash(self, request: Request) -> Answer:
        seed, iterations = self._seed(b"cpu", request), natural(request, "iterations", 1 << 32)

        def work(task: int) -> bytes:
            return hashlib.pbkdf2_hmac("sha256", seed, struct.pack("<Q", task), iterations)

        return self._commit("hash", request, "tasks", work)

    def _ram_fill(self, request: Request) -> Answer:
        pages = natural(request, "pages", self._memory_bytes_most // PAGE_BYTES)
        seed, self._memory = self._seed(b"ram", request), None
        memory = mmap.mmap(-1, pages * PAGE_BYTES)

        def work(page: int) -> bytes:
            content = hashlib.shake_128(seed + struct.pack("<Q", page)).digest(PAGE_BYTES)
            memory[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = content
            return b"."

        share(self._processes(request), pages, work)
        self._memory, self._pages = memory, pages
        return {"pages": pages}

    def _ram_walk(self, request: Request) -> Answer:
        if self._memory is None:
            raise BadRequest("The memory has not been filled.")
        seed, steps = self._seed(b"walk", request), natural(request, "steps", 1 << 32)
        memory, pages, cells = self._memory, self._pages, PAGE_BYTES // CELL_BYTES

        def work(walk: int) -> bytes:
            place = sha256(seed + struct.pack("<Q", walk))
            for _ in range(steps):
                page = int.from_bytes(place[:8], "little") % pages
                cell = int.from_bytes(place[8:16], "little") % cells
                start = page * PAGE_BYTES + cell * CELL_BYTES
                place = sha256(place + memory[start : start + CELL_BYTES])
            return place

        return self._commit("walk", request, "walks", work)

    def _commit(
        self, what: str, request: Request, count: str, work: Callable[[int], bytes]
    ) -> Answer:
        leaves = share(self._processes(request), natural(request, count, TASKS_MOST), work)
        self._digests[what], self._levels[what] = leaves, merkle_levels(leaves)
        return {"root": self._levels[what][-1][0].hex()}

    def _open(self, request: Request) -> Answer:
        what = str(request.get("what"))
        if what not in self._digests:
            raise BadRequest("There is nothing to open yet.")
        digests, levels = self._digests[what], self._levels[what]
        items = []
        for leaf in request["leaves"]:
            if not isinstance(leaf, int) or not 0 <= leaf < len(digests):
                raise BadRequest("There is no such leaf.")
            path = [sibling.hex() for sibling in merkle_path(levels, leaf)]
            items.append({"digest": digests[leaf].hex(), "path": path})
        return {"items": items}

    def _processes(self, request: Request) -> int:
        return min(natural(request, "procs", 4096), max(1, self._cores * 2))
