"""This will lead proofs inside rentals: the sessions of a look, through a mailbox of the market."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import closing
from typing import Protocol
from uuid import UUID

from protocol.rental_proof import ProofAsked, ProofLines, ProofOutcome, RentalProofReport
from protocol.validator import Measurement
from validator.domain.json_line import LineRefused
from validator.domain.proof import plan
from validator.market import MarketRefused, MarketUnreachable
from validator.proof.conversation import (
    Conversation,
    ProofUnfinished,
    ProofWrong,
    ProverBusy,
    Randomness,
)
from validator.proof.session import Work, prove
from validator.ssh.command import AnswerLate, Limits, Lines, TooMuchOutput
from validator.ssh.connection import Unreachable

logger = logging.getLogger(__name__)

#: between two looks for proofs that wait
ASK_S = 2.0
AT_ONCE = 2
#: of a whole proof, below what the marketplace gives it
PROOF_S_MAX = 240.0
#: until the program runs in the rental, and the first of these comes back
START_S_MAX = 60.0
#: of which the fastest tells what the way takes
PINGS = 5
#: a renter brings a machine no more than one look in this time
DOUBTED_APART_MS = 24 * 3_600_000
LIMITS = Limits(line_bytes_max=1 << 19, session_bytes_max=8 << 20)


class Mailboxes(Protocol):
    """What is asked of the marketplace here."""

    async def rental_proofs(self) -> tuple[ProofAsked, ...]: ...

    async def claim_proof(self, proof_id: UUID) -> None: ...

    async def say_in_proof(self, proof_id: UUID, lines: ProofLines) -> None: ...

    async def hear_in_proof(self, proof_id: UUID, *, after: int) -> ProofLines: ...

    async def post_rental_proof(self, report: RentalProofReport) -> None: ...


class Mail:
    """A prover in a rental as a stream of lines, by way of the proof's mailbox."""

    def __init__(self, market: Mailboxes, proof_id: UUID) -> None:
        self._market = market
        self._proof_id = proof_id
        self._heard, self._heard_at, self._ended = 0, 0.0, False
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._sending = asyncio.create_task(self._send())

    @property
    def heard_at(self) -> float:
        """Return when the latest lines came, on the loop's clock."""
        return self._heard_at

    def write(self, content: bytes) -> None:
        """Let lines go out, one after the other."""
        for line in content.decode().splitlines():
            self._outgoing.put_nowait(line)

    async def read(self, bytes_max: int) -> bytes:
        """Return the next lines, whole; empty: the proof has ended.

        :raises Unreachable: when the marketplace does not answer, or takes no demand.
        """
        while True:
            if self._sending.done():
                raise Unreachable("The marketplace took no demand.")
            try:
                found = await self._market.hear_in_proof(self._proof_id, after=self._heard)
            except (MarketUnreachable, MarketRefused) as error:
                raise Unreachable("The marketplace does not answer.") from error
            if found.lines:
                self._heard_at = asyncio.get_running_loop().time()
                self._heard += len(found.lines)
                return b"".join(line.encode() + b"\n" for line in found.lines)
            if found.ended:
                return b""

    def close(self) -> None:
        """Say nothing more."""
        self._sending.cancel()

    async def _send(self) -> None:
        first = 0
        while True:
            lines = (await self._outgoing.get(),)
            try:
                await self._market.say_in_proof(
                    self._proof_id, ProofLines(first=first, lines=lines)
                )
            except (MarketUnreachable, MarketRefused) as error:
                logger.info("Demand not taken: %s %s", self._proof_id, error)
                return
            first += len(lines)


class RentalProofs:
    """Takes proofs that renters ask for, a few at a time."""

    def __init__(
        self,
        market: Mailboxes,
        *,
        hotkey: str,
        now_ms: Callable[[], int],
        randomness: Randomness,
        memory_bytes_max: int,
        doubted: Callable[[UUID], None] = lambda machine_id: None,
    ) -> None:
        self._market = market
        #: told of a machine on which a rental's proof failed, once in DOUBTED_APART_MS
        self._doubted = doubted
        self._doubted_at_ms: dict[UUID, int] = {}
        self._hotkey = hotkey
        self._now_ms = now_ms
        self._randomness = randomness
        self._memory_bytes_max = memory_bytes_max
        self._led: dict[UUID, asyncio.Task[None]] = {}

    @property
    def led(self) -> tuple[asyncio.Task[None], ...]:
        """Return the proofs that are led now, or were when the last of them began."""
        return tuple(self._led.values())

    async def tend(self) -> None:
        """Lead proofs for ever; the marketplace may be away."""
        try:
            while True:
                try:
                    await self.step()
                except (MarketUnreachable, MarketRefused) as error:
                    # Whoever asks for the machines says it aloud.
                    logger.debug("No proofs of rentals: %s", error)
                await asyncio.sleep(ASK_S)
        finally:
            for led in self._led.values():
                led.cancel()

    async def step(self) -> None:
        """Begin what waits, while there is room."""
        for proof_id in [each for each, led in self._led.items() if led.done()]:
            error = self._led.pop(proof_id).exception()
            if error is not None:
                logger.error("Rental proof broke: %s", proof_id, exc_info=error)
        for asked in await self._market.rental_proofs():
            if len(self._led) >= AT_ONCE:
                return
            if asked.proof_id not in self._led:
                self._led[asked.proof_id] = asyncio.create_task(self._lead(asked))

    async def _lead(self, asked: ProofAsked) -> None:
        try:
            await self._market.claim_proof(asked.proof_id)
        except (MarketUnreachable, MarketRefused) as error:
            logger.info("Rental proof not taken: %s %s", asked.proof_id, error)
            return
        report = await self.prove(asked)
        if report.outcome is ProofOutcome.FAILED:
            self._doubt(report)
        try:
            await self._market.post_rental_proof(report)
        except (MarketUnreachable, MarketRefused) as error:
            logger.warning("Rental proof not handed in: %s %s", asked.proof_id, error)

    def _doubt(self, report: RentalProofReport) -> None:
        """Have the machine looked at: its renter may have spoilt the proof, and may not again.

        Each look costs the machine some of its day.
        """
        now_ms, machine_id = report.checked_at_ms, report.machine_id
        self._doubted_at_ms = {
            each: at_ms
            for each, at_ms in self._doubted_at_ms.items()
            if now_ms - at_ms < DOUBTED_APART_MS
        }
        if machine_id not in self._doubted_at_ms:
            self._doubted_at_ms[machine_id] = now_ms
            self._doubted(machine_id)

    async def prove(self, asked: ProofAsked) -> RentalProofReport:
        """Return what the rental showed; a failure of it is an outcome."""
        outcome, detail, measured = ProofOutcome.PASSED, "", None
        try:
            async with asyncio.timeout(PROOF_S_MAX):
                measured = await self._measured(asked)
        except (ProofWrong, LineRefused, TooMuchOutput) as error:
            outcome, detail = ProofOutcome.FAILED, str(error)
        except (ProofUnfinished, ProverBusy, Unreachable, AnswerLate) as error:
            outcome, detail = ProofOutcome.UNFINISHED, str(error)
        except TimeoutError:
            outcome, detail = ProofOutcome.UNFINISHED, "The proof took too long."
        return RentalProofReport(
            validator_hotkey=self._hotkey,
            proof_id=asked.proof_id,
            machine_id=asked.machine_id,
            machine_key=asked.machine_key,
            outcome=outcome,
            detail=detail[:300],
            measurement=measured,
            checked_at_ms=self._now_ms(),
        )

    async def _measured(self, asked: ProofAsked) -> Measurement:
        with closing(Mail(self._market, asked.proof_id)) as mail:
            lines = Lines(mail, LIMITS)
            work = Work(
                cpu=plan(
                    cpus_free=asked.cpus,
                    memory_bytes_free=asked.memory_bytes,
                    memory_bytes_max=self._memory_bytes_max,
                ),
                gpu_models=asked.gpus,
            )
            proven = await prove(
                lines,
                work=work,
                machine=asked.proof_id.bytes + bytes.fromhex(asked.machine_key),
                randomness=self._randomness,
                rtt_s=await _way_s(lines),
            )
            return proven.measurement


async def _way_s(lines: Lines) -> float:
    """Return the seconds that the way there and back takes; the first includes the start."""
    conversation = Conversation(lines, START_S_MAX)
    taken = [(await conversation.ask({"op": "ping"}))[1] for _ in range(PINGS)]
    return min(taken)
