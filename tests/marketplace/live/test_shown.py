"""Whatever makes a rental's panel another one makes its version another one."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction

from marketplace.domain.funding import Funding
from marketplace.domain.placement import PlacementState
from marketplace.domain.price_proposal import ProposalState
from marketplace.ledger.models import Hold
from marketplace.live import queries
from marketplace.metering.models import Meter, SideMeter
from marketplace.offers.models import Offer
from marketplace.pages.shown.rental import RentalPanel, panel
from marketplace.placements.models import Placement
from marketplace.rentals.models import PriceProposal, Rental
from marketplace.rentals.queries import view
from tests.marketplace import scene

Table = type[models.Model]
#: what stands in the rental's rows
Life = dict[Table, dict[str, Any]]
#: before the rental's end, so that what happens then is shown
LATER = scene.after(1234)
MANY = 1_234_567
#: in each life, so that what stands beside it is shown
BESIDE: Life = {
    Meter: {
        "proven_ms": 1 << 40, "charged_microusd": 1 << 40, "price_hour_microusd": 5_000_000,
    },
    SideMeter: {
        "storage_price_microusd": 1_000_000, "disk_bytes": 10**9,
        "network_price_microusd": 1_000_000, "traffic_microusd_max": 1 << 40,
    },
    Offer: {
        "maintenance_from": scene.after(600), "maintenance_until": scene.after(9999),
        "start_p50_ms": 1000, "start_p95_ms": 2000, "starts": 9, "starts_failed": 1,
    },
}  # fmt: skip
LIVES: dict[str, Life] = {
    "begins": {Rental: {"priced_from_ms": 100_000}},
    "runs, by a bid": {
        Rental: {"funding": Funding.ROLLING},
        Placement: {
            "state": PlacementState.RUNNING, "reachable_at": scene.after(5),
            "ssh_host": "box", "ssh_port": 22, "paid_until": scene.after(900),
            "bid_hour_microusd": 3_000_000, "outbid_stop_at": scene.after(900),
        },
    },
    "is stopped": {
        Rental: {"funding": Funding.ROLLING, "files_until": scene.after(900)},
        Placement: {
            "state": PlacementState.STOPPED, "holds_compute": False,
            "reachable_at": scene.after(5), "reason": "It is stopped.",
        },
        PriceProposal: {"state": ProposalState.DECLINED},
    },
    "ended": {
        Placement: {
            "state": PlacementState.RELEASED, "ended_at": scene.after(30), "deadline_at": None,
        },
        Meter: {"closed_at": scene.after(40)},
    },
}  # fmt: skip
#: what a rental has from its start on; another workload is another edition
FIXED = {
    *((Rental, name) for name in ("price_type", "funding", "started_at")),
    *((Placement, name) for name in ("workload", "cpus", "gpus", "memory_bytes", "disk_bytes")),
    *(
        (SideMeter, name)
        for name in ("storage_price_microusd", "disk_bytes", "network_price_microusd")
    ),
}
#: which bids win is looked at with every beat
BY_THE_BEAT = {(Offer, "bid_floor_microusd")}
#: what the database lets nobody change alone
REFUSED = {(Hold, "state"), (Hold, "released_at"), (Hold, "site_returned_microusd")}


def rows(rental: Rental) -> tuple[models.Model, ...]:
    """Return all that the panel is made of."""
    meter = rental.meter
    hold = meter.hold
    return (
        rental, rental.placement, meter, SideMeter.objects.get(meter=meter), hold, hold.account,
        rental.idle_rule, rental.failover, rental.proposals.get(), rental.offer,
    )  # fmt: skip


def others(field: "models.Field[Any, Any]", value: Any) -> Iterator[Any]:
    """Yield what may stand there instead."""
    if field.null and value is not None:
        yield None
    if field.flatchoices:
        yield from (choice for choice, _ in field.flatchoices if choice != value)
    elif isinstance(field, models.DateTimeField):
        yield LATER
    elif isinstance(field, models.BooleanField):
        yield not value
    elif isinstance(field, models.SmallIntegerField):
        yield value + 1
    elif isinstance(field, models.IntegerField):
        yield (value or 0) + MANY
    elif field.name == "ports":
        yield [{"inside": 8080, "outside": 7}]
    elif isinstance(field, models.JSONField):
        yield {} if value is None else []
    else:
        yield "another"[: field.max_length]


def changes(rental: Rental) -> Iterator[tuple[models.Model, str, Any]]:
    """Yield each row with another value of each of its columns."""
    for row in rows(rental):
        for field in row._meta.concrete_fields:
            if field.primary_key or field.is_relation or (type(row), field.name) in FIXED:
                continue
            for value in others(field, getattr(row, field.name)):
                yield row, field.name, value


def put(life: Life) -> None:
    for table, values in life.items():
        assert table._default_manager.update(**values)


def test_another_panel_means_another_version(
    furnished: Rental, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "now_s", lambda: 0)
    workload = furnished.placement.workload | {"ports": [8080]}
    Placement.objects.update(workload=workload)

    def shown() -> RentalPanel:
        return panel(view(furnished.id, furnished.renter_id, now=scene.after(60)))

    refused, taken = set(), set()
    for name, life in LIVES.items():
        with transaction.atomic():
            put(BESIDE)
            put(life)
            before, version = shown(), queries.version(furnished.id)
            for row, column, value in changes(Rental.objects.get()):
                place = (type(row), column)
                try:
                    with transaction.atomic():
                        put_there = type(row)._default_manager.filter(pk=row.pk)
                        put_there.update(**{column: value})
                        taken.add(place)
                        same = queries.version(furnished.id) == version
                        if same and place not in BY_THE_BEAT:
                            assert shown() == before, (name, place, value)
                        transaction.set_rollback(True)
                except IntegrityError:
                    refused.add(place)
            transaction.set_rollback(True)
    assert refused - taken == REFUSED
