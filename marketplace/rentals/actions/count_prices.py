"""This will count where prices of each kind of machine lie, offered and paid."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef

from marketplace import plain_sql
from marketplace.accounts.models import Membership
from marketplace.domain.market_price import Spread, offered, paid, unit_price
from marketplace.domain.placement import PlacementState
from marketplace.offers.kinds import Kind
from marketplace.offers.models import KindPrice
from marketplace.rentals.models import Rental

#: every kind's cuts in one statement: one window over the offers, and nothing of them comes here
OFFERED = """\
SELECT gpu_model, vram_bytes, MAX(prices), COUNT(DISTINCT host_id),
    MIN(price) FILTER (WHERE place * 10 >= prices),
    MIN(price) FILTER (WHERE place * 2 >= prices),
    MIN(price) FILTER (WHERE place * 10 >= prices * 9)
FROM (
    SELECT offer.gpu_model, offer.vram_bytes, offer.price_hour_microusd AS price,
        machine.host_id AS host_id,
        ROW_NUMBER() OVER (
            PARTITION BY offer.gpu_model, offer.vram_bytes
            ORDER BY offer.price_hour_microusd, offer.id
        ) AS place,
        COUNT(*) OVER (PARTITION BY offer.gpu_model, offer.vram_bytes) AS prices
    FROM offers_offer AS offer
    JOIN machines_machine AS machine ON machine.id = offer.machine_id
    WHERE offer.listed AND NOT offer.private AND offer.verified_until > %(now)s AND machine.online
) AS priced
GROUP BY gpu_model, vram_bytes
"""


def count_prices(*, now: datetime) -> int:
    """Return how many kinds have a price to tell; what is told of no longer is gone."""
    spreads, of_rentals = dict(_offered(now)), _paid()
    kinds = sorted(spreads.keys() | of_rentals.keys(), key=lambda kind: (kind[0], kind[1]))
    rows = [
        _row(Kind(*kind), spreads.get(kind), paid(of_rentals.get(kind, {})), now) for kind in kinds
    ]
    told = [row for row in rows if row.offers or row.paid_hosts]
    with transaction.atomic():
        KindPrice.objects.all().delete()
        KindPrice.objects.bulk_create(told)
    return len(told)


def _offered(now: datetime) -> Iterator[tuple[tuple[str, int], Spread]]:
    at = connection.ops.adapt_datetimefield_value(now)
    for model, vram_bytes, prices, hosts, *cuts in plain_sql.fetch(OFFERED, now=at):
        spread = offered(prices=prices, hosts=hosts, cuts_microusd=(cuts[0], cuts[1], cuts[2]))
        if spread is not None:
            yield (model, vram_bytes), spread


def _paid() -> dict[tuple[str, int], dict[int, list[int]]]:
    """Return what an hour of a unit costs in each rental that runs, by kind and host.

    Of private offers nothing is told, and who rents from themselves pays nobody.
    """
    own = Membership.objects.filter(
        person_id=OuterRef("placement__machine__host_id"), team_id=OuterRef("renter_id")
    )
    running = (
        Rental.objects.filter(placement__state=PlacementState.RUNNING, offer__private=False)
        .exclude(renter_id=F("placement__machine__host_id"))
        .exclude(Exists(own))
        .select_related("placement__machine")
        .only(
            "price_hour_microusd",
            *(f"placement__{name}" for name in ("cpus", "memory_bytes", "disk_bytes", "gpus")),
            *(
                f"placement__machine__{name}"
                for name in (
                    *("host_id", "gpu_model", "vram_bytes", "cpus_total", "gpus_total"),
                    *("memory_bytes_total", "disk_bytes_total"),
                )
            ),
        )
        .order_by("id")
    )
    found: dict[tuple[str, int], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for rental in running.iterator(chunk_size=2000):
        placement, machine = rental.placement, rental.placement.machine
        price = unit_price(rental.price_hour_microusd, placement.rented, total=machine.total)
        if price is not None:
            found[machine.gpu_model, machine.vram_bytes][machine.host_id].append(price)
    return found


def _row(kind: Kind, offers: Spread | None, paid_for: Spread | None, now: datetime) -> KindPrice:
    row = KindPrice(gpu_model=kind.gpu_model, vram_bytes=kind.vram_bytes, counted_at=now)
    if offers is not None:
        row.offers, row.hosts = offers.prices, offers.hosts
        row.offered_p10_microusd = offers.p10_microusd
        row.offered_median_microusd = offers.median_microusd
        row.offered_p90_microusd = offers.p90_microusd
    if paid_for is not None:
        row.rentals, row.paid_hosts = paid_for.prices, paid_for.hosts
        row.paid_p10_microusd = paid_for.p10_microusd
        row.paid_median_microusd = paid_for.median_microusd
        row.paid_p90_microusd = paid_for.p90_microusd
    return row
