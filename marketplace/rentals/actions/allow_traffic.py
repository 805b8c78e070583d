"""This will let a rental's traffic cost more, where its host charges for it."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused
from marketplace.domain.upkeep import traffic_cost
from marketplace.metering.models import Meter, SideMeter
from marketplace.rentals import queries
from marketplace.rentals.actions.extend import check_goes_on
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.actions.reprice import CapPassed, set_aside


class TrafficFree(Refused):
    code = "traffic_free"
    status = 422
    sentence = "Its host charges for no traffic, so there is nothing to allow."


class TrafficNotRaised(Refused):
    code = "traffic_not_raised"
    status = 422
    sentence = "It may use more traffic than that already; name more in all."


def allow_traffic(
    *, rental_id: UUID, renter_id: int, traffic_bytes_max: int, now: datetime
) -> None:
    """Let so much traffic of the rental be charged in all; asking twice sets money aside once.

    :raises RentalUnknown: when this renter has no such rental.
    :raises RentalOver: when it is ending or has ended, or its paid time is over.
    :raises TrafficFree: when its host charges for none.
    :raises TrafficNotRaised: when it is less than was allowed.
    :raises CapPassed: when it could cost more than its dollar cap.
    :raises InsufficientFunds: when the wallet can't cover the new worst total.
    """
    queries.find(rental_id, renter_id)
    with transaction.atomic():
        rental = locked(rental_id)
        check_goes_on(rental.placement, now)
        # The meter before its side, as whoever charges locks them.
        Meter.objects.select_for_update().get(id=rental.meter_id)
        side = SideMeter.objects.select_for_update().filter(meter_id=rental.meter_id).first()
        if side is None or not side.network_price_microusd:
            raise TrafficFree
        most = traffic_cost(side.network_price_microusd, traffic_bytes_max)
        more = most - side.traffic_microusd_max
        if more == 0:
            return
        if more < 0:
            raise TrafficNotRaised
        worst = rental.worst_total_microusd + more
        if rental.cap_microusd is not None and worst > rental.cap_microusd:
            raise CapPassed(
                f"It could cost {format_usd(worst)} then, more than your cap of"
                f" {format_usd(rental.cap_microusd)}; raise the cap first."
            )
        side.traffic_microusd_max = most
        side.save(update_fields=["traffic_microusd_max"])
        set_aside(rental, worst, cause=f"rental:{rental.id}:traffic:{most}", now=now)
        rental.priced_from_microusd += more
        rental.save(update_fields=["priced_from_microusd", "worst_total_microusd"])
