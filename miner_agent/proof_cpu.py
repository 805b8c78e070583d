"""This will answer a validator's proof-of-CPU: hash on every core, fill memory, walk through it.

Standard library only and run as a process of its own, as nobody where possible: one JSON object per
line on standard input and output. Nothing here is trusted, for the validator checks every answer.
"""

import contextlib
import hashlib
import json
import mmap
import os
import pwd
import resource
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

PAGE_BYTES = 65536
CELL_BYTES = 64
LINE_CHARACTERS_MOST = 1 << 20
TASKS_MOST = 1 << 20


class BadRequest(Exception):
    """The validator asked for something that cannot be done here."""


def sha256(content: bytes) -> bytes:
    """Return the SHA-256 of ``content``."""
    return hashlib.sha256(content).digest()


def merkle_levels(digests: Sequence[bytes]) -> list[list[bytes]]:
    """Return the tree from the hashed leaves to the root; an odd node is promoted unchanged."""
    levels = [[sha256(b"\x00" + digest) for digest in digests]]
    while len(levels[-1]) > 1:
        row = levels[-1]
        above = [sha256(b"\x01" + row[i] + row[i + 1]) for i in range(0, len(row) - 1, 2)]
        levels.append(above + row[len(row) & ~1 :])
    return levels


def merkle_path(levels: Sequence[Sequence[bytes]], leaf: int) -> list[bytes]:
    """Return the siblings from the leaf up; a promoted node has none."""
    path = []
    for row in levels[:-1]:
        if leaf ^ 1 < len(row):
            path.append(row[leaf ^ 1])
        leaf //= 2
    return path


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


class Prover:
    """The answers to one validator, who has one bind value for the whole session."""

    def __init__(self, *, memory_bytes_most: int, cores: int) -> None:
        self._memory_bytes_most = memory_bytes_most
        self._cores = cores
        self._bind = b""
        self._pages = 0
        self._memory: mmap.mmap | None = None
        self._digests: dict[str, list[bytes]] = {}
        self._levels: dict[str, list[list[bytes]]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "hello": self._hello,
            "cpu_hash": self._cpu_hash,
            "ram_fill": self._ram_fill,
            "ram_walk": self._ram_walk,
            "open": self._open,
        }
        operation = operations.get(str(request.get("op")))
        if operation is None:
            raise BadRequest("This operation is not known.")
        return {"op": request["op"], **operation(request)}

    def _hello(self, request: dict[str, Any]) -> dict[str, Any]:
        self._bind = bytes.fromhex(request["bind"])
        return {"cpus": os.cpu_count() or 1, "affinity": len(os.sched_getaffinity(0))}

    def _seed(self, what: bytes, request: dict[str, Any]) -> bytes:
        return sha256(sha256(self._bind + what) + bytes.fromhex(request["nonce"]))

    def _cpu_hash(self, request: dict[str, Any]) -> dict[str, Any]:
        seed, iterations = self._seed(b"cpu", request), _natural(request, "iterations", 1 << 32)

        def work(task: int) -> bytes:
            return hashlib.pbkdf2_hmac("sha256", seed, struct.pack("<Q", task), iterations)

        return self._commit("hash", request, "tasks", work)

    def _ram_fill(self, request: dict[str, Any]) -> dict[str, Any]:
        pages = _natural(request, "pages", self._memory_bytes_most // PAGE_BYTES)
        seed, self._memory = self._seed(b"ram", request), None
        memory = mmap.mmap(-1, pages * PAGE_BYTES)

        def work(page: int) -> bytes:
            content = hashlib.shake_128(seed + struct.pack("<Q", page)).digest(PAGE_BYTES)
            memory[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = content
            return b"."

        share(self._processes(request), pages, work)
        self._memory, self._pages = memory, pages
        return {"pages": pages}

    def _ram_walk(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._memory is None:
            raise BadRequest("The memory has not been filled.")
        seed, steps = self._seed(b"walk", request), _natural(request, "steps", 1 << 32)
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
        self, what: str, request: dict[str, Any], count: str, work: Callable[[int], bytes]
    ) -> dict[str, Any]:
        leaves = share(self._processes(request), _natural(request, count, TASKS_MOST), work)
        self._digests[what], self._levels[what] = leaves, merkle_levels(leaves)
        return {"root": self._levels[what][-1][0].hex()}

    def _open(self, request: dict[str, Any]) -> dict[str, Any]:
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

    def _processes(self, request: dict[str, Any]) -> int:
        return min(_natural(request, "procs", 4096), max(1, self._cores * 2))


def _natural(request: dict[str, Any], name: str, most: int) -> int:
    value = request.get(name)
    if not isinstance(value, int) or not 1 <= value <= most:
        raise BadRequest(f"{name} must be from 1 to {most}.")
    return value


def confine(*, memory_bytes_most: int, cores: Sequence[int], seconds_most: int) -> None:
    """Give up what a proof does not need: other cores, files, more memory, endless time."""
    os.sched_setaffinity(0, cores)
    address_space = memory_bytes_most + (1 << 30)
    for limit, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, seconds_most),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    # When memory gets short the proof dies first, never a rental.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def become(user: str) -> None:
    """Give up every right that this user does not have."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def main(arguments: Sequence[str]) -> int:
    """Answer requests until "bye" or the end of input. Arguments: bytes, seconds, cores, user."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    memory_bytes_most, seconds_most = int(arguments[0]), int(arguments[1])
    cores = [int(core) for core in arguments[2].split(",")]
    confine(memory_bytes_most=memory_bytes_most, cores=cores, seconds_most=seconds_most)
    # After the limits: the kernel hides /proc/self from a process that has changed its user.
    if arguments[3]:
        become(arguments[3])
    prover = Prover(memory_bytes_most=memory_bytes_most, cores=len(cores))
    while line := sys.stdin.readline(LINE_CHARACTERS_MOST):
        try:
            request = json.loads(line)
            if request.get("op") == "bye":
                break
            answer = prover.answer(request)
        except (BadRequest, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            answer = {"op": "error", "message": f"{type(error).__name__}: {error}"[:300]}
        sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
