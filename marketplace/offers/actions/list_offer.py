"""This will make an enrolled machine's offer, and list it where a default price will do."""

import logging
from datetime import datetime
from uuid import UUID

from marketplace.machines.models import Machine
from marketplace.offers.actions import refresh
from marketplace.offers.models import Offer

logger = logging.getLogger(__name__)

#: what a host's form begins with; a CPU machine is offered at it until its host sets another price
PRICE_GPU_HOUR_MICROUSD = 200_000
PRICE_CPU_HOUR_MICROUSD = 10_000
LONGEST_TERM_S = 30 * 24 * 3600


def list_offer(*, machine_id: UUID, now: datetime) -> Offer:
    """Return the machine's offer; one that exists stays as its host set it.

    GPUs are worth too different prices for a default: their host lists them, with a price.
    """
    has_gpus = Machine.objects.values_list("gpus_total", flat=True).get(id=machine_id) > 0
    price = PRICE_GPU_HOUR_MICROUSD if has_gpus else PRICE_CPU_HOUR_MICROUSD
    offer, is_new = Offer.objects.get_or_create(
        machine_id=machine_id,
        defaults={
            "price_gpu_hour_microusd": PRICE_GPU_HOUR_MICROUSD,
            "price_cpu_hour_microusd": PRICE_CPU_HOUR_MICROUSD,
            "longest_term_s": LONGEST_TERM_S,
            "price_hour_microusd": price,
            "listed": not has_gpus,
        },
    )
    if is_new:
        logger.info("Offer made", extra={"machine_id": machine_id, "offer_id": offer.id})
    refresh.refresh(machine_id=machine_id, now=now)
    return offer


def list_missing(*, now: datetime) -> int:
    """Return how many machines had no offer and got one: redoes what a lost call left undone."""
    missing = Machine.objects.filter(offer__isnull=True).order_by("id")
    machine_ids = list(missing.values_list("id", flat=True)[:500])
    for machine_id in machine_ids:
        list_offer(machine_id=machine_id, now=now)
    return len(machine_ids)
