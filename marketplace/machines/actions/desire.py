"""This will tell a machine's held-open sync that what is desired on it changed."""

from uuid import UUID

from django.db.models import F

from marketplace.machines.models import Machine


def bump(*, machine_id: UUID) -> None:
    """Raise the machine's revision; call it in the transaction that changes what is desired."""
    Machine.objects.filter(id=machine_id).update(desired_revision=F("desired_revision") + 1)


def bump_online() -> None:
    """Raise every online machine's revision: something changed for all of them."""
    Machine.objects.filter(online=True).update(desired_revision=F("desired_revision") + 1)
