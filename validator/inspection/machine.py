"""This will take one look at one machine: log in, read its facts, demand its proof."""

import asyncio
import logging
from contextlib import closing
from dataclasses import dataclass

from protocol.hardware import Hardware
from protocol.validator import COMMAND_PROOF, Measurement, Target
from validator.domain import facts
from validator.domain.address import AddressRefused
from validator.domain.proof import ProofPlan, plan
from validator.domain.verdict import Look, Outcome
from validator.proof.session import ProofUnfinished, ProofWrong, ProverBusy, Randomness, prove
from validator.ssh.command import AnswerLate, Lines, TooMuchOutput, read_facts
from validator.ssh.connection import (
    Connection,
    Door,
    HostKeyChanged,
    LoginRefused,
    Unreachable,
    connect,
)

logger = logging.getLogger(__name__)

#: of a whole look, whatever the machine does. Source: gpu_verification.md 5.3, scaled
LOOK_S_MAX = 90.0
#: another validator's proof takes about 3 s
BUSY_ATTEMPTS_MAX = 5
BUSY_PAUSE_S = 1.5
#: bad memory without ECC exists: one wrong answer is asked again at once. Source: ibid. 2.6
PROOF_ATTEMPTS_MAX = 2


@dataclass(frozen=True, slots=True)
class MachineInspector:
    """Looks at machines over their pinned SSH door."""

    #: OpenSSH private key text
    ssh_key: str
    allow_private: bool
    proof_memory_bytes_max: int
    randomness: Randomness

    async def look(self, target: Target) -> Look:
        """Return what this machine showed; every failure is an outcome, never an exception."""
        door = Door(target.address, target.control_port, target.machine_key)
        try:
            async with asyncio.timeout(LOOK_S_MAX):
                async with connect(
                    door, key=self.ssh_key, allow_private=self.allow_private
                ) as connection:
                    return await self._inside(connection, target)
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

    async def _inside(self, connection: Connection, target: Target) -> Look:
        try:
            hardware = facts.parse(await read_facts(connection))
        except facts.FactsRefused as error:
            return Look(Outcome.FACTS_MALFORMED, str(error))
        work = plan(
            cpus_free=target.cpus_free,
            memory_bytes_free=target.memory_bytes_free,
            memory_bytes_max=self.proof_memory_bytes_max,
        )
        if work is None:
            return Look(Outcome.SEEN, hardware=hardware)
        return await self._proven(connection, target, hardware, work)

    async def _proven(
        self, connection: Connection, target: Target, hardware: Hardware, work: ProofPlan
    ) -> Look:
        wrong = ""
        for attempt in range(PROOF_ATTEMPTS_MAX):
            try:
                measured = await self._prove_when_free(connection, target, work)
            except ProofWrong as error:
                wrong = str(error)
                logger.warning("Proof wrong: %s, attempt %d", target.machine_id, attempt + 1)
            except (ProverBusy, ProofUnfinished, Unreachable) as error:
                if wrong:
                    # Running away from the second demand does not undo the first wrong answer.
                    break
                busy = isinstance(error, ProverBusy)
                outcome = Outcome.PROVER_BUSY if busy else Outcome.PROOF_UNFINISHED
                return Look(outcome, str(error), hardware)
            else:
                return Look(Outcome.SEEN, hardware=hardware, measurement=measured)
        return Look(Outcome.PROOF_WRONG, wrong, hardware)

    async def _prove_when_free(
        self, connection: Connection, target: Target, work: ProofPlan
    ) -> Measurement:
        for _ in range(BUSY_ATTEMPTS_MAX - 1):
            try:
                return await self._prove(connection, target, work)
            except ProverBusy:
                await asyncio.sleep(BUSY_PAUSE_S)
        return await self._prove(connection, target, work)

    async def _prove(self, connection: Connection, target: Target, work: ProofPlan) -> Measurement:
        stream = await connection.start(COMMAND_PROOF)
        with closing(stream):
            return await prove(
                Lines(stream),
                work=work,
                machine=target.machine_id.bytes + bytes.fromhex(target.machine_key),
                randomness=self.randomness,
                rtt_s=connection.rtt_s,
            )
