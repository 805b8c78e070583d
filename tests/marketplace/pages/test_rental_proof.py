"""A rental's page says how to have it proven, and what came of the last time."""

import re

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.domain.rental_proof import ProofState
from marketplace.rentals.actions import ask_proof
from marketplace.rentals.models import Rental, RentalProof
from marketplace.verification.models import Validator
from protocol.validator import GpuMeasurement, Measurement
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import GIB, NOW, after

MEASURED = Measurement(
    cpus=1,
    cpu_hash_rate=1_900_000,
    memory_bytes_proven=GIB // 2,
    gpus=(
        GpuMeasurement(
            index=0,
            uuid="GPU-1",
            name="NVIDIA <b>H100</b>",
            vram_bytes=80 * GIB,
            vram_bytes_proven=76 * GIB,
            bandwidth_mb_s=3_000_000,
            int8_gops=1_200_000,
        ),
    ),
)


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    made = market.rent(alice)
    market.run(made, at=after(1))
    return made


def text(renter: Client, rental: Rental) -> str:
    page = renter.get(f"/rentals/{rental.id}/").content.decode()
    return re.sub(r"\s+", " ", page)


def test_before_the_first_proof_the_page_says_how(renter: Client, rental: Rental) -> None:
    page = text(renter, rental)
    assert f"berth prove {str(rental.id)[:8]}" in page
    assert 'id="proof"' not in page


def test_a_proof_is_shown_beside_what_is_known(renter: Client, rental: Rental) -> None:
    proof = ask_proof.ask(rental_id=rental.id, renter_id=rental.renter_id, now=after(3))
    assert "Waiting for a validator" in text(renter, rental)
    RentalProof.objects.filter(id=proof.id).update(
        state=ProofState.PASSED,
        ended_at=NOW,
        validator=Validator.objects.get(),
        signed={"report": {"measurement": MEASURED.model_dump(mode="json")}},
    )
    page = text(renter, rental)
    assert "Passed" in page
    assert ">1.9 M/s</td><td" in page.replace(" ", " ")
    assert "1 rented" in page
    assert "NVIDIA &lt;b&gt;H100&lt;/b&gt;, memory filled" in page
    assert "3000 GB/s" in page
    assert "1200 TOPS" in page
