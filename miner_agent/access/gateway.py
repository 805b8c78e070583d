"""This will let the marketplace's gateways reach replicas' HTTP ports through the agent's door."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncssh
from asyncssh.forward import SSHForwarder

logger = logging.getLogger(__name__)

#: streams that one gateway key has open at once, over all its connections: to one replica, and in
#: all. The second is far more than a gateway has requests, so no tenant can use up another's.
STREAMS_MOST_EACH, STREAMS_MOST = 1024, 8192
CONNECT_S = 5.0
#: host and port of a replica on this machine; None: it is not here, or it does not run
Lookup = Callable[[str, int], Awaitable[tuple[str, int] | None]]


@dataclass(frozen=True, slots=True)
class Gateways:
    """Who may reach what. ``keys`` is asked at every stream, so a revoked key is out at once."""

    keys: Callable[[], Sequence[str]]
    replica: Lookup
    #: by the gateway's key and the placement
    streams: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def open(self, key: str, placement: str, port: int) -> "Stream":
        """Return a stream to the replica's own port.

        :raises ChannelOpenError: when there is no such replica or there are too many streams.
        """
        whose = (key, placement)
        in_all = sum(count for (other, _), count in self.streams.items() if other == key)
        if self.streams[whose] >= STREAMS_MOST_EACH or in_all >= STREAMS_MOST:
            # Not as where a replica does not answer: this says nothing about it.
            raise _refused(
                "This gateway has too many streams open.", asyncssh.OPEN_RESOURCE_SHORTAGE
            )
        self.streams[whose] += 1
        try:
            # Counted from here on, as the look-up may take its time.
            upstream = await self._connect(placement, port)
        except BaseException:
            self._end(whose)
            raise
        return Stream(upstream, ended=lambda: self._end(whose))

    async def _connect(self, placement: str, port: int) -> SSHForwarder:
        place = await self.replica(placement, port)
        if place is None:
            raise _refused("There is no such replica.")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, upstream = await loop.create_connection(SSHForwarder, *place)
        except OSError as error:
            logger.info("replica not reached", extra={"placement": placement, "error": str(error)})
            raise _refused("The replica does not answer.") from error
        return upstream

    def _end(self, whose: tuple[str, str]) -> None:
        self.streams[whose] -= 1
        if not self.streams[whose]:
            del self.streams[whose]


class Stream(SSHForwarder):
    """The gateway's end of a stream; what comes is passed on as it comes, also the end of it."""

    def __init__(self, upstream: SSHForwarder, *, ended: Callable[[], None]) -> None:
        super().__init__(upstream)
        self._ended = contextlib.ExitStack()
        self._ended.callback(ended)

    def close(self) -> None:
        """Close both ends; asyncssh does so more than once."""
        self._ended.close()
        super().close()


def _refused(sentence: str, code: int = asyncssh.OPEN_CONNECT_FAILED) -> asyncssh.ChannelOpenError:
    return asyncssh.ChannelOpenError(code, sentence)
