"""This will lead one proof over a machine's ``proof`` command, on the validator's clock."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from protocol.validator import Measurement
from validator.barrier import Gate, open_gate
from validator.domain import gpu_proof
from validator.domain.gpu_proof import Device, GpuRules
from validator.domain.json_line import LineRefused
from validator.domain.proof import ProofPlan
from validator.proof import cpu_proof
from validator.proof.conversation import (
    Answers,
    Conversation,
    ProofUnfinished,
    ProofWrong,
    Randomness,
)
from validator.proof.gpu import GpuProof, GpusProven
from validator.proof.inventory import devices_of
from validator.ssh.command import AnswerLate, TooMuchOutput

#: seconds for what takes no work
ANSWER_S_MAX = 15.0


@dataclass(frozen=True, slots=True)
class Work:
    """What one machine is asked to show."""

    #: None: no core or memory is free
    cpu: ProofPlan | None = None
    #: uuid -> listed model, of each GPU that is free
    gpu_models: Mapping[str, str] = field(default_factory=dict)
    #: whether all of these passed a proof before
    gpus_proven_before: bool = False
    gpu_rules: GpuRules = gpu_proof.RULES


@dataclass(frozen=True, slots=True)
class Proven:
    """What came of one proof."""

    measurement: Measurement
    #: what CUDA showed to the prover
    devices: tuple[Device, ...] = ()
    #: uuid -> what the prover said when the device could not go on
    gpu_failures: Mapping[str, str] = field(default_factory=dict)


async def prove(
    lines: Answers,
    *,
    work: Work,
    machine: bytes,
    randomness: Randomness,
    rtt_s: float,
    gate: Gate = open_gate,
    now: Callable[[], float] | None = None,
) -> Proven:
    """Return what the machine proved. ``machine`` ties the answers to its id and host key.

    No nonce is told before ``gate`` is passed: by then each GPU has its memory. ``now`` is the
    clock of ``lines``; None: the event loop's.

    :raises ProofWrong: when an answer does not match; an honest machine's never fails.
    :raises ProofUnfinished: when it gives up or is late.
    :raises ProverBusy: when it refuses before anything was demanded.
    :raises GateShut: when it was ready after the others were let through.
    :raises Unreachable: when the connection ends.
    """
    bind = hashlib.sha256(randomness.draw(32) + machine).digest()
    conversation = Conversation(lines, work.cpu.answer_s_max if work.cpu else ANSWER_S_MAX, now=now)
    try:
        hello, _ = await conversation.ask({"op": "hello", "bind": bind.hex()})
        devices = devices_of(hello)
        gpus = _gpu_proof(conversation, work, devices, bind, randomness)
        if gpus is not None:
            await gpus.set_up()
        await gate()
        # While other machines' GPUs work too: one card for two of them has the work of two.
        proven = GpusProven() if gpus is None else await gpus.prove()
        measured = Measurement()
        if work.cpu is not None:
            measured = await cpu_proof.prove(
                conversation, work=work.cpu, bind=bind, randomness=randomness, rtt_s=rtt_s
            )
    except AnswerLate as error:
        raise ProofUnfinished("An answer of the proof came too late.") from error
    except (LineRefused, TooMuchOutput) as error:
        raise ProofWrong(str(error)) from error
    conversation.bye()
    return Proven(
        measurement=measured.model_copy(update={"gpus": proven.measurements}),
        devices=devices,
        gpu_failures=proven.failures,
    )


def _gpu_proof(
    conversation: Conversation,
    work: Work,
    devices: tuple[Device, ...],
    bind: bytes,
    randomness: Randomness,
) -> GpuProof | None:
    planned = gpu_proof.plan(
        devices,
        models=work.gpu_models,
        proven_before=work.gpus_proven_before,
        rules=work.gpu_rules,
    )
    if not planned.tasks:
        return None
    return GpuProof(conversation, work=planned, bind=bind, randomness=randomness)
