"""This will make the transactions that concern one machine wait for each other in one order."""

from uuid import UUID

from marketplace.machines.models import Machine


def lock(*, machine_id: UUID) -> None:
    """Lock the machine's row until the transaction ends: before its placements, these before money.

    Two transactions that take the same rows in different orders would stop each other
    (tests/concurrency/test_sync_races.py). SQLite has one writer, so nothing happens there.
    """
    Machine.objects.select_for_update().filter(id=machine_id).order_by("id").values("id").first()
