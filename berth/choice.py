"""This will choose among offers for a request. Pure."""

from collections.abc import Iterable

from berth.shapes import Offer
from protocol.hardware import Resources


def fits(offer: Offer, resources: Resources) -> bool:
    """Say whether the offer is rentable now and has room for the request."""
    return (
        offer.online
        and offer.verified
        and offer.cpus_free >= resources.cpu.count
        and offer.gpus_free >= resources.gpu.count
        and offer.ram_bytes_free >= resources.ram.capacity
        and offer.disk_bytes_free >= resources.hard_disk.capacity
    )


def price_hour(offer: Offer, resources: Resources) -> int:
    """Return what the request costs an hour here, in micro-USD: by its GPUs, else by its CPUs."""
    if resources.gpu.count:
        return resources.gpu.count * offer.price_gpu_hour_microusd
    return resources.cpu.count * offer.price_cpu_hour_microusd


def cheapest(offers: Iterable[Offer], resources: Resources) -> list[Offer]:
    """Return the offers that fit, cheapest first; equal prices by id, so the order is stable."""
    fitting = [offer for offer in offers if fits(offer, resources)]
    return sorted(fitting, key=lambda offer: (price_hour(offer, resources), offer.id))
