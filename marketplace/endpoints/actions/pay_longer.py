"""This will pay a replica for more time, as long as its endpoint wants it."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.domain.metered import Priced
from marketplace.domain.money import MicroUsd
from marketplace.domain.terms import worst_total
from marketplace.endpoints.models import Replica
from marketplace.ledger.actions import hold as holds
from marketplace.machines.actions import lock
from marketplace.placements.actions.extend_funding import PlacementEnding, extend_funding


def pay_longer(*, placement_id: UUID, until: datetime, now: datetime) -> bool:
    """Return whether the replica is paid until then; one that ends meanwhile is not.

    :raises InsufficientFunds: when the wallet can't cover it.
    """
    replica = Replica.objects.select_related("placement", "meter").get(placement_id=placement_id)
    try:
        with transaction.atomic():
            lock.lock(machine_id=replica.placement.machine_id)
            locked = Replica.objects.select_for_update().get(id=replica.id)
            term_ms = (until - locked.begun_at) // timedelta(milliseconds=1)
            worst = worst_total(Priced(replica.meter.price_hour_microusd), term_ms)
            # The placement before the money, as everybody locks them.
            extend_funding(placement_id=placement_id, funded_until=until, now=now)
            if worst > locked.worst_total_microusd:
                holds.increase(
                    hold_id=replica.meter.hold_id,
                    amount_microusd=MicroUsd(worst - locked.worst_total_microusd),
                    cause=f"replica:{locked.id}:until:{worst}",
                    now=now,
                )
                locked.worst_total_microusd = worst
                locked.save(update_fields=["worst_total_microusd"])
    except PlacementEnding:
        return False
    return True
