"""Renewals at once: an hour is set aside once, whatever else moves the same money."""

from collections.abc import Callable
from functools import partial

from marketplace.domain.funding import Funding
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger import audit, queries
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter
from marketplace.placements.models import Placement
from marketplace.rentals.actions import bid, extend, stop
from marketplace.rentals.actions.renew import renew
from marketplace.rentals.models import Rental
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market, give_key
from tests.marketplace.scene import NOW, after, user

Race = Callable[[list[Callable[[], object]]], list[object]]
HOUR = CPU_HOUR_MICROUSD


def pay(user_id: int, amount: int, cause: str) -> None:
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=user_id),
        amount_microusd=MicroUsd(amount),
        kind=TransferKind.TOP_UP,
        cause=cause,
        now=NOW,
    )


def rented(count: int) -> list[Rental]:
    """Return rentals of one renter that are paid an hour ahead, of which ten minutes are left."""
    market, renter = Market.open(user()), user("renter@example.org")
    give_key(renter)
    pay(renter.pk, count * HOUR, "gift")
    some = [market.rent(renter, lease_s=86_400, funding=Funding.ROLLING) for _ in range(count)]
    for one in some:
        market.run(one, at=after(1))
    Meter.objects.update(proven_ms=3_000_000)
    Rental.objects.update(fund_due_at=NOW)
    return some


def adds_up(renter_id: int, paid: int) -> None:
    charged = sum(Meter.objects.values_list("charged_microusd", flat=True))
    assert queries.balance(renter_id) + queries.held(renter_id) + charged == paid
    assert audit.audit() == []


def test_two_passes_a_payment_and_a_charge_at_once_renew_each_rental_once(race: Race) -> None:
    some = rented(3)
    renter_id = some[0].renter_id
    pass_ = partial(renew, now=after(2))
    payment = partial(pay, renter_id, 10 * HOUR, "automatic")
    outcomes = race([pass_, pass_, payment, pass_, partial(charge_all, now=after(2))])
    assert not [one for one in outcomes if isinstance(one, Exception)]
    renew(now=after(40))
    # Between the looks at 2 s and at 40 s more may have passed than was renewed.
    for meter in Meter.objects.all():
        assert meter.proven_ms_max is not None
        left_ms = meter.proven_ms_max - 3_000_000
        assert HOUR - 2_000 <= left_ms <= HOUR + 40_000
    adds_up(renter_id, 13 * HOUR)


def test_a_stop_an_extension_a_bid_and_the_pass_at_once_leave_nothing_half_done(
    race: Race,
) -> None:
    (rental,) = rented(1)
    ask = {"rental_id": rental.id, "renter_id": rental.renter_id, "now": after(2)}
    asked = extend.Asked(lease_s=90_000)
    race(
        [
            partial(renew, now=after(2)),
            partial(stop.stop, **ask),
            partial(extend.extend, asked=asked, idempotency_key="1", **ask),
            partial(bid.bid, bid_microusd=HOUR, **ask),
            partial(renew, now=after(3)),
        ]
    )
    assert Placement.objects.get().state == "stopping"
    adds_up(rental.renter_id, HOUR)
