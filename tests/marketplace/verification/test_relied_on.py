"""What is taken from one validator alone is not taken from one with little stake."""

import bittensor_core
import pytest

from marketplace.machines.models import Machine
from marketplace.verification import queries
from marketplace.verification.actions.admit_validator import admit
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.evidence import evidence
from marketplace.verification.models import MachineMark, Validator
from marketplace.verification.relied_on import HEARD_WITHIN
from protocol.hardware import Gpu
from protocol.validator import GpuMeasurement, Measurement
from tests.marketplace.scene import GIB, NOW, Judge, hardware, machine

pytestmark = pytest.mark.django_db


def judge(name: str, stake: int) -> Judge:
    made = Judge(keypair=bittensor_core.Keypair.create_from_uri(f"//{name}"))
    admit(hotkey=made.keypair.ss58_address, name=name, now=NOW, stake=stake)
    return made


@pytest.mark.parametrize(
    ("stake", "greatest", "silent_ppm", "counts"),
    [
        (0, 0, 0, False),
        (1, 1, 0, True),
        (0, 1, 0, False),
        (49, 100, 0, False),
        (49, 100, 999_999, False),
        # Who went away keeps nobody from scoring.
        (49, 100, 1_000_000, True),
        (50, 100, 0, True),
        (7, 1, 0, True),
    ],
)
def test_a_word_of_little_stake_proves_measures_and_compares_nothing(
    stake: int, greatest: int, silent_ppm: int, counts: bool
) -> None:
    judge("Whale", greatest)
    Validator.objects.update(spoke_at=NOW - HEARD_WITHIN * silent_ppm // 1_000_000)
    card = Gpu(uuid="GPU-0", model="H100", vram_bytes=80 * GIB, driver="550")
    of = hardware(gpus=1).model_copy(update={"gpus": (card,)})
    on = machine(of=of)
    gpu = GpuMeasurement(
        index=0,
        uuid="GPU-0",
        name="H100",
        vram_bytes=1,
        vram_bytes_proven=1,
        bandwidth_mb_s=1,
        int8_gops=1,
    )
    told = Measurement(cpus=4, cpu_hash_rate=8_000_000, gpus=(gpu,))
    signed = judge("Minnow", stake).verdict(on, hardware=of, measurement=told)
    record(signed=signed, now=NOW)
    (target,) = queries.targets(NOW)
    everyone = Machine.objects.all()
    assert (target.proven_at_ms is not None) is counts
    assert (target.gpus_proven_at_ms != {}) is counts
    assert (evidence(everyone, NOW)[on.id].looks != ()) is counts
    assert (queries.standings(everyone, NOW, rates_max=1)[on.id].rates_per_cpu != ()) is counts
    assert MachineMark.objects.exists() is counts
