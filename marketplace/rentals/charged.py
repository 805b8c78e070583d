"""This will say what charges were for, as statements and invoices call it."""

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db.models.functions import Coalesce

from marketplace.metering.models import Meter
from marketplace.rentals.names import called


def titles(accounts: Collection[UUID]) -> Mapping[UUID, str]:
    """Return such as ``Job c05b85eb`` or ``Rental train (3f2a9c10)`` of each hold's account.

    One query, however many; an account whose charges no meter counted is left out.
    """
    # A replica is known by its placement's id.
    known_by = Coalesce("rental__id", "job__id", "placement_id")
    rows = Meter.objects.filter(hold__account__in=accounts).annotate(known_by=known_by)
    wanted = ("hold__account_id", "placement__kind", "known_by", "rental__name")
    return {
        account: f"{str(kind).capitalize()} {called(id_, name or '')}"
        for account, kind, id_, name in rows.values_list(*wanted)
    }
