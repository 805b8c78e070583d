"""The best offers of a kind of GPU are read in their order, by whatever they are sorted."""

import pytest

from marketplace.offers.models import Offer
from tests.marketplace.test_indexes import plan_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("column", "index"),
    [
        ("price_hour_microusd", "offer_of_gpu_by_price"),
        ("value_microusd", "offer_of_gpu_by_value"),
        ("away_ppm", "offer_of_gpu_by_away"),
        ("start_p50_ms", "offer_of_gpu_by_start"),
    ],
)
def test_the_best_of_a_kind_are_read_by_their_index(column: str, index: str) -> None:
    kind = Offer.objects.filter(listed=True, gpu_model="RTX 5090", vram_bytes=32 << 30)
    best = kind.filter(has_room=True).order_by(column, "id")
    assert index in plan_of(lambda: list(best.values_list("id")[:50]))
