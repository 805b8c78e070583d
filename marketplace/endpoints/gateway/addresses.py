"""This will find the addresses of machines that are known by a name.

On threads of its own: a name whose servers never answer holds one for half a minute, and neither
the database nor a machine that is known by its address has to wait for that.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

#: names that are looked up at once; of each only once
THREADS = 32


class Addresses:
    """The look-ups under way. They belong to one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="look-up")
        self._asked: dict[str, asyncio.Future[str]] = {}

    async def find(self, name: str) -> str:
        """Return the address, which may be what was given.

        :raises OSError: when there is none.
        :raises UnicodeError: when that is no name.
        """
        try:
            return str(ip_address(name))
        except ValueError:
            pass
        found = self._asked.get(name)
        if found is None:
            found = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, name)
            self._asked[name] = found
            found.add_done_callback(lambda done: self._end(name, done))
        # Whoever asked may give up; the thread does not, and the next one waits for the same.
        return await asyncio.shield(found)

    def _end(self, name: str, done: "asyncio.Future[str]") -> None:
        del self._asked[name]
        if not done.cancelled():
            # Nobody may be left to hear it.
            done.exception()


def _look_up(name: str) -> str:
    return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
