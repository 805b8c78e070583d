"""This will let a rental deliver, be idle or not, and pass a proof of so many hashes."""

from marketplace.domain.rental_proof import ProofState
from marketplace.metering.actions.charge import charge_all
from marketplace.rentals.models import Rental, RentalProof
from marketplace.telemetry.models import Reading
from marketplace.verification.actions.record_verdict import record
from protocol.agent import ObservedState
from protocol.rental_proof import ProofOutcome, RentalProofReport, SignedRentalProofReport
from protocol.validator import Measurement
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import Judge, after

#: of one CPU, by the verdict of tests.marketplace.scene.Judge
LISTED = 2_000_000


def deliver(market: Market, rental: Rental, *, second: int, is_charged: bool = True) -> None:
    """Have everything until then signed, looked at and charged."""
    agent, placement_id = market.agent, rental.placement_id
    agent.sync(after(second))
    begin = agent.chain[-1].interval.to_age_ms if agent.chain else 0
    if begin == second * 1000:
        return
    market.look(at=after(second))
    told = agent.observed(placement_id, ObservedState.RUNNING, run=1, age_ms=second * 1000)
    interval = agent.count(placement_id, begin, second * 1000)
    agent.sync(after(second), placements=[told], intervals=[interval])
    if is_charged:
        charge_all(now=after(second))


def read(rental: Rental, *, until: int, milli: int = 0) -> None:
    """Keep readings of the two minutes before, at a steady use."""
    machine_id = rental.placement.machine_id
    Reading.objects.filter(machine_id=machine_id).delete()
    Reading.objects.bulk_create(
        Reading(
            machine_id=machine_id,
            slot=number,
            at=after(until - 120 + number * 10),
            content={
                "placements": {
                    str(rental.placement_id): {
                        "placement_id": str(rental.placement_id),
                        "run": 1,
                        "cpu_ms": number * 10 * milli,
                        "memory_bytes": 1,
                    }
                }
            },
        )
        for number in range(13)
    )


def measure(rental: Rental, *, second: int, rate: int) -> None:
    """Have a validator measure so many hashes of a CPU of what is free of its machine."""
    checked_ms = int(after(second).timestamp() * 1000)
    verdict = Judge().verdict(
        rental.placement.machine,
        measurement=Measurement(cpus=3, cpu_hash_rate=3 * rate),
        checked_at_ms=checked_ms,
        expires_at_ms=checked_ms + 3_600_000,
    )
    record(signed=verdict, now=after(second))


def passed(rental: Rental, *, second: int, rate: int) -> RentalProof:
    """Keep a proof that passed at this second with so many hashes of its CPU."""
    machine = rental.placement.machine
    report = RentalProofReport(
        validator_hotkey="judge",
        proof_id=rental.id,
        machine_id=machine.id,
        machine_key=machine.machine_key,
        outcome=ProofOutcome.PASSED,
        measurement=Measurement(cpus=1, cpu_hash_rate=rate),
        checked_at_ms=1,
    )
    return RentalProof.objects.create(
        rental=rental,
        state=ProofState.PASSED,
        asked_at=after(second),
        expires_at=after(second + 300),
        ended_at=after(second),
        signed=SignedRentalProofReport(report=report, signature="0" * 128).model_dump(mode="json"),
    )
