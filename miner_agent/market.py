"""This will carry the agent's signed requests to the marketplace."""

import asyncio
import hashlib
import ssl
from typing import Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from miner_agent.clock import Clock
from miner_agent.domain.reply import Heard, ReplyMalformed, read
from protocol.agent import EnrolReply, EnrolRequest, ProblemReply, SyncRequest
from protocol.paths import (
    AGENT_ENROL,
    AGENT_SYNC,
    HEADER_DIGEST,
    HEADER_MACHINE,
    HEADER_SENT_AT,
    HEADER_SIGNATURE,
)
from protocol.signing import public_key_of, request_text, sign

CONNECT_DEADLINE_S = 5.0
#: on top of the time for which the marketplace may hold a request
ANSWER_DEADLINE_S = 15.0
#: some hundred placements with all that the protocol lets each of them be told
ANSWER_BYTES_MOST = 64 << 20
#: on top of the time for which it may be held: nobody keeps the agent by a byte a second
WHOLE_DEADLINE_S = 60.0
#: of a refusal that is shown to a person
DETAIL_MOST = 1000
#: how the marketplace refuses a signed time that is too far from its own
CLOCK_SKEW = "clock_skew"


class MarketUnreachable(Exception):
    """The marketplace does not answer as it should; the same request may work later."""


class MarketRefused(Exception):
    """The marketplace answered with a reason why not."""

    def __init__(self, problem: ProblemReply) -> None:
        super().__init__(problem.detail[:DETAIL_MOST])
        self.code = problem.code


class Market(Protocol):
    """What the agent asks of the marketplace."""

    async def sync(self, request: SyncRequest) -> Heard:
        """Send what is observed and return what is desired."""
        ...


class HttpMarket:
    """The marketplace at one address, over HTTP."""

    def __init__(self, *, url: str, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self._sent_at_ms = 0
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            verify=ssl.create_default_context(),
            # A kilobyte may unpack to a gigabyte.
            headers={"Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def enrol(self, request: EnrolRequest) -> EnrolReply:
        """Make this machine the token's owner's.

        :raises MarketRefused: when the token is unknown, used or expired.
        :raises MarketUnreachable: when there is no answer.
        """
        body = await self._post(AGENT_ENROL, request.model_dump_json().encode(), hold_s=0)
        try:
            return EnrolReply.model_validate_json(body)
        except ValidationError as error:
            raise MarketUnreachable("The marketplace's answer cannot be read.") from error

    async def sync(self, request: SyncRequest) -> Heard:
        """Send what is observed and return what is desired.

        :raises MarketRefused: when the marketplace does not accept the request.
        :raises MarketUnreachable: when there is no answer.
        """
        content = request.model_dump_json().encode()
        body = await self._post(AGENT_SYNC, content, hold_s=request.hold_s)
        try:
            return await asyncio.to_thread(read, body)
        except ReplyMalformed as error:
            raise MarketUnreachable(str(error)) from error

    async def _post(self, path: str, body: bytes, *, hold_s: int) -> bytes:
        sent_at_ms = self._rising_ms()
        digest = hashlib.sha256(body).hexdigest()
        headers = {"Content-Type": "application/json"} | signed_headers(
            self._key, method="POST", path=path, sent_at_ms=sent_at_ms, digest=digest
        )
        timeout = httpx.Timeout(hold_s + ANSWER_DEADLINE_S, connect=CONNECT_DEADLINE_S)
        try:
            async with (
                asyncio.timeout(hold_s + WHOLE_DEADLINE_S),
                self._client.stream(
                    "POST", path, content=body, headers=headers, timeout=timeout
                ) as response,
            ):
                answer = bytearray()
                async for chunk in response.aiter_raw():
                    answer += chunk
                    if len(answer) > ANSWER_BYTES_MOST:
                        raise MarketUnreachable("The marketplace's answer is too long.")
        except (httpx.HTTPError, OSError) as error:
            raise MarketUnreachable(f"The marketplace does not answer: {error}") from error
        if response.status_code == 200:
            return bytes(answer)
        refusal = refusal_of(response.status_code, bytes(answer))
        if isinstance(refusal, MarketRefused) and refusal.code == CLOCK_SKEW:
            # The clock was wrong; once it is set, it counts and not what it said before.
            self._sent_at_ms = 0
        raise refusal

    def _rising_ms(self) -> int:
        """Return the time, yet never one signed before: the marketplace takes each once."""
        self._sent_at_ms = max(self._clock.wall_ms(), self._sent_at_ms + 1)
        return self._sent_at_ms


def signed_headers(
    key: Ed25519PrivateKey, *, method: str, path: str, sent_at_ms: int, digest: str
) -> dict[str, str]:
    """Return what proves that this machine sends a body of this sha256 now."""
    sender = public_key_of(key)
    signed = request_text(
        method=method, path=path, sender=sender, sent_at_ms=sent_at_ms, digest=digest
    )
    return {
        HEADER_MACHINE: sender,
        HEADER_SENT_AT: str(sent_at_ms),
        HEADER_SIGNATURE: sign(key, signed),
        HEADER_DIGEST: digest,
    }


def refusal_of(status: int, answer: bytes) -> MarketRefused | MarketUnreachable:
    """Return what an answer that is no success means."""
    try:
        return MarketRefused(ProblemReply.model_validate_json(answer))
    except ValidationError:
        return MarketUnreachable(f"The marketplace answered with HTTP status {status}.")
