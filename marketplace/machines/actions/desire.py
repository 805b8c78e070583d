"""This will tell a machine's held-open sync that what is desired on it changed."""

from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from marketplace.machines.models import Machine

#: dated by the database, whose clock all processes share
RAISED = {"desired_revision": F("desired_revision") + 1, "desired_at": Now()}
#: the same, for marketplace.plain_sql
RAISED_SQL = '"desired_revision" = "desired_revision" + 1, "desired_at" = {now}'


def bump(*, machine_id: UUID) -> None:
    """Raise the machine's revision; call it in the transaction that changes what is desired."""
    Machine.objects.filter(id=machine_id).update(**RAISED)


def bump_online() -> None:
    """Raise every online machine's revision: something changed for all of them."""
    online = Machine.objects.filter(online=True)
    with transaction.atomic():
        # In the order in which syncs lock them: an update of many rows has none.
        list(online.select_for_update(no_key=True).order_by("id").values_list("id", flat=True))
        online.update(**RAISED)
