"""This will run one proof at a time in a process without rights, on a validator's line."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncssh

from miner_agent import proof_cpu

SOURCE = Path(proof_cpu.__file__)
#: processor seconds that one process of a proof may use
CPU_S_MOST = 600
CHUNK_BYTES = 65536
INPUT_BYTES_MOST = 4 << 20
OUTPUT_BYTES_MOST = 64 << 20
#: left alone whatever a proof asks for
MEMORY_KEPT_BYTES = 256 << 20
BUSY = b'{"op":"error","message":"Another proof is running."}\n'
FULL = b'{"op":"error","message":"No CPU core is free."}\n'


class Proofs:
    """The prover's process, started anew for every session."""

    def __init__(
        self,
        *,
        cores_free: Callable[[], Sequence[int]],
        leave: Callable[[], None] = lambda: None,
        come_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._cores_free = cores_free
        #: ends what else runs on free cores: measured is what a renter would get; both may block
        self._leave, self._come_back = leave, come_back
        self._running = False

    async def serve(self, session: asyncssh.SSHServerProcess[bytes]) -> int:
        """Connect the session with a new prover and return its exit status."""
        cores = self._cores_free()
        if self._running or not cores:
            session.stdout.write(BUSY if self._running else FULL)
            await session.stdout.drain()
            return 1
        self._running = True
        try:
            await asyncio.to_thread(self._leave)
            return await _prove(session, cores)
        finally:
            self._running = False
            await asyncio.to_thread(self._come_back)


async def _prove(session: asyncssh.SSHServerProcess[bytes], cores: Sequence[int]) -> int:
    prover = await asyncio.create_subprocess_exec(
        *_command(cores),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )
    assert prover.stdin is not None  # noqa: S101 -- both are pipes
    assert prover.stdout is not None  # noqa: S101
    feeding = asyncio.create_task(_copy_in(session, prover.stdin))
    answering = asyncio.create_task(_copy_out(prover.stdout, session))
    # A validator that hangs up frees the prover at once, not when its long step is done.
    leaving = asyncio.create_task(session.wait_closed())
    tasks = (feeding, answering, leaving)
    try:
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await prover.wait() if answering.done() else 1
    finally:
        for task in tasks:
            task.cancel()
        # The whole group: its forked workers would otherwise go on counting.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(prover.pid, signal.SIGKILL)
        await asyncio.gather(*tasks, return_exceptions=True)
        await prover.wait()


def _command(cores: Sequence[int]) -> list[str]:
    """Return the command; the source travels as text, so that no folder of ours is on its path."""
    interpreter = os.path.realpath(sys.executable)
    numbers = ",".join(map(str, cores))
    memory_bytes = max(0, available_memory_bytes() - MEMORY_KEPT_BYTES)
    # The prover gives its rights up itself, before it reads a byte: an interpreter below /root
    # could not be started as nobody at all.
    limits = (str(memory_bytes), str(CPU_S_MOST), numbers, "nobody" if os.geteuid() == 0 else "")
    return [interpreter, "-I", "-S", "-c", SOURCE.read_text(), *limits]


def available_memory_bytes() -> int:
    """Return the memory that can be used without swapping or harming what runs."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


async def _copy_in(session: asyncssh.SSHServerProcess[bytes], pipe: asyncio.StreamWriter) -> None:
    copied = 0
    while chunk := await session.stdin.read(CHUNK_BYTES):
        copied += len(chunk)
        if copied > INPUT_BYTES_MOST:
            break
        pipe.write(chunk)
        await pipe.drain()
    pipe.close()


async def _copy_out(pipe: asyncio.StreamReader, session: asyncssh.SSHServerProcess[bytes]) -> None:
    copied = 0
    while chunk := await pipe.read(CHUNK_BYTES):
        copied += len(chunk)
        if copied > OUTPUT_BYTES_MOST:
            return
        session.stdout.write(chunk)
        await session.stdout.drain()
