"""What a test has committed is gone before the next one begins."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from marketplace.accounts.models import User
from marketplace.ledger.models import Transfer

#: what Django writes after a migration, and nobody after it
KEPT = {"auth.permission", "contenttypes.contenttype"}


def filled() -> set[str]:
    """Return the models that have rows."""
    models = apps.get_models(include_auto_created=True)
    return {model._meta.label_lower for model in models if model._default_manager.exists()}


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_not_even_what_never_changes(
    alice: User, give: Callable[..., None]
) -> None:
    give(alice, 5_000_000)
    assert Transfer.objects.exists()
    for _ in range(2):
        assert filled() - KEPT == {"accounts.user", "ledger.account", "ledger.transfer"}
        call_command("flush", verbosity=0, interactive=False)
        assert filled() == KEPT
        alice.save(force_insert=True)
        give(alice, 1)
        # What keeps them is there again.
        with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
            connection.cursor().execute("DELETE FROM ledger_transfer")
