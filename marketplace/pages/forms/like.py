"""This will fill the form with what another rental has, as far as the machine has it free."""

from typing import Any

from marketplace.offers.queries import OfferRow
from marketplace.pages.forms.amounts import in_gib
from marketplace.pages.forms.workload import written
from marketplace.rentals.queries import RentalView


def what_runs(rental: RentalView) -> dict[str, Any]:
    """Return the fields of what runs; its variables are secrets and shown nowhere again.

    Nor its volumes: one that is in use has room for nobody else.
    """
    return {
        "name": rental.name,
        "image": rental.image,
        **written(rental.command),
        "ports": ", ".join(str(port.inside) for port in rental.ports),
    }


def as_large(rental: RentalView, offer: OfferRow) -> dict[str, Any]:
    """Return the fields of how much of the machine it has."""
    return {
        "cpus": min(rental.cpus, offer.cpus_free),
        "gpus": min(rental.gpus, offer.gpus_free),
        "ram": in_gib(min(rental.ram_bytes, offer.ram_bytes_free)),
        "disk": in_gib(min(rental.disk_bytes, offer.disk_bytes_free)),
    }
