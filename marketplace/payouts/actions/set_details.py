"""This will write down how a host wants to be paid, and who they are for the tax office."""

from datetime import datetime

from marketplace.domain.tax import TaxDetails
from marketplace.payouts.models import HostDetails, Route


def choose_route(*, host_id: int, route: Route, now: datetime) -> None:
    """Pay the host so from the next Friday on; what is under way goes on."""
    HostDetails.objects.update_or_create(
        host_id=host_id, defaults={"route": route, "changed_at": now}
    )


def set_tax_details(*, host_id: int, details: TaxDetails, now: datetime) -> None:
    """Keep the details; another country needs another account at the processor."""
    HostDetails.objects.update_or_create(
        host_id=host_id,
        defaults={
            "legal_name": details.legal_name,
            "country": details.country,
            "tax_id": details.tax_id,
            "address": details.address,
            "changed_at": now,
        },
    )
