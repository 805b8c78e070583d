"""This will speak to the marketplace's public API: signed, bounded and with a deadline."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from importlib.util import find_spec
from types import ModuleType, TracebackType
from typing import Self, cast
from uuid import UUID

import bittensor_core
import httpx
from pydantic import TypeAdapter, ValidationError

from protocol import hotkey, paths
from protocol.agent import ProblemReply
from protocol.message import Message, canonical_bytes
from protocol.rental_proof import (
    WAIT_S_MAX,
    ProofAsked,
    ProofLines,
    RentalProofReport,
    SignedRentalProofReport,
)
from protocol.validator import (
    TARGETS_MOST,
    VERDICTS_MOST,
    EpochRecord,
    ScoreReport,
    SignedScoreReport,
    SignedVerdict,
    SignedVerdicts,
    Target,
    Verdict,
    VerdictsTaken,
)
from validator import btauth
from validator.gathering import Gathering

CALL_S_MAX = 20.0
CONNECT_S_MAX = 5.0
#: at once; a call takes some milliseconds, and others wait for theirs
CONNECTIONS_MAX = 8
#: 10,000 machines with their claims take about 12 MB, the record of an epoch 34 MB
REPLY_BYTES_MAX = 67_108_864
#: in one signed report: some 550 kB, of the 2.5 MiB that the marketplace reads of a request
SCORES_AT_ONCE = 2000
#: of verdicts in one request, where there are several
VERDICTS_BYTES_MAX = 2_000_000
#: refusals of a whole request for what it holds
_OF_THE_BODY = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)

if find_spec("sniffio") is None:
    # httpcore would look for it in every folder, five times a call: half of what a call costs.
    sys.modules["sniffio"] = cast(ModuleType, None)

_TARGETS = TypeAdapter(tuple[Target, ...])
_PROOFS = TypeAdapter(tuple[ProofAsked, ...])


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
            base_url=url,
            timeout=timeout,
            transport=transport,
            trust_env=False,
            # The library looks through all of them at each call.
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
        )
        self._keypair = keypair
        self._now_ns = now_ns
        self._targets_asked = Gathering(self._some_targets, most=TARGETS_MOST)
        self._verdicts = Gathering(self._post_verdicts, most=VERDICTS_MOST)

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
        return _targets(content)

    async def target(self, machine_id: UUID) -> Target | None:
        """Return one machine as it is now; None: it is not to be looked at any more.

        Asked together with others that are wanted at about the same time.
        """
        return await self._targets_asked.ask(machine_id)

    async def post_verdict(self, verdict: Verdict) -> None:
        """Sign and hand in one verdict, together with others that are at about the same time.

        :raises MarketUnreachable, MarketRefused: when it was not taken, whatever the others were.
        """
        signature = hotkey.sign(self._keypair, canonical_bytes(verdict))
        await self._verdicts.ask(SignedVerdict(verdict=verdict, signature=signature))

    async def rental_proofs(self) -> tuple[ProofAsked, ...]:
        """Return the rentals' proofs that wait for a validator."""
        try:
            return _PROOFS.validate_json(_listed(await self._call("GET", paths.VALIDATOR_PROOFS)))
        except ValidationError as error:
            raise MarketUnreachable("The marketplace's proofs are malformed.") from error

    async def claim_proof(self, proof_id: UUID) -> None:
        """Lead this proof; refused where somebody else does."""
        await self._call("POST", paths.VALIDATOR_PROOF_CLAIM.format(proof_id=proof_id))

    async def say_in_proof(self, proof_id: UUID, lines: ProofLines) -> None:
        """Say something to the prover in a rental."""
        await self._post(paths.VALIDATOR_PROOF_LINES.format(proof_id=proof_id), lines)

    async def hear_in_proof(self, proof_id: UUID, *, after: int) -> ProofLines:
        """Return what the prover said since; the call is held open while it says nothing."""
        path = paths.VALIDATOR_PROOF_LINES.format(proof_id=proof_id)
        content = await self._call("GET", f"{path}?after={after}&wait_s={WAIT_S_MAX}")
        try:
            return ProofLines.model_validate_json(content)
        except ValidationError as error:
            raise MarketUnreachable("The marketplace's lines are malformed.") from error

    async def post_rental_proof(self, report: RentalProofReport) -> None:
        """Sign and hand in how a rental's proof has ended."""
        signature = hotkey.sign(self._keypair, canonical_bytes(report))
        signed = SignedRentalProofReport(report=report, signature=signature)
        await self._post(paths.VALIDATOR_PROOF_REPORTS, signed)

    async def epoch(self) -> EpochRecord:
        """Return the public inputs of the current epoch."""
        content = await self._call("GET", paths.VALIDATOR_EPOCH)
        try:
            return EpochRecord.model_validate_json(content)
        except ValidationError as error:
            raise MarketUnreachable("The marketplace's epoch record is malformed.") from error

    async def newest_closed(self) -> int | None:
        """Return the newest epoch that is closed; None: none is yet."""
        try:
            content = await self._call("GET", paths.SCORES.format(epoch="newest"))
            return int(json.loads(content)["epoch"])
        except MarketRefused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise MarketUnreachable("The marketplace's newest epoch is malformed.") from error

    async def closed(self, epoch: int) -> EpochRecord:
        """Return the record of a closed epoch."""
        content = await self._call("GET", paths.SCORES_RECORD.format(epoch=epoch))
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

    async def _some_targets(self, machine_ids: Sequence[UUID]) -> Sequence[Target | None]:
        query = "&".join(f"machine_id={machine_id}" for machine_id in machine_ids)
        content = await self._call("GET", f"{paths.VALIDATOR_TARGETS}?{query}")
        found = {target.machine_id: target for target in _targets(content)}
        return [found.get(machine_id) for machine_id in machine_ids]

    async def _post_verdicts(
        self, verdicts: Sequence[SignedVerdict]
    ) -> Sequence[MarketRefused | None]:
        """Return of each verdict why it was not taken; None: it was."""
        # Each is signed in its canonical form; what holds them together has none.
        body = SignedVerdicts(verdicts=tuple(verdicts)).model_dump_json().encode()
        try:
            if len(body) > VERDICTS_BYTES_MAX and len(verdicts) > 1:
                raise MarketRefused(413, "too_large", "The verdicts are too large.")
            content = await self._call("POST", paths.VALIDATOR_VERDICTS, body)
        except MarketRefused as refused:
            if refused.status not in _OF_THE_BODY:
                raise
            if len(verdicts) == 1:
                return [refused]
            # One of them may be to blame: no other shall be refused with it.
            middle = len(verdicts) // 2
            return [
                each
                for some in (verdicts[:middle], verdicts[middle:])
                for each in await self._post_verdicts(some)
            ]
        return _refusals(content, len(verdicts))

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


def _targets(content: bytes) -> tuple[Target, ...]:
    try:
        return _TARGETS.validate_json(_listed(content))
    except ValidationError as error:
        raise MarketUnreachable("The marketplace's targets are malformed.") from error


def _refusals(content: bytes, count: int) -> Sequence[MarketRefused | None]:
    """Return of each of ``count`` verdicts why it was not taken."""
    try:
        taken = VerdictsTaken.model_validate_json(content)
    except ValidationError as error:
        raise MarketUnreachable("The marketplace's word on verdicts is malformed.") from error
    why = {
        each.number: MarketRefused(each.status, each.code, each.detail[:500])
        for each in taken.refused
    }
    if taken.recorded + len(why) != count or any(number >= count for number in why):
        # Whatever was not taken for certain is looked at again.
        raise MarketUnreachable("The marketplace's word on verdicts is of other verdicts.")
    return [why.get(number) for number in range(count)]


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
