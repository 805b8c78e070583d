"""This will pick some of a renter's rentals: by how they do, by a name, by how an id begins."""

import re
from enum import StrEnum
from uuid import UUID

from django.db.models import Q

from marketplace.domain.placement import ENDED
from marketplace.domain.rental import RentalState, placed

_HEX = re.compile("[0-9a-f]{1,32}")


class Group(StrEnum):
    """States that are asked for together."""

    ALL = "all"
    #: it may still cost something
    LIVE = "live"
    #: ended or failed: it costs no more
    OVER = "over"


def in_state(state: Group | RentalState) -> Q:
    """Return the condition under which a rental is in that state, as ``state_of`` tells it."""
    closed = Q(meter__closed_at__isnull=False)
    if state is Group.ALL:
        return Q()
    if state is Group.LIVE:
        return ~closed
    if state is Group.OVER:
        return closed
    found = Q(placement__state__in=placed(state))
    if state is RentalState.ENDING:
        return found | (Q(placement__state__in=ENDED) & ~closed)
    if state in (RentalState.ENDED, RentalState.FAILED):
        return found & closed
    if state in (RentalState.STARTING, RentalState.ACTIVE):
        return found & Q(placement__reachable_at__isnull=state is RentalState.STARTING)
    return found


def searched(text: str) -> Q:
    """Return the condition that its name has this text in it, or its id begins so; empty: all."""
    text = text.strip()
    if not text:
        return Q()
    found, digits = Q(name__icontains=text), text.lower().replace("-", "")
    if _HEX.fullmatch(digits):
        # Both databases keep ids in the order of their digits.
        found |= Q(id__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
    return found
