"""This will recompute the columns by which offers are found."""

from datetime import datetime
from uuid import UUID

from marketplace.domain.pricing import price_hour, value
from marketplace.offers.models import UNMEASURED, Offer
from marketplace.verification import queries as verification


def refresh(*, machine_id: UUID, now: datetime) -> None:
    """Make one offer's derived columns true again; call it after a new verdict or price."""
    offer = Offer.objects.select_related("machine").filter(machine_id=machine_id).first()
    if offer is not None:
        _refresh(offer, now)


def refresh_all(*, now: datetime) -> int:
    """Return how many offers this pass found to differ from the truth, and mended."""
    offers = Offer.objects.select_related("machine").order_by("id")
    return sum(_refresh(offer, now) for offer in offers.iterator(chunk_size=500))


def _refresh(offer: Offer, now: datetime) -> bool:
    machine = offer.machine
    verdict = verification.current_verdict(machine.id, now)
    verified = verdict is not None and verification.vouches(verdict, claimed=machine.hardware)
    rates = verification.hash_rates_per_cpu(machine.id, newest=1)
    rate = rates[-1] * machine.cpus_total if rates else None
    whole_hour = price_hour(
        gpus=machine.gpus_total,
        cpus=machine.cpus_total,
        price_gpu_hour_microusd=offer.price_gpu_hour_microusd,
        price_cpu_hour_microusd=offer.price_cpu_hour_microusd,
    )
    # A GPU's price says nothing about the CPUs beside it, and no GPU rate is measured yet.
    measured = None if machine.gpus_total else value(price_hour_microusd=whole_hour, rate=rate)
    columns = {
        "price_hour_microusd": offer.price_gpu_hour_microusd
        if machine.gpus_total
        else offer.price_cpu_hour_microusd,
        "value_microusd": UNMEASURED if measured is None else measured,
        "cpu_hash_rate": rate,
        "verified_until": verdict.expires_at if verified and verdict is not None else None,
    }
    if all(getattr(offer, name) == column for name, column in columns.items()):
        return False
    return bool(Offer.objects.filter(id=offer.id).update(**columns))
