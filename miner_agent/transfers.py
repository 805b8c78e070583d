"""This will carry a job's files between the marketplace and this machine, each whole or not.

And the ends of containers' logs, which renters ask for.
"""

import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent.clock import Clock
from miner_agent.market import (
    CLOCK_SKEW,
    CONNECT_DEADLINE_S,
    MarketRefused,
    MarketUnreachable,
    refusal_of,
    signed_headers,
)
from protocol.container_log import LogReport
from protocol.paths import AGENT_BLOB, AGENT_PLACEMENT_BLOB, AGENT_PLACEMENT_LOG

#: a transfer of which nothing is heard for so long is over
SILENT_S = 60.0
#: and one that takes longer than at this pace, with some time beside it
SLOWEST_BYTES_S = 100_000
LEAST_S = 120.0
CHUNK_BYTES = 1 << 18
REFUSAL_BYTES_MOST = 64 << 10
BUSY, TOO_MANY = 500, 429
NOTHING = hashlib.sha256(b"").hexdigest()


class BlobBroken(Exception):
    """What came is not what was asked for; the same request may work later."""


class Transfers(Protocol):
    """What a job's files need of the marketplace. Calls block; ``goes_on`` may raise to end one."""

    def get(self, digest: str, *, size_bytes: int, into: Path, goes_on: Callable[[], None]) -> None:
        """Write the file of this sha256 and size.

        :raises BlobBroken: when something else came.
        :raises MarketRefused: when the marketplace says why not.
        :raises MarketUnreachable: when it does not answer, or too slowly.
        """
        ...

    def put(
        self,
        placement_id: UUID,
        *,
        digest: str,
        size_bytes: int,
        file: BinaryIO,
        goes_on: Callable[[], None],
    ) -> None:
        """Store a file of this placement; one that is stored already is fine.

        :raises MarketRefused: when the marketplace says why not.
        :raises MarketUnreachable: when it does not answer, or too slowly.
        """
        ...


#: so far ahead of the clock a request may say that it was sent
BESIDE_MS = 1000


class HttpTransfers:
    """The same over HTTP, signed by the machine's key like every request."""

    def __init__(self, *, url: str, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._sent_at_ms = 0
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            verify=ssl.create_default_context(),
            timeout=httpx.Timeout(SILENT_S, connect=CONNECT_DEADLINE_S),
            # What is unpacked on the way is not what was measured.
            headers={"Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, digest: str, *, size_bytes: int, into: Path, goes_on: Callable[[], None]) -> None:
        """Write the file of this sha256 and size; of a longer one no more than that is read."""
        path = AGENT_BLOB.format(digest=digest)
        due = _due(size_bytes)
        told, length = hashlib.sha256(), 0
        with _answers(), into.open("wb") as file:
            headers = self._signed("GET", path, NOTHING)
            with self._client.stream("GET", path, headers=headers) as response:
                _refuse_unless_good(response)
                for chunk in response.iter_raw(CHUNK_BYTES):
                    goes_on()
                    length += len(chunk)
                    if length > size_bytes:
                        raise BlobBroken(f"The file {digest} is longer than {size_bytes} bytes.")
                    if time.monotonic() > due:
                        raise MarketUnreachable("The marketplace sends too slowly.")
                    told.update(chunk)
                    file.write(chunk)
        if length != size_bytes or told.hexdigest() != digest:
            raise BlobBroken(f"What came is not the file {digest} of {size_bytes} bytes.")

    def put(
        self,
        placement_id: UUID,
        *,
        digest: str,
        size_bytes: int,
        file: BinaryIO,
        goes_on: Callable[[], None],
    ) -> None:
        """Send a file in pieces; more than ``size_bytes`` of it are never read."""
        path = AGENT_PLACEMENT_BLOB.format(placement_id=placement_id, digest=digest)
        due = _due(size_bytes)

        def chunks() -> Iterator[bytes]:
            left = size_bytes
            while left and (chunk := file.read(min(left, CHUNK_BYTES))):
                goes_on()
                if time.monotonic() > due:
                    raise MarketUnreachable("The marketplace takes too slowly.")
                left -= len(chunk)
                yield chunk

        headers = self._signed("PUT", path, digest) | {
            "Content-Length": str(size_bytes),
            "Content-Type": "application/octet-stream",
        }
        with (
            _answers(),
            self._client.stream("PUT", path, content=chunks(), headers=headers) as response,
        ):
            _refuse_unless_good(response)

    def tell_log(self, placement_id: UUID, report: LogReport) -> None:
        """Send the end of what a placement's container said.

        :raises MarketRefused: when nobody waits for it any more.
        :raises MarketUnreachable: when the marketplace does not answer.
        """
        path = AGENT_PLACEMENT_LOG.format(placement_id=placement_id)
        body = report.model_dump_json().encode()
        headers = self._signed("POST", path, hashlib.sha256(body).hexdigest()) | {
            "Content-Type": "application/json"
        }
        with _answers(), self._client.stream("POST", path, content=body, headers=headers) as answer:
            _refuse_unless_good(answer)

    def _signed(self, method: str, path: str, digest: str) -> dict[str, str]:
        with self._lock:
            # Two at once are two: the marketplace answers none that came before. A clock that is
            # set back leaves what was said before behind.
            now_ms = self._clock.wall_ms()
            self._sent_at_ms = max(now_ms, min(self._sent_at_ms + 1, now_ms + BESIDE_MS))
            sent_at_ms = self._sent_at_ms
        return signed_headers(
            self._key, method=method, path=path, sent_at_ms=sent_at_ms, digest=digest
        )


def _due(size_bytes: int) -> float:
    return time.monotonic() + LEAST_S + size_bytes / SLOWEST_BYTES_S


@contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, ConnectionError) as error:
        raise MarketUnreachable(f"The marketplace does not answer: {error}") from error


def _refuse_unless_good(response: httpx.Response) -> None:
    if response.is_success:
        return
    answer = b""
    for chunk in response.iter_raw(CHUNK_BYTES):
        answer += chunk
        if len(answer) > REFUSAL_BYTES_MOST:
            break
    refusal = refusal_of(response.status_code, answer)
    busy = response.status_code >= BUSY or response.status_code == TOO_MANY
    if isinstance(refusal, MarketRefused) and (busy or refusal.code == CLOCK_SKEW):
        # That passes, and the file is wanted then too.
        raise MarketUnreachable(str(refusal))
    raise refusal
