"""This will price a reservation: a term that is held as a whole, at its host's discount."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.problem import Refused

DAY_S = 24 * 3600
#: a reservation is at least a day and at most twelve months
DAYS_MIN, DAYS_MAX = 1, 365
DISCOUNT_PPM_MAX = 900_000
STEPS_MAX = 12


class CurveInvalid(Refused):
    code = "invalid"
    status = 422
    sentence = (
        f"A discount curve has at most {STEPS_MAX} steps of {DAYS_MIN} to {DAYS_MAX} days and 0 to"
        f" {DISCOUNT_PPM_MAX // 10_000} % off; each is longer than the one before and takes more"
        " off."
    )


class ReservationRefused(Refused):
    """The term can't be reserved here."""

    code = "reservation_refused"
    status = 409


class ReservationStays(Refused):
    """Its GPUs are kept for it, so it can't be stopped."""

    code = "reservation_stays"
    status = 409
    sentence = (
        "A reservation keeps its part of the machine for you to its end, so it can't be stopped;"
        " restart it, or end it."
    )


class ReservationUnfit(Refused):
    """The limits are none of a reservation."""

    code = "reservation_unfit"
    status = 422
    sentence = (
        f"A reservation lasts {DAYS_MIN} to {DAYS_MAX} days and is paid as a whole: give its term,"
        " and no dollar cap, no bid and no rolling funding."
    )


@dataclass(frozen=True, slots=True)
class Discount:
    """What a reservation of so many days, or more, takes off the price."""

    days: int
    discount_ppm: int


def curve(steps: Sequence[Mapping[str, Any]]) -> tuple[Discount, ...]:
    """Return a host's curve as it is kept; an empty one takes no reservations.

    :raises CurveInvalid: when a step is out of bounds or no better than the one before.
    """
    found = tuple(Discount(step["days"], step["discount_ppm"]) for step in steps)
    if len(found) > STEPS_MAX:
        raise CurveInvalid
    for step in found:
        if not DAYS_MIN <= step.days <= DAYS_MAX or not 0 <= step.discount_ppm <= DISCOUNT_PPM_MAX:
            raise CurveInvalid
    for shorter, longer in pairwise(found):
        if longer.days <= shorter.days or longer.discount_ppm <= shorter.discount_ppm:
            raise CurveInvalid
    return found


def discount_ppm(discounts: Sequence[Discount], *, lease_s: int | None) -> int:
    """Return what the term takes off: the highest step that it reaches, nothing in between.

    :raises ReservationUnfit: when that is no term of a reservation.
    :raises ReservationRefused: when the host takes none, or none so short.
    """
    if lease_s is None or not DAYS_MIN * DAY_S <= lease_s <= DAYS_MAX * DAY_S:
        raise ReservationUnfit
    if not discounts:
        raise ReservationRefused("This host takes no reservations; rent on demand.")
    reached = [step for step in discounts if step.days * DAY_S <= lease_s]
    if not reached:
        raise ReservationRefused(
            f"This host takes reservations of {discounts[0].days} days or more; reserve longer or"
            " rent on demand."
        )
    return reached[-1].discount_ppm


def reserved_hour(price_hour_microusd: int, ppm: int) -> MicroUsd:
    """Return the price of an hour with so much off, rounded up."""
    return MicroUsd(-(-price_hour_microusd * (PPM - ppm) // PPM))
