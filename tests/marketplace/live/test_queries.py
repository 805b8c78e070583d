"""A rental has another version where its panel is another one, and only there."""

from uuid import uuid4

import pytest
from django.db import connection, models, transaction
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.live import queries
from marketplace.live.queries import GONE, UNSEEN, Seen
from marketplace.metering.models import Meter, SideMeter
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals.models import Failover, IdleRule, Rental
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market

LATER = scene.after(3600)
#: what changes all the time, and is on no panel
HIDDEN: list[tuple[type[models.Model], dict[str, object]]] = [
    (Placement, {"door_seen_at": LATER, "look_due_at": LATER, "next_sequence": 7}),
    (Meter, {"signed_ms": 7, "proven_ms": 7, "charged_until": LATER}),
    (SideMeter, {"storage_microusd": 7, "traffic_microusd": 7, "stored_until": LATER}),
    (IdleRule, {"idle_since": LATER}),
    (Offer, {"price_hour_microusd": 7, "network_up_mbit_s": 7}),
]


def version_with(rental: Rental, table: type[models.Model], values: dict[str, object]) -> str:
    """Return the version that it would have."""
    with transaction.atomic():
        assert table._default_manager.update(**values)
        found = queries.version(rental.id)
        transaction.set_rollback(True)
    return found


def test_what_no_panel_shows_makes_none(furnished: Rental) -> None:
    before = queries.version(furnished.id)
    assert queries.changed({furnished.id: before}) == {}
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


def test_where_nothing_was_written_nothing_is_looked_at(
    rental: Rental,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    known = {rental.id: queries.version(rental.id)}
    # Not the database's own: others write in the same cluster, for whom it has another one too.
    moments = iter(["1", "1", "1", "2"])
    monkeypatch.setattr(queries, "_moment", lambda: next(moments))
    Placement.objects.update(progress="pulling")
    with django_assert_num_queries(0):
        assert queries.changed_since("1", known) == ({}, "1")
    assert queries.changed_since("1", {rental.id: UNSEEN})[0].keys() == {rental.id}
    for moment in (None, "1"):
        assert queries.changed_since(moment, known)[0].keys() == {rental.id}


@pytest.mark.django_db(transaction=True)
def test_whoever_writes_makes_another_moment(rental: Rental) -> None:
    known = {rental.id: queries.version(rental.id)}
    _, moment = queries.changed_since(None, known)
    # SQLite does not number what is written.
    assert (moment is None) == (connection.vendor == "sqlite")
    Placement.objects.update(progress="pulling")
    found, newest = queries.changed_since(moment, known)
    assert found.keys() == {rental.id}
    assert newest is None or newest != moment


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
