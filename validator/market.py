"""This will speak to the marketplace's public API: signed, bounded and with a deadline."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self
from uuid import UUID

import bittensor_core
import httpx
from pydantic import TypeAdapter, ValidationError

from protocol import hotkey, paths
from protocol.agent import ProblemReply
from protocol.message import Message, canonical_bytes
from protocol.validator import (
    EpochRecord,
    ScoreReport,
    SignedScoreReport,
    SignedVerdict,
    Target,
    Verdict,
)
from validator import btauth

CALL_S_MAX = 20.0
CONNECT_S_MAX = 5.0
#: 10,000 machines with their claims take about 12 MB
REPLY_BYTES_MAX = 33_554_432
#: in one signed report: some 550 kB, of the 2.5 MiB that the marketplace reads of a request
SCORES_AT_ONCE = 2000

_TARGETS = TypeAdapter(tuple[Target, ...])


class MarketUnreachable(Exception):
    """The marketplace did not answer in time or answered something that is no reply."""


class MarketRefused(Exception):
    """The marketplace answered with a problem."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({code})")
        self.status = status
        self.code = code


class Market:
    """The marketplace, as one validator sees it."""

    def __init__(
        self,
        *,
        url: str,
        keypair: bittensor_core.Keypair,
        now_ns: Callable[[], int],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        timeout = httpx.Timeout(CALL_S_MAX, connect=CONNECT_S_MAX)
        self._client = httpx.AsyncClient(
            base_url=url, timeout=timeout, transport=transport, trust_env=False
        )
        self._keypair = keypair
        self._now_ns = now_ns

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def register(self, ssh_public_key: str) -> None:
        """Tell the marketplace which SSH key machines must let in.

        :raises MarketUnreachable, MarketRefused: as every call here.
        """
        body = json.dumps({"ssh_public_key": ssh_public_key}).encode()
        await self._call("POST", paths.VALIDATOR_REGISTER, body)

    async def targets(self) -> tuple[Target, ...]:
        """Return the machines to look at now."""
        content = await self._call("GET", paths.VALIDATOR_TARGETS)
        try:
            return _TARGETS.validate_json(_listed(content))
        except ValidationError as error:
            raise MarketUnreachable("The marketplace's targets are malformed.") from error

    async def target(self, machine_id: UUID) -> Target | None:
        """Return one machine as it is now; None: it is not to be looked at any more."""
        content = await self._call("GET", f"{paths.VALIDATOR_TARGETS}?machine_id={machine_id}")
        try:
            found = _TARGETS.validate_json(_listed(content))
        except ValidationError as error:
            raise MarketUnreachable("The marketplace's targets are malformed.") from error
        return next((each for each in found if each.machine_id == machine_id), None)

    async def post_verdict(self, verdict: Verdict) -> None:
        """Sign and hand in one verdict."""
        signature = hotkey.sign(self._keypair, canonical_bytes(verdict))
        await self._post(
            paths.VALIDATOR_VERDICTS, SignedVerdict(verdict=verdict, signature=signature)
        )

    async def epoch(self) -> EpochRecord:
        """Return the public inputs of the current epoch."""
        content = await self._call("GET", paths.VALIDATOR_EPOCH)
        try:
            return EpochRecord.model_validate_json(content)
        except ValidationError as error:
            raise MarketUnreachable("The marketplace's epoch record is malformed.") from error

    async def post_scores(self, report: ScoreReport) -> None:
        """Sign and hand in the scores of one epoch, in reports of SCORES_AT_ONCE machines.

        Each report replaces what was said before of its own machines only.
        """
        for first in range(0, max(1, len(report.scores)), SCORES_AT_ONCE):
            scores = report.scores[first : first + SCORES_AT_ONCE]
            part = report.model_copy(update={"scores": scores})
            signature = hotkey.sign(self._keypair, canonical_bytes(part))
            await self._post(
                paths.VALIDATOR_SCORES, SignedScoreReport(report=part, signature=signature)
            )

    async def _post(self, path: str, message: Message) -> None:
        await self._call("POST", path, canonical_bytes(message))

    async def _call(self, method: str, path: str, body: bytes = b"") -> bytes:
        headers = btauth.headers(
            self._keypair, method=method, path=path, body=body, nonce_ns=self._now_ns()
        )
        if body:
            headers["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(CALL_S_MAX):
                return await self._exchange(method, path, body, headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise MarketUnreachable("The marketplace does not answer.") from error

    async def _exchange(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> bytes:
        request = self._client.build_request(method, path, content=body, headers=headers)
        response = await self._client.send(request, stream=True)
        try:
            content = b"".join([part async for part in _bounded(response)])
        finally:
            await response.aclose()
        if response.is_success:
            return content
        raise _refusal(response.status_code, content)


async def _bounded(response: httpx.Response) -> AsyncIterator[bytes]:
    received_bytes = 0
    async for part in response.aiter_bytes():
        received_bytes += len(part)
        if received_bytes > REPLY_BYTES_MAX:
            raise MarketUnreachable("The marketplace's reply is too long.")
        yield part


def _listed(content: bytes) -> bytes:
    """Accept ``[...]`` and ``{"items": [...]}``, the shape of every list in the API."""
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise MarketUnreachable("The marketplace's reply is not JSON.") from error
    if isinstance(parsed, dict):
        parsed = parsed.get("items", parsed.get("targets"))
    return json.dumps(parsed).encode()


def _refusal(status: int, content: bytes) -> MarketRefused:
    try:
        problem = ProblemReply.model_validate_json(content)
    except ValidationError:
        return MarketRefused(status, "unknown", f"The marketplace answered {status}.")
    return MarketRefused(status, problem.code, problem.detail[:500])
