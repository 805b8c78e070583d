"""A lock whose statement is kept holds until its transaction ends, and is refused without one."""

from uuid import uuid4

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError

from marketplace.machines.actions.lock import lock


def test_what_would_be_over_at_once_is_no_lock() -> None:
    gone = uuid4()
    with transaction.atomic():
        lock(machine_id=gone)
    with pytest.raises(TransactionManagementError):
        lock(machine_id=gone)
