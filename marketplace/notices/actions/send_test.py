"""This will send a web hook an event that is about nothing, to see whether it arrives."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.notices import queries
from marketplace.notices.models import Delivery, Notice

KIND = "test"
TESTS = Limit("test a web hook", 10, timedelta(minutes=10))


def send_test(*, user_id: int, hook_id: UUID, now: datetime) -> Delivery:
    """Return the event on its way, which a pass sends within seconds.

    :raises WebHookUnknown: when the person has no such hook.
    :raises TooManyAttempts: when they tested often just now.
    """
    hook = queries.hook(hook_id, user_id)
    count(limit=TESTS, subject=str(user_id), now=now)
    with transaction.atomic():
        notice = Notice.objects.create(
            user_id=user_id,
            kind=KIND,
            cause=f"test:{uuid4()}",
            title="A test of your web hook",
            text="You asked for this. Nothing has happened.",
            data={"url": "/web-hooks/"},
            at=now,
            read_at=now,
        )
        return Delivery.objects.create(hook=hook, notice=notice, next_at=now)
