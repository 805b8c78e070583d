"""Each line of a record that does not follow from what was signed is found."""

import hashlib
from typing import Any
from uuid import UUID

import bittensor_core
import pytest

from protocol import hotkey
from protocol.message import canonical_bytes
from protocol.validator import (
    CountedWord,
    GpuMeasurement,
    GpuProof,
    MachineRecord,
    MeasuredLook,
    Measurement,
    ProvenTogether,
    SignedVerdict,
    Verdict,
    VerdictState,
)
from tests.validator.builders import NOW_MS, cpu_record, gpu, hardware, together
from validator.evidence import contradictions

JUDGE = bittensor_core.Keypair.create_from_uri("//Judge")
OTHER = bittensor_core.Keypair.create_from_uri("//Other")
CHECKED_MS, AS_OF_MS = NOW_MS - 60_000, NOW_MS


def verdict(by: bittensor_core.Keypair = JUDGE, **changed: Any) -> SignedVerdict:
    values = {
        "validator_hotkey": by.ss58_address,
        "machine_id": UUID(int=1),
        "machine_key": "ab" * 32,
        "state": VerdictState.VERIFIED,
        "measurement": Measurement(cpus=4, cpu_hash_rate=8_000_000),
        "checked_at_ms": CHECKED_MS,
        "expires_at_ms": AS_OF_MS + 1,
        **changed,
    }
    told = Verdict.model_validate(values)
    return SignedVerdict(verdict=told, signature=hotkey.sign(by, canonical_bytes(told)))


def sha256(signed: SignedVerdict) -> str:
    return hashlib.sha256(canonical_bytes(signed)).hexdigest()


def word(signed: SignedVerdict, **changed: Any) -> CountedWord:
    values = {"verdict_sha256": sha256(signed), "stake": 1, "state": signed.verdict.state}
    return CountedWord.model_validate({**values, **changed})


def measured_gpu(number: int) -> GpuMeasurement:
    return GpuMeasurement(
        index=number,
        uuid=f"GPU-{number}",
        name="H100",
        vram_bytes=1,
        vram_bytes_proven=1,
        bandwidth_mb_s=1,
        int8_gops=1,
    )


def proof(signed: SignedVerdict, **changed: Any) -> GpuProof:
    values = {"uuid": "GPU-1", "verdict_sha256": sha256(signed), "checked_at_ms": CHECKED_MS}
    return GpuProof.model_validate({**values, **changed})


def at_once(
    signed: SignedVerdict, *uuids: str, at_ms: int = CHECKED_MS
) -> tuple[ProvenTogether, ...]:
    return together(*(uuids or ("GPU-1", "GPU-2")), at_ms=at_ms, sha256=sha256(signed))


def truth(signed: SignedVerdict, **changed: Any) -> MachineRecord:
    look = MeasuredLook(
        verdict_sha256=sha256(signed), checked_at_ms=CHECKED_MS, hash_rate_per_cpu=2_000_000
    )
    values = {
        "looks": (look,),
        "words": (word(signed),),
        "first_verdict_sha256": sha256(signed),
        "verified_for_ms": AS_OF_MS - CHECKED_MS,
        **changed,
    }
    return cpu_record(**values)


GOOD = verdict()
GPUS = hardware(gpus=(gpu(1), gpu(2)))
ONE_OF_TWO = verdict(hardware=GPUS, measurement=Measurement(gpus=(measured_gpu(1),)))
BOTH = verdict(hardware=GPUS, measurement=Measurement(gpus=(measured_gpu(1), measured_gpu(2))))
BAD_CARD = verdict(
    hardware=GPUS, measurement=Measurement(gpus=(measured_gpu(1),)), state=VerdictState.DEGRADED
)
ENDED = verdict(expires_at_ms=AS_OF_MS)
BAD = verdict(state=VerdictState.SUSPENDED)
TWO = (GOOD, verdict(OTHER, state=VerdictState.DEGRADED))


@pytest.mark.parametrize(
    "record",
    [
        truth(GOOD),
        truth(GOOD, words=(word(GOOD, stake=2), word(TWO[1]))),
        truth(GOOD, words=(word(GOOD), word(TWO[1])), has_valid_verdict=False),
        truth(GOOD, words=(word(GOOD, state="degraded"),), has_valid_verdict=False),
        truth(GOOD, is_banned=True, has_valid_verdict=False),
        truth(GOOD, words=(), has_valid_verdict=False, is_unknown=True),
        truth(GOOD, gpus=1, gpu_proofs=(proof(ONE_OF_TWO),)),
        truth(GOOD, gpus=2, gpu_proofs=(), together=at_once(BOTH)),
    ],
)
def test_what_follows_from_the_verdicts_holds(record: MachineRecord) -> None:
    assert contradictions(record, (*TWO, ONE_OF_TWO, BOTH), (), AS_OF_MS) == ()


@pytest.mark.parametrize(
    ("record", "verdicts", "sentence"),
    [
        (truth(GOOD, machine_key="cd" * 32), (GOOD,), "about another machine"),
        (truth(GOOD, looks=(*truth(GOOD).looks, *truth(BAD).looks)), (GOOD,), "a measurement"),
        (
            truth(GOOD, looks=(truth(GOOD).looks[0].model_copy(update={"hash_rate_per_cpu": 9}),)),
            (GOOD,),
            "measured something else",
        ),
        (truth(ENDED), (ENDED,), "had ended"),
        (truth(GOOD, words=(word(BAD, state="verified"),)), (GOOD, BAD), "says suspended, not"),
        (truth(GOOD, words=(word(GOOD), word(GOOD))), (GOOD,), "counts twice"),
        (truth(GOOD, gpus=1, gpu_proofs=(proof(ONE_OF_TWO),)), (GOOD,), "a GPU's proof names"),
        (
            truth(GOOD, gpus=2, gpu_proofs=(proof(ONE_OF_TWO, uuid="GPU-2"),)),
            (GOOD, ONE_OF_TWO),
            "does not prove GPU GPU-2",
        ),
        (
            truth(GOOD, gpus=1, gpu_proofs=(proof(BAD_CARD),)),
            (GOOD, BAD_CARD),
            "does not prove GPU GPU-1",
        ),
        (
            truth(GOOD, gpus=1, gpu_proofs=(proof(ONE_OF_TWO, checked_at_ms=AS_OF_MS),)),
            (GOOD, ONE_OF_TWO),
            "at another time",
        ),
        (truth(GOOD, gpu_proofs=(proof(ONE_OF_TWO),)), (GOOD, ONE_OF_TWO), "than it has"),
        *(
            (
                truth(GOOD, gpus=2, gpu_proofs=(), together=wrong),
                (GOOD, ONE_OF_TWO, BOTH),
                "cards together",
            )
            for wrong in (
                at_once(ONE_OF_TWO),
                at_once(BAD),
                at_once(BOTH, "GPU-1", "GPU-3"),
                at_once(BOTH, at_ms=AS_OF_MS),
            )
        ),
        (truth(GOOD, has_valid_verdict=False), (GOOD,), "does not follow from the words"),
        (truth(GOOD, words=(word(GOOD), word(TWO[1]))), TWO, "does not follow from the words"),
        (truth(GOOD, is_banned=True), (GOOD,), "does not follow from the words"),
        (truth(GOOD, is_unknown=True), (GOOD,), "words about it stand"),
        (truth(GOOD, first_verdict_sha256=""), (GOOD,), "no first good verdict"),
        (truth(GOOD, first_verdict_sha256=sha256(BAD)), (GOOD, BAD), "is none"),
        (truth(GOOD, verified_for_ms=7), (GOOD,), "is another"),
        (truth(GOOD, paid_ms=1), (GOOD,), "not the sum"),
        (truth(GOOD, fees_microusd=1), (GOOD,), "not the sum"),
    ],
)
def test_what_does_not_follow_is_named(
    record: MachineRecord, verdicts: tuple[SignedVerdict, ...], sentence: str
) -> None:
    found = contradictions(record, verdicts, (), AS_OF_MS)
    assert any(sentence in each for each in found), found
