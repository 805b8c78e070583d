"""This will send one event to a strange server: one address, one deadline, a bounded answer.

Who names a web hook chooses where our own network is asked from, so its address is looked up once,
has to be one host of the public internet, and is the one that is connected to, whatever the name
means a moment later. A redirect is not followed, for the same reason.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import cache
from urllib.parse import urlsplit

import h11

from protocol.address import is_public

DEADLINE_S = 10.0
#: of it, for looking up the name: its server may be somebody's who lets it answer late on purpose
LOOK_UP_S = 3.0
#: of an answer's status and headers; its body is not read
ANSWER_BYTES_MAX = 16 << 10
READ_BYTES = 4 << 10
PORTS = {"https": 443, "http": 80}


class NotDelivered(Exception):
    """The event did not arrive, or nobody said that it did; the sentence says why."""


async def send(
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    threads: Executor,
    public_only: bool = True,
    deadline_s: float = DEADLINE_S,
) -> None:
    """Post the body there and wait for a 2xx. ``threads``: where its name is looked up.

    :raises NotDelivered: when there comes none in time.
    """
    try:
        async with asyncio.timeout(deadline_s):
            status = await _status(url, headers, body, threads, public_only=public_only)
    except TimeoutError:
        raise NotDelivered(f"No answer within {deadline_s:g} seconds.") from None
    except ssl.SSLCertVerificationError as error:
        raise NotDelivered(f"Its certificate is not good: {error.verify_message}.") from None
    # A strange name is a UnicodeError, what is no HTTP one of the protocol.
    except (OSError, UnicodeError, h11.ProtocolError) as error:
        raise NotDelivered(f"It cannot be reached: {error or type(error).__name__}.") from None
    if 300 <= status < 400:
        raise NotDelivered(f"It answered {status}: redirects are not followed.")
    if not 200 <= status < 300:
        raise NotDelivered(f"It answered {status}.")


async def _status(
    url: str, headers: Mapping[str, str], body: bytes, threads: Executor, *, public_only: bool
) -> int:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or PORTS[parts.scheme]
    address = await _address(host, port, threads, public_only=public_only)
    reader, writer = await asyncio.open_connection(
        address,
        port,
        limit=ANSWER_BYTES_MAX,
        ssl=_tls() if secure else None,
        server_hostname=host if secure else None,
    )
    try:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=ANSWER_BYTES_MAX)
        writer.write(_request(http, parts.netloc, _target(url), headers, body))
        await writer.drain()
        return await _answer(http, reader)
    finally:
        # A goodbye would wait for the other side.
        writer.transport.abort()


async def _address(host: str, port: int, threads: Executor, *, public_only: bool) -> str:
    """Return one address of the host, of the public internet.

    :raises OSError: when it has none, or nobody says so in time.
    """
    loop = asyncio.get_running_loop()
    try:
        # The thread goes on alone: nothing ends a look-up.
        async with asyncio.timeout(LOOK_UP_S):
            found = await loop.run_in_executor(
                threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
    except TimeoutError:
        raise OSError(f"nobody says within {LOOK_UP_S:g} seconds where {host} is") from None
    for one in found:
        address = str(one[4][0])
        if not public_only or ("%" not in address and is_public(address)):
            return address
    raise OSError(f"{host} has no address of the public internet")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _request(
    http: h11.Connection, host: str, target: str, headers: Mapping[str, str], body: bytes
) -> bytes:
    fields = {"Host": host, "Content-Length": str(len(body)), "Connection": "close", **headers}
    request = h11.Request(method="POST", target=target, headers=list(fields.items()))
    sent = (http.send(request), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage()))
    return b"".join(part for part in sent if part)


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> int:
    """Return the status; what may come before it ("100 Continue") counts as a part of it."""
    taken = 0
    while True:
        event = http.next_event()
        if isinstance(event, h11.Response):
            return event.status_code
        if event is h11.NEED_DATA:
            content = await reader.read(READ_BYTES)
            taken += len(content)
            http.receive_data(content)
        elif not isinstance(event, h11.InformationalResponse):
            raise OSError("no answer")
        if taken > ANSWER_BYTES_MAX:
            raise OSError("its answer is too long")
