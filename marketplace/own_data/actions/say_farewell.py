"""This will tell people that their account is gone, and then forget where they were told."""

import logging
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage

from marketplace.domain.notices import mail_due
from marketplace.own_data.models import Farewell

LETTERS_MAX = 20
TEXT = """\
Your account at {site} was deleted, as you asked. Nobody can log in to it any more; your keys,
sessions and web hooks ended with it. What the books and the law need of payments and invoices
stays; invoices keep the name and address that they were made out to.

If that was not you, answer this letter or write to the operator of the site at once.
"""

logger = logging.getLogger(__name__)


def say_farewell(*, now: datetime) -> int:
    """Return how many letters were sent; one that could not be is tried again for three days.

    Call it outside a transaction: the mail server is a remote call.
    """
    if not settings.SENDS_MAIL:
        Farewell.objects.all().delete()
        return 0
    due = Farewell.objects.filter(due_at__lte=now).order_by("due_at", "id")[:LETTERS_MAX]
    return sum(_say(farewell, now) for farewell in due)


def _say(farewell: Farewell, now: datetime) -> bool:
    again = mail_due(at=farewell.at, now=now)
    mine = Farewell.objects.filter(pk=farewell.pk, due_at=farewell.due_at)
    if again is None:
        mine.delete()
        return False
    # Before the letter: who is killed between the two sends it again rather than never.
    if not mine.update(due_at=again):
        return False
    text = TEXT.format(site=settings.PUBLIC_URL)
    try:
        EmailMessage("Your account was deleted", text, to=[farewell.email]).send()
    except (OSError, SMTPException) as problem:
        logger.warning("letter not sent", extra={"problem": str(problem)})
        return False
    Farewell.objects.filter(pk=farewell.pk).delete()
    return True
