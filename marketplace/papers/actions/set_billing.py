"""This will write down to whom a person's next papers are made out."""

from marketplace.domain.vat import Party
from marketplace.papers.models import BillingDetails


def set_billing(*, user_id: int, details: Party) -> None:
    """Keep the details; what was issued stays as it is."""
    BillingDetails.objects.update_or_create(
        user_id=user_id,
        defaults={
            "name": details.name,
            "address": details.address,
            "country": details.country,
            "vat_id": details.vat_id,
        },
    )
