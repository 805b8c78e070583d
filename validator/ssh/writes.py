"""This will send what is written within one turn of the loop in one call into the kernel."""

import asyncio
from collections.abc import Callable


class GatheredWrites:
    """A transport that holds writes until the loop's next turn; all else is the transport's own."""

    def __init__(
        self, transport: asyncio.Transport, call_soon: Callable[[Callable[[], None]], object]
    ) -> None:
        self._transport = transport
        self._call_soon = call_soon
        self._held = bytearray()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, content: bytes) -> None:
        """Hold ``content``; it goes out with the next ``flush``, which comes by itself."""
        if not self._held:
            self._call_soon(self.flush)
        self._held += content

    def flush(self) -> None:
        """Send what is held."""
        if self._held and not self._transport.is_closing():
            self._transport.write(bytes(self._held))
        self._held.clear()
