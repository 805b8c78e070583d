"""This will take one look at one machine: log in, read its facts, demand its proof."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace

from protocol.hardware import Hardware
from protocol.validator import COMMAND_PROOF, Target
from validator.barrier import Gate, GateShut, open_gate
from validator.domain import facts, gpu_judge, gpu_proof
from validator.domain.address import AddressRefused
from validator.domain.checks.sources import CudaDevice
from validator.domain.gpu_proof import GpuRules
from validator.domain.proof import plan
from validator.domain.verdict import Look, Outcome
from validator.inspection import speeds
from validator.inspection.lag import watched
from validator.proof.conversation import ProofUnfinished, ProofWrong, ProverBusy, Randomness
from validator.proof.session import Proven, Work, prove
from validator.ssh.command import AnswerLate, Limits, Lines, TooMuchOutput, read_facts
from validator.ssh.connection import (
    Connection,
    Door,
    HostKeyChanged,
    LoginRefused,
    Unreachable,
    connect,
)
from validator.ssh.credential import Credential

logger = logging.getLogger(__name__)

#: of a whole look, whatever the machine does. Source: gpu_verification.md 5.3, scaled
LOOK_S_MAX = 90.0
#: of a look at a machine with GPUs: most is for contexts and memory, which is not timed
GPU_LOOK_S_MAX = 300.0
#: of one GPU's answers
GPU_BYTES_MAX = 1 << 19
#: another validator's proof takes about 3 s
BUSY_ATTEMPTS_MAX = 5
BUSY_PAUSE_S = 1.5
#: A proof that was timed while our own loop was late is made again, without blame, so often. After
#: that its figures stand: what is timed too late shows too little, never too much.
LATE_PROOFS_MAX = 1
#: bad memory without ECC exists: one wrong answer is asked again at once. Source: ibid. 2.6
PROOF_ATTEMPTS_MAX = 2


def look_s_max(target: Target) -> float:
    """Return the seconds after which a whole look at this machine is over, whatever it does."""
    return GPU_LOOK_S_MAX if target.claimed.gpus else LOOK_S_MAX


@dataclass(frozen=True, slots=True)
class MachineInspector:
    """Looks at machines over their pinned SSH door."""

    #: what a machine with this key lets in
    log_in: Callable[[str], Credential]
    allow_private: bool
    proof_memory_bytes_max: int
    randomness: Randomness
    gpu_rules: GpuRules = gpu_proof.RULES

    async def look(
        self, target: Target, *, facts_only: bool = False, gate: Gate = open_gate
    ) -> Look:
        """Return what this machine showed; every failure is an outcome, never an exception.

        ``facts_only``: demand no work. ``gate``: waited at once the machine is ready for the first
        demand.
        """
        door = Door(target.address, target.control_port, target.machine_key)
        try:
            async with asyncio.timeout(look_s_max(target)):
                async with connect(
                    door,
                    credential=self.log_in(target.machine_key),
                    allow_private=self.allow_private,
                ) as connection:
                    return await self._inside(connection, target, None if facts_only else gate)
        except AddressRefused as error:
            return Look(Outcome.ADDRESS_REFUSED, str(error))
        except HostKeyChanged as error:
            return Look(Outcome.HOST_KEY_CHANGED, str(error))
        except LoginRefused as error:
            return Look(Outcome.LOGIN_REFUSED, str(error))
        except (Unreachable, AnswerLate) as error:
            return Look(Outcome.SILENT, str(error))
        except TooMuchOutput as error:
            return Look(Outcome.FACTS_MALFORMED, str(error))
        except TimeoutError:
            return Look(Outcome.SILENT, "The machine did not finish in time.")

    async def _inside(self, connection: Connection, target: Target, gate: Gate | None) -> Look:
        try:
            told = facts.parse(await read_facts(connection))
        except facts.FactsRefused as error:
            return Look(Outcome.FACTS_MALFORMED, str(error))
        seen = await self._worked(connection, target, told.hardware, gate)
        seen = replace(seen, facts=told)
        if seen.measurement is None or not speeds.are_wanted(target, seen, self.randomness):
            return seen
        found = await speeds.take(
            connection, target, machine=_named(target), randomness=self.randomness
        )
        return replace(seen, measurement=seen.measurement.model_copy(update=asdict(found)))

    async def _worked(
        self, connection: Connection, target: Target, hardware: Hardware, gate: Gate | None
    ) -> Look:
        if gate is None:
            return Look(Outcome.SEEN, hardware=hardware)
        work = Work(
            cpu=plan(
                cpus_free=target.cpus_free,
                memory_bytes_free=target.memory_bytes_free,
                memory_bytes_max=self.proof_memory_bytes_max,
            ),
            gpu_models=gpu_judge.provable(hardware, target),
            gpus_proven_before=gpu_judge.proven_before(hardware, target),
            gpu_rules=self.gpu_rules,
        )
        if work.cpu is None and not work.gpu_models:
            return Look(Outcome.SEEN, hardware=hardware)
        return await self._proven(connection, target, hardware, work, gate)

    async def _proven(
        self,
        connection: Connection,
        target: Target,
        hardware: Hardware,
        work: Work,
        gate: Gate,
    ) -> Look:
        wrong = ""
        for attempt in range(PROOF_ATTEMPTS_MAX):
            try:
                proven = await self._prove_when_free(connection, target, work, gate)
            except ProofWrong as error:
                wrong = str(error)
                logger.warning("Proof wrong: %s, attempt %d", target.machine_id, attempt + 1)
            except (ProverBusy, ProofUnfinished, Unreachable, GateShut) as error:
                if wrong:
                    # Running away from the second demand does not undo the first wrong answer.
                    break
                busy = isinstance(error, ProverBusy)
                outcome = Outcome.PROVER_BUSY if busy else Outcome.PROOF_UNFINISHED
                return Look(outcome, str(error), hardware)
            else:
                return _seen(hardware, proven)
        return Look(Outcome.PROOF_WRONG, wrong, hardware)

    async def _prove_when_free(
        self, connection: Connection, target: Target, work: Work, gate: Gate
    ) -> Proven:
        for _ in range(BUSY_ATTEMPTS_MAX - 1):
            try:
                return await self._prove_in_time(connection, target, work, gate)
            except ProverBusy:
                await asyncio.sleep(BUSY_PAUSE_S)
        return await self._prove_in_time(connection, target, work, gate)

    async def _prove_in_time(
        self, connection: Connection, target: Target, work: Work, gate: Gate
    ) -> Proven:
        for _ in range(LATE_PROOFS_MAX):
            with watched() as lag:
                measured = await self._prove(connection, target, work, gate)
            if not lag.is_too_much:
                return measured
            logger.info("Own loop late: %s lag_s=%.3f", target.machine_id, lag.worst_s)
        return await self._prove(connection, target, work, gate)

    async def _prove(
        self, connection: Connection, target: Target, work: Work, gate: Gate
    ) -> Proven:
        stream = await connection.start(COMMAND_PROOF)
        with closing(stream):
            return await prove(
                Lines(stream, _limits(len(work.gpu_models))),
                work=work,
                machine=_named(target),
                randomness=self.randomness,
                rtt_s=connection.rtt_s,
                gate=gate,
            )


def _named(target: Target) -> bytes:
    """Return what ties a machine's answers to its id and its host key."""
    return target.machine_id.bytes + bytes.fromhex(target.machine_key)


def _limits(gpus: int) -> Limits:
    """Return how much a prover may say: each GPU opens some hundred leaves of 3 kB in one line."""
    plain = Limits()
    return Limits(
        line_bytes_max=plain.line_bytes_max * (2 if gpus else 1),
        session_bytes_max=plain.session_bytes_max + gpus * GPU_BYTES_MAX,
    )


def _seen(hardware: Hardware, proven: Proven) -> Look:
    cuda = tuple(
        CudaDevice(
            index=device.index,
            uuid=device.uuid,
            name=device.name,
            pci=device.pci.lower(),
            capability=f"{device.capability // 10}.{device.capability % 10}",
            sms=device.sms,
            bus_bits=device.bus_bits,
            vram_bytes=device.vram_bytes,
        )
        for device in proven.devices
    )
    return Look(
        Outcome.SEEN,
        hardware=hardware,
        measurement=proven.measurement,
        cuda=cuda or None,
        gpu_failures=proven.gpu_failures,
    )
