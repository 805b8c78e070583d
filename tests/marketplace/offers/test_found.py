"""A row of a list says of an offer what the offer and its machine say."""

import pytest

from marketplace.accounts.models import User
from marketplace.machines.models import Machine
from marketplace.offers.found import Found
from marketplace.offers.models import Offer
from tests.marketplace.rentals.market import Market


@pytest.mark.parametrize("gpus", [0, 2])
def test_a_row_says_what_its_offer_and_machine_say(charlie: User, gpus: int) -> None:
    market = Market.open(charlie)
    Machine.objects.filter(id=market.machine.id).update(
        gpus_total=gpus, gpus_free=gpus // 2, gpus_interruptible=gpus // 2, cpus_interruptible=1
    )
    Offer.objects.update(price_gpu_hour_microusd=7, storage_price_microusd=5, bid_floor_microusd=3)
    offer = Offer.objects.select_related("machine").get()
    found = Found.of(offer)
    assert found.total == offer.machine.total
    assert found.open == offer.machine.open
    assert found.tariff == offer.tariff
    assert found.opening == offer.opening
