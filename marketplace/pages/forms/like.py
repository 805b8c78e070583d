"""This will fill forms with what a rental has: to rent another like it, and to change it."""

from typing import Any

from marketplace.offers.queries import OfferRow
from marketplace.pages.forms.amounts import in_gib
from marketplace.pages.forms.idle import IdleForm
from marketplace.pages.forms.workload import ChangeForm, written
from marketplace.rentals.rental_view import RentalView


def another(rental: RentalView) -> dict[str, Any]:
    """Return the fields of what another like it is called and runs."""
    return {"name": rental.name, **what_runs(rental)}


def what_runs(rental: RentalView) -> dict[str, Any]:
    """Return the fields of what runs; its variables are secrets and shown nowhere again.

    Nor its volumes: one that is in use has room for nobody else.
    """
    return {
        "image": rental.image,
        **written(rental.command),
        "ports": ", ".join(str(port.inside) for port in rental.ports),
    }


def as_large(rental: RentalView, offer: OfferRow) -> dict[str, Any]:
    """Return the fields of how much of its machine it has, as far as the offer has it free."""
    return {
        "cpus": min(rental.cpus, offer.cpus_free),
        "gpus": min(rental.gpus, offer.gpus_free),
        "ram": in_gib(min(rental.ram_bytes, offer.ram_bytes_free)),
        "disk": in_gib(min(rental.disk_bytes, offer.disk_bytes_free)),
    }


def change_form(rental: RentalView) -> ChangeForm:
    """Return the form with what runs now."""
    return ChangeForm(initial=what_runs(rental))


def idle_form(rental: RentalView) -> IdleForm:
    """Return the form with the rule that there is."""
    rule = rental.idle_rule
    if rule is None:
        return IdleForm()
    told = {"after_minutes": rule.after_s // 60, "below_percent": rule.below_percent}
    return IdleForm(initial=told)
