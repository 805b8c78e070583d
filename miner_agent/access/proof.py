"""This will connect a validator's session with the prover that runs for it."""

import asyncio
import contextlib
import json
import socket

import asyncssh

from miner_agent.proofs import NoProof, Proofs

CHUNK_BYTES = 65536
#: of which a measurement of the line sends some 22 MB
INPUT_BYTES_MOST = 64 << 20
OUTPUT_BYTES_MOST = 64 << 20
#: what a session tells of who it is for: the key that signed its log-in
SIGNER = "signer"
#: of Docker's frames: a byte for which stream, three of nothing, four for the length
FRAME_HEAD_BYTES = 8


class ProofDesk:
    """Where validators' sessions meet provers."""

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs
        self._ending: set[asyncio.Task[None]] = set()

    async def serve(self, session: asyncssh.SSHServerProcess[bytes]) -> int:
        """Connect the session with a new prover and return its exit status."""
        validator = str(session.get_extra_info(SIGNER, ""))
        beginning = asyncio.create_task(asyncio.to_thread(self._proofs.begin, validator))
        status = -1
        try:
            line = await asyncio.shield(beginning)
            with contextlib.closing(line):
                status = await self._connect(session, line)
            return max(status, 1) if status else 0
        except NoProof as error:
            told = {"op": "error", "code": error.code, "message": str(error)}
            session.stdout.write(json.dumps(told).encode() + b"\n")
            await session.stdout.drain()
            return 1
        finally:
            ending = asyncio.create_task(self._end(beginning, status))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            # Whoever gives up waiting for it does not keep it from being done.
            await asyncio.shield(ending)

    async def _end(self, beginning: "asyncio.Task[socket.socket]", status: int) -> None:
        """End what was begun; a session may have given up before it was."""
        await asyncio.wait((beginning,))
        if beginning.exception() is None:
            beginning.result().close()
            await asyncio.to_thread(self._proofs.end, status)

    async def _connect(self, session: asyncssh.SSHServerProcess[bytes], line: socket.socket) -> int:
        reader, writer = await asyncio.open_connection(sock=line)
        feeding = asyncio.create_task(_copy_in(session, writer))
        answering = asyncio.create_task(_copy_out(reader, session))
        # A validator that hangs up frees the prover at once, not when its long step is done.
        leaving = asyncio.create_task(session.wait_closed())
        tasks = (feeding, answering, leaving)
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                return -1
            return await asyncio.to_thread(self._proofs.status)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()


async def _copy_in(session: asyncssh.SSHServerProcess[bytes], pipe: asyncio.StreamWriter) -> None:
    copied = 0
    while chunk := await session.stdin.read(CHUNK_BYTES):
        copied += len(chunk)
        if copied > INPUT_BYTES_MOST:
            break
        pipe.write(chunk)
        await pipe.drain()
    pipe.write_eof()


async def _copy_out(pipe: asyncio.StreamReader, session: asyncssh.SSHServerProcess[bytes]) -> None:
    copied = 0
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await pipe.readexactly(FRAME_HEAD_BYTES)
            left = int.from_bytes(head[4:], "big")
            copied += left
            if copied > OUTPUT_BYTES_MOST:
                return
            while left:
                chunk = await pipe.readexactly(min(left, CHUNK_BYTES))
                left -= len(chunk)
                session.stdout.write(chunk)
                await session.stdout.drain()
