"""This will speak HTTP/1.1 with one replica for one request, on a stream of its own.

The stream carries nothing else before or after, so no answer can be taken for another request's.
"""

from collections.abc import AsyncIterator

import h11

from marketplace.endpoints.gateway.headers import Header
from marketplace.endpoints.gateway.machines import Broken, Stream

#: of an answer: its status and headers
HEAD_BYTES_MAX = 64 << 10
READ_BYTES = 64 << 10


class Exchange:
    """One request and its answer; both may be under way at once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
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
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise Broken("The replica gave no answer.")

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the answer's body as it comes.

        :raises Broken: when it ends too early.
        """
        while True:
            event = await self._next()
            if isinstance(event, h11.EndOfMessage):
                return
            if not isinstance(event, h11.Data):
                raise Broken("The replica's answer broke off.")
            yield bytes(event.data)

    async def _send(self, event: h11.Event) -> None:
        try:
            content = self._http.send(event)
        except h11.LocalProtocolError as error:
            raise Broken(str(error)) from error
        if content:
            await self._stream.write(content)

    async def _next(self) -> object:
        while True:
            try:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._http.receive_data(await self._stream.read(READ_BYTES))
            except h11.RemoteProtocolError as error:
                raise Broken(str(error)) from error
