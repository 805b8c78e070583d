"""This will give a web hook a new secret while its receiver still knows the one before."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.notices import queries, secret
from marketplace.notices.actions.add_hook import Added
from marketplace.notices.models import WebHook


def rotate(*, user_id: int, hook_id: UUID, now: datetime) -> Added:
    """Return the hook with its new secret; the one before signs too for a day.

    Of three within a day only the newest two sign.

    :raises WebHookUnknown: when the person has no such hook.
    """
    queries.hook(hook_id, user_id)
    with transaction.atomic():
        # Two requests at once make two secrets, and each shows its own.
        hook = WebHook.objects.select_for_update().filter(pk=hook_id).first()
        if hook is None:
            raise queries.WebHookUnknown
        hook.secret_turn += 1
        hook.rotated_at = now
        hook.save(update_fields=["secret_turn", "rotated_at"])
    return Added(hook, secret.of_hook(hook.pk, hook.secret_turn))
