"""A rental has another version where its panel is another one, and only there."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.ledger.models import Account, Hold
from marketplace.live import queries
from marketplace.live.queries import GONE, UNSEEN, Seen
from marketplace.metering.models import Meter, SideMeter
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals.models import Failover, IdleRule, PriceProposal, Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market

LATER = scene.after(3600)
#: of each table what the panel shows (pages/shown/rental.py)
SHOWN: list[tuple[type[models.Model], dict[str, object]]] = [
    *(
        (Rental, {name: 7})
        for name in (
            "price_hour_microusd", "priced_from_ms", "delivered_ppm", "worst_total_microusd",
        )
    ),
    (Rental, {"files_until": LATER}),
    *(
        (Placement, {name: "other"})
        for name in (
            "want", "progress", "reason_code", "reason", "ssh_host", "ssh_host_key",
            "change_code", "change_reason",
        )
    ),
    *(
        (Placement, {name: LATER})
        for name in (
            "reachable_at", "door_missed_at", "stop_requested_at", "funded_until", "paid_until",
        )
    ),
    (Placement, {"state": "waiting"}),
    (Placement, {"ssh_port": 7}),
    (Placement, {"edition": 7}),
    (Placement, {"starts": 7}),
    (Placement, {"former_workload": {}}),
    (Placement, {"ports": [{"inside": 1, "outside": 2}]}),
    (Placement, {"bid_hour_microusd": 7}),
    (Placement, {"bid_hour_microusd": 7, "outbid_stop_at": LATER}),
    (Placement, {"bid_hour_microusd": 7, "resume_due_at": LATER}),
    *((Meter, {name: 7}) for name in ("price_hour_microusd", "charged_microusd")),
    (Meter, {"proven_ms": 7, "charged_ms": 7}),
    (Meter, {"closed_at": LATER}),
    (Hold, {"returned_microusd": 7}),
    (Account, {"credits_posted": models.F("credits_posted") + 7}),
    *(
        (SideMeter, {name: 7})
        for name in (
            "storage_microusd", "traffic_microusd", "traffic_bytes", "traffic_microusd_max",
        )
    ),
    (IdleRule, {"after_s": 7}),
    (IdleRule, {"below_percent": 7}),
    (PriceProposal, {"price_hour_microusd": 7}),
    (PriceProposal, {"from_at": LATER}),
    (PriceProposal, {"state": "declined"}),
    (PriceProposal, {"state": "accepted"}),
    (Offer, {"maintenance_from": LATER, "maintenance_until": LATER + timedelta(hours=1)}),
    *(
        (Offer, {name: 7})
        for name in ("start_p50_ms", "start_p95_ms", "starts", "starts_failed")
    ),
]  # fmt: skip
#: what changes all the time, and is on no panel
HIDDEN: list[tuple[type[models.Model], dict[str, object]]] = [
    (Placement, {"door_seen_at": LATER, "look_due_at": LATER, "next_sequence": 7}),
    (Meter, {"signed_ms": 7, "proven_ms": 7, "charged_until": LATER}),
    (IdleRule, {"idle_since": LATER}),
    (Offer, {"price_hour_microusd": 7, "network_up_mbit_s": 7}),
]


@pytest.fixture
def furnished(rental: Rental) -> Rental:
    """Return the rental with everything beside it that one may have."""
    SideMeter.objects.create(
        meter=rental.meter, storage_price_microusd=1, disk_bytes=1, network_price_microusd=1,
        traffic_microusd_max=1_000_000, traffic_microusd=1,
    )  # fmt: skip
    IdleRule.objects.create(rental=rental, after_s=60, below_percent=5, set_at=scene.NOW)
    Failover.objects.create(
        rental=rental, price_hour_microusd_max=1, first_started_at=rental.started_at
    )
    PriceProposal.objects.create(
        rental=rental, price_hour_microusd=1, from_at=scene.NOW, proposed_at=scene.NOW
    )
    return rental


def version_with(rental: Rental, table: type[models.Model], values: dict[str, object]) -> str:
    """Return the version that it would have."""
    with transaction.atomic():
        assert table._default_manager.update(**values)
        found = queries.version(rental.id)
        transaction.set_rollback(True)
    return found


def test_every_column_that_the_panel_shows_makes_another_version(furnished: Rental) -> None:
    before = queries.version(furnished.id)
    assert queries.changed({furnished.id: before}) == {}
    for table, values in SHOWN:
        assert version_with(furnished, table, values) not in (GONE, before), (table, values)


def test_what_no_panel_shows_makes_none(furnished: Rental) -> None:
    before = queries.version(furnished.id)
    for table, values in HIDDEN:
        assert version_with(furnished, table, values) == before, (table, values)


def test_what_took_its_place_makes_another_version(
    furnished: Rental, market: Market, alice: User
) -> None:
    before = queries.version(furnished.id)
    Failover.objects.update(successor=market.rent(alice))
    assert queries.version(furnished.id) != before


def test_an_active_rental_does_not_tell_how_others_began(rental: Rental, market: Market) -> None:
    market.run(rental, at=scene.after(1))
    before = queries.version(rental.id)
    Offer.objects.update(starts=7)
    assert queries.version(rental.id) == before


def test_what_wins_a_bids_room_is_looked_at_with_every_beat(
    rental: Rental, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = iter([0, 1, 15, 15])
    monkeypatch.setattr(queries, "now_s", lambda: next(beats))
    Placement.objects.update(bid_hour_microusd=7)
    first, same, next_beat = (queries.version(rental.id) for _ in range(3))
    assert first == same != next_beat
    Placement.objects.update(bid_hour_microusd=None)
    monkeypatch.setattr(queries, "now_s", lambda: 0)
    listed = queries.version(rental.id)
    monkeypatch.setattr(queries, "now_s", lambda: 99)
    assert queries.version(rental.id) == listed


def test_what_is_gone_has_no_version(rental: Rental) -> None:
    known = {rental.id: queries.version(rental.id), uuid4(): UNSEEN}
    Rental.objects.update(forgotten_at=scene.NOW)
    assert queries.changed(known) == dict.fromkeys(known, Seen(GONE, live=False))
    assert queries.changed(dict.fromkeys(known, GONE)) == {}
    assert queries.renters(known) == {}


def test_a_rental_is_live_until_its_last_charge_is_posted(rental: Rental, market: Market) -> None:
    def is_live() -> bool:
        return queries.changed({rental.id: UNSEEN})[rental.id].live

    market.run(rental, at=scene.after(1))
    assert is_live()
    market.end(rental, at=scene.after(2))
    assert not is_live()
    Meter.objects.update(closed_at=None)
    assert is_live()


@pytest.mark.django_db(transaction=True)
def test_where_nothing_was_written_nothing_is_looked_at(rental: Rental) -> None:
    known = {rental.id: queries.version(rental.id)}
    found, moment = queries.changed_since(None, known)
    assert found == {}
    with CaptureQueriesContext(connection) as asked:
        assert queries.changed_since(moment, known) == ({}, moment)
    # SQLite does not number what is written.
    assert len(asked) == 1
    assert ("rentals_rental" in asked[0]["sql"]) == (moment is None)
    assert queries.changed_since(moment, {rental.id: UNSEEN})[0].keys() == {rental.id}
    Placement.objects.update(progress="pulling")
    assert queries.changed_since(moment, known)[0].keys() == {rental.id}


def test_all_rentals_take_one_query(
    rental: Rental,
    market: Market,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    known = {one.id: UNSEEN for one in (rental, market.rent(alice))}
    with django_assert_num_queries(1):
        found = queries.changed(known)
    Placement.objects.filter(rental=rental).update(progress="pulling")
    seen = {id_: one.version for id_, one in found.items()}
    assert queries.changed(seen).keys() == {rental.id}
