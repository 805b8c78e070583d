"""This will hold what a command prints until it is read, and no more than a window of it."""

import asyncio

import asyncssh

#: bytes of one command's output that a machine may send ahead of our reading
WINDOW_BYTES = 131_072


def expected(error: Exception | None) -> Exception | None:
    """Return an error that callers expect: on odd bytes the library stumbles with any other."""
    if error is None or isinstance(error, asyncssh.Error | OSError):
        return error
    return asyncssh.ProtocolError("The server's message cannot be read.")


class Output(asyncssh.SSHClientSession[bytes]):
    """What a command prints, held until it is read; its stderr is dropped."""

    def __init__(self) -> None:
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._held = bytearray()
        self._paused = False
        self._ended = False
        self._lost: Exception | None = None
        self._more = asyncio.Event()

    def connection_made(self, chan: "asyncssh.SSHClientChannel[bytes]") -> None:
        """Keep the channel, to pause it."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Hold a part of the output, and stop the machine when a window of it is unread."""
        if datatype is not None:
            return
        self._held += data
        if len(self._held) >= WINDOW_BYTES and self._channel is not None and not self._paused:
            self._paused = True
            self._channel.pause_reading()
        self._more.set()

    def eof_received(self) -> bool:
        """Take that no more will come; what we have to say may still be said."""
        self._ended = True
        self._more.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take that no more will come."""
        self._ended, self._lost, self._channel = True, expected(exc), None
        self._more.set()

    async def read(self, bytes_max: int) -> bytes:
        """Return what has come, at least one byte; empty: the output has ended.

        :raises asyncssh.Error, OSError: when the connection broke.
        """
        while not self._held and not self._ended:
            self._more.clear()
            await self._more.wait()
        if not self._held and self._lost is not None:
            raise self._lost
        part = bytes(self._held[:bytes_max])
        del self._held[:bytes_max]
        if self._paused and self._channel is not None and len(self._held) < WINDOW_BYTES:
            self._paused = False
            self._channel.resume_reading()
        return part
