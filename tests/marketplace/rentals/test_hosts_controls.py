"""What a host's end date, maintenance, smallest slice and guests mean to renters."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from marketplace.accounts.actions import prove_email
from marketplace.accounts.models import User
from marketplace.domain.matching import BelowMinimum
from marketplace.domain.offer_query import OfferQuery
from marketplace.domain.opening import OfferClosed
from marketplace.domain.pricing import TermTooLong
from marketplace.domain.rental import RentalState
from marketplace.offers import queries as offers
from marketplace.offers.actions.set_terms import NoticeTooShort, TermsInvalid, set_terms
from marketplace.offers.models import Offer
from marketplace.offers.queries import OfferUnknown
from marketplace.placements.actions import drain
from marketplace.rentals import queries
from marketplace.rentals.actions import end, extend, stop
from protocol.agent import Want
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import NOW, after

WORK = {"maintenance_from": after(3600), "maintenance_until": after(7200)}


@pytest.fixture
def market(charlie: User) -> Market:
    return Market.open(charlie)


@pytest.fixture
def renter(alice: User, give: Callable[..., None]) -> User:
    give(alice, 100_000_000)
    give_key(alice)
    return alice


def terms(market: Market, **named: Any) -> Offer:
    host_id = market.machine.host_id
    return set_terms(host_id=host_id, machine_id=market.machine.id, now=NOW, **named)


def found(at: float = 0, viewer: User | None = None) -> int:
    query = OfferQuery(verified=False)
    viewer_id = viewer.pk if viewer else None
    return len(offers.search(query, now=after(at), viewer_id=viewer_id).items)


def test_no_slice_below_the_smallest_is_rented(market: Market, renter: User) -> None:
    terms(market, cpus_min=2)
    with pytest.raises(BelowMinimum, match="at least 2 CPUs at once"):
        market.rent(renter)
    assert offers.row(market.offer.id, now=NOW).cpus_min == 2


def test_a_machine_is_for_rent_until_its_end_date(market: Market, renter: User) -> None:
    rental = market.rent(renter, lease_s=3600)
    terms(market, ends_at=after(1800))
    assert offers.row(market.offer.id, now=NOW).longest_term_s == 1800
    with pytest.raises(TermTooLong, match="30 minutes at most"):
        market.rent(renter, lease_s=1801)
    market.rent(renter, lease_s=1800)
    # What was agreed to before is kept, and gets no longer.
    assert drain.drain(now=after(1801)) == 0
    asked = extend.Asked(lease_s=4000)
    with pytest.raises(TermTooLong):
        extend.extend(
            rental_id=rental.id, renter_id=renter.pk, asked=asked, idempotency_key="e", now=NOW
        )
    assert (found(1799), found(1800)) == (1, 0)
    with pytest.raises(OfferClosed):
        market.rent(renter, now=after(1800))


def test_a_maintenance_is_announced_and_ends_what_is_left(market: Market, renter: User) -> None:
    runs, stopped = (market.rent(renter, lease_s=9000) for _ in range(2))
    short = market.rent(renter, lease_s=600)
    market.run(stopped, at=after(1))
    stop.stop(rental_id=stopped.id, renter_id=renter.pk, now=after(2))
    market.halt(stopped, at=after(3))
    terms(market, **WORK)
    assert queries.view(runs.id, renter.pk, NOW).maintenance_at == after(3600)
    assert queries.view(short.id, renter.pk, NOW).maintenance_at is None
    with pytest.raises(TermTooLong, match="60 minutes at most"):
        market.rent(renter, lease_s=3601)
    assert drain.drain(now=after(3599)) == 0
    assert drain.drain(now=after(3600)) == 3
    assert drain.drain(now=after(3600)) == 0
    for rental in (runs, stopped):
        view = queries.view(rental.id, renter.pk, after(3600))
        assert (view.state, view.reason_code) == (RentalState.ENDING, "host_maintenance")
        assert view.maintenance_at is None
    assert {one.want for one in market.agent.sync(after(3601)).desired} == {Want.END}
    with pytest.raises(OfferClosed, match="until 2026-03-01 14:00 UTC"):
        market.rent(renter, now=after(3600))
    assert (found(3599), found(3600), found(7199), found(7200)) == (1, 0, 0, 1)


def test_who_has_something_on_the_machine_is_told_an_hour_before(
    market: Market, renter: User
) -> None:
    soon = {"maintenance_from": after(3599), "maintenance_until": after(7200)}
    rental = market.rent(renter, lease_s=3599)
    terms(market, **soon)
    terms(market, maintenance_from=None, maintenance_until=None)
    longer = market.rent(renter, lease_s=9000)
    with pytest.raises(NoticeTooShort, match="2026-03-01 13:01 UTC or later"):
        terms(market, **soon)
    terms(market, **WORK)
    # It may be sent again as it stands, or later, and never sooner.
    later = after(1800)
    set_terms(host_id=market.machine.host_id, machine_id=market.machine.id, now=later, **WORK)
    with pytest.raises(NoticeTooShort):
        set_terms(host_id=market.machine.host_id, machine_id=market.machine.id, now=later, **soon)
    for one in (rental, longer):
        end.end(rental_id=one.id, renter_id=renter.pk, now=after(2))
    terms(market, **soon)


def test_an_address_that_nobody_has_proven_lets_nobody_in(
    market: Market, renter: User, client: Client
) -> None:
    terms(market, guests=["alice@example.com"])
    assert found(viewer=renter) == 0
    with pytest.raises(OfferUnknown):
        market.rent(renter)
    client.force_login(renter)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"email": "Mallory@example.com", "action_add": ""})
    client.post("/accounts/email/", {"email": "mallory@example.com", "action_primary": ""})
    client.post("/accounts/email/", {"email": renter.email, "action_send": ""})
    (_, letter) = mail.outbox
    link = next(word for word in letter.body.split() if "/confirm-email/" in word)
    client.post(f"/{link.split('/', 3)[3]}")
    assert found(viewer=renter) == 1
    terms(market, guests=["mallory@example.com"])
    assert found(viewer=renter) == 0


def test_a_private_offer_is_seen_and_rented_by_its_guests_and_its_host(
    market: Market, renter: User, bob: User, charlie: User, give: Callable[..., None]
) -> None:
    give(bob, 100_000_000)
    give_key(bob)
    for guest in (renter, bob):
        prove_email.prove(user=guest)
    offer = terms(market, guests=["Alice@Example.com ", "later@example.com"])
    assert offers.guests(offer) == ["alice@example.com", "later@example.com"]
    assert [found(viewer=who) for who in (None, bob, renter, charlie)] == [0, 0, 1, 1]
    market.rent(renter)
    for refused in (
        lambda: market.rent(bob),
        lambda: offers.row(offer.id, now=NOW, viewer_id=bob.pk),
        lambda: offers.row(offer.id, now=NOW),
    ):
        with pytest.raises(OfferUnknown):
            refused()
    terms(market, guests=["bob@example.com"])
    assert [found(viewer=who) for who in (None, bob, renter)] == [0, 1, 0]
    terms(market, cpus_min=1)
    assert found() == 0
    terms(market, guests=None)
    assert found() == 1


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"ends_at": NOW}, "lies in the past"),
        ({"maintenance_from": after(1)}, "both when"),
        ({"maintenance_until": after(1)}, "both when"),
        ({"maintenance_from": after(9), "maintenance_until": after(9)}, "end after it begins"),
        ({"maintenance_from": after(-9), "maintenance_until": after(-1)}, "after now"),
        ({"cpus_min": 5}, "CPUs 4, GPUs 0"),
        ({"gpus_min": 1}, "CPUs 4, GPUs 0"),
        ({"cpus_min": 0}, "at least one CPU"),
        ({"guests": ["alice"]}, "no e-mail address"),
    ],
)
def test_terms_that_make_no_sense_are_refused_and_change_nothing(
    market: Market, named: dict[str, Any], words: str
) -> None:
    before = Offer.objects.values().get()
    with pytest.raises(TermsInvalid, match=words):
        terms(market, **named)
    assert Offer.objects.values().get() == before


def test_terms_with_an_end_are_taken_back_by_none(market: Market) -> None:
    terms(market, ends_at=after(99), **WORK)
    offer = terms(market, ends_at=None, maintenance_from=None, maintenance_until=None)
    assert (offer.ends_at, offer.maintenance_from, offer.opening.closes_at(NOW)) == (None,) * 3


def test_nobody_else_sets_a_hosts_terms(market: Market, bob: User) -> None:
    with pytest.raises(OfferUnknown):
        set_terms(host_id=bob.pk, machine_id=market.machine.id, now=NOW, ends_at=after(9))
