"""This will speak HTTP/1.1 with one replica for one request, on a stream of its own.

The stream carries nothing else before or after, so no answer can be taken for another request's.
"""

import asyncio
from collections.abc import AsyncIterator

import h11

from marketplace.endpoints.gateway.headers import Header
from marketplace.endpoints.gateway.machines import Broken, Stream

#: of an answer: its status and headers
HEAD_BYTES_MAX = 64 << 10
READ_BYTES = 64 << 10
#: "100 Continue" and the like before the answer itself
INFORMATIONS_MAX = 10
#: of an answer's chunks that are taken before anybody else has a turn
CHUNKS_AT_ONCE = 64


class Exchange:
    """One request and its answer; both may be under way at once.

    ``lane``: where it waits whose answer has more at hand than one turn takes. It is the same for
    all, so they go on one after another, and everybody else in between: no answer, however many
    tiny chunks it comes in, holds up others.
    """

    def __init__(self, stream: Stream, *, lane: asyncio.Lock) -> None:
        self._stream = stream
        self._lane = lane
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)

    async def ask(self, *, method: str, target: bytes, headers: list[Header]) -> None:
        """Send the request without its body.

        :raises Broken: when the stream ended.
        """
        await self._send(h11.Request(method=method, target=target, headers=headers))

    async def say(self, content: bytes) -> None:
        """Send a part of the body.

        :raises Broken: when the stream ended.
        """
        await self._send(h11.Data(data=content))

    async def finish(self) -> None:
        """End the body.

        :raises Broken: when the stream ended.
        """
        await self._send(h11.EndOfMessage())

    async def answer(self) -> h11.Response:
        """Return status and headers, once.

        :raises Broken: when no such answer comes.
        """
        for _ in range(1 + INFORMATIONS_MAX):
            event = await self._next()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                break
        raise Broken("The replica gave no answer.")

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the answer's body as it comes; what came at once is one part of it.

        :raises Broken: when it ends too early.
        """
        event = await self._next()
        while isinstance(event, h11.Data):
            chunks = [bytes(event.data)]
            event = self._at_hand()
            while isinstance(event, h11.Data) and len(chunks) < CHUNKS_AT_ONCE:
                chunks.append(bytes(event.data))
                event = self._at_hand()
            yield b"".join(chunks)
            if isinstance(event, h11.Data):
                await self._turn()
            elif event is h11.NEED_DATA:
                event = await self._next()
        if not isinstance(event, h11.EndOfMessage):
            raise Broken("The replica's answer broke off.")

    async def _send(self, event: h11.Event) -> None:
        try:
            content = self._http.send(event)
        except h11.LocalProtocolError as error:
            raise Broken(str(error)) from error
        if content:
            await self._stream.write(content)

    async def _next(self) -> object:
        while (event := self._at_hand()) is h11.NEED_DATA:
            content = await self._stream.read(READ_BYTES)
            if len(content) == READ_BYTES:
                await self._turn()
            self._http.receive_data(content)
        return event

    def _at_hand(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise Broken(str(error)) from error

    async def _turn(self) -> None:
        """Give everybody else a turn: neither reading nor sending waits while there is enough."""
        async with self._lane:
            await asyncio.sleep(0)
