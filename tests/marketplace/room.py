"""What the rules of a rental say of a machine's room, to hold what the database keeps to it."""

from dataclasses import replace

from marketplace.domain.matching import SMALLEST
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer


def has_room(offer: Offer) -> bool:
    """Say whether the least that somebody looks for there fits; of a machine with GPUs one."""
    machine = offer.machine
    least = replace(
        SMALLEST,
        cpus=max(SMALLEST.cpus, offer.cpus_min),
        gpus=max(offer.gpus_min, min(machine.gpus_total, 1)),
    )
    return not least.exceeds(machine.open)


def untrue() -> list[Offer]:
    """Return the offers that say otherwise than the rules."""
    # As plain statements, for which Django writes nothing: a simulation asks after each step.
    machines = {one.id: one for one in Machine.objects.raw("SELECT * FROM machines_machine")}
    offers = list(Offer.objects.raw("SELECT * FROM offers_offer ORDER BY id"))
    for offer in offers:
        offer.machine = machines[offer.machine_id]
    return [offer for offer in offers if offer.has_room is not has_room(offer)]
