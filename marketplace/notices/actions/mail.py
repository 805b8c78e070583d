"""This will send people their notices by e-mail."""

import logging
from collections.abc import Sequence
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from marketplace.domain.notices import ALWAYS_WRITTEN, mail_due
from marketplace.notices import queries
from marketplace.notices.models import Notice

LETTERS_MAX = 50

logger = logging.getLogger(__name__)


def mail(*, now: datetime) -> int:
    """Return how many letters were sent; one that could not be is tried again for three days.

    Only an address that its owner has proven gets any: anybody may sign up with any address.
    Call it outside a transaction: the mail server is a remote call.
    """
    if not settings.MAILS_NOTICES:
        return 0
    rows = Notice.objects.filter(mail_due_at__lte=now).select_related("user")
    due = rows.order_by("mail_due_at", "id")
    # First what warns of somebody in the account: others may have caused very many of the rest.
    notices = list(due.filter(kind__in=ALWAYS_WRITTEN)[:LETTERS_MAX])
    notices += due.exclude(kind__in=ALWAYS_WRITTEN)[: LETTERS_MAX - len(notices)]
    if not notices:
        return 0
    connection = get_connection()
    try:
        connection.open()
        return _send(notices, connection, now)
    except (OSError, SMTPException) as problem:
        logger.warning("mail server fails", extra={"problem": str(problem)})
        return 0
    finally:
        connection.close()


def _send(notices: Sequence[Notice], connection: BaseEmailBackend, now: datetime) -> int:
    sent = 0
    for notice in notices:
        # Before the letter: who is killed between the two sends it again rather than never.
        mine = Notice.objects.filter(pk=notice.pk, mail_due_at=notice.mail_due_at)
        again = mail_due(at=notice.at, now=now)
        if not mine.update(mail_due_at=again):
            continue
        wanted = notice.kind not in queries.letters_off(notice.user_id)
        emails = queries.letter_addresses(notice) if wanted else ()
        if emails:
            if not _sent(notice, emails, connection):
                continue
            sent += 1
        Notice.objects.filter(pk=notice.pk).update(
            mail_due_at=None, mailed_at=now if emails else None
        )
    return sent


def _sent(notice: Notice, emails: Sequence[str], connection: BaseEmailBackend) -> bool:
    try:
        letter = EmailMessage(notice.title, _body(notice), to=list(emails), connection=connection)
        return bool(letter.send())
    except SMTPException as problem:
        # This one was refused, such as for its address; the others are not.
        extra = {"notice_id": notice.pk, "problem": str(problem)}
        logger.warning("letter not sent", extra=extra)
        return False


def _body(notice: Notice) -> str:
    parts = (notice.text, queries.address_of(notice), f"-- \nBerth, {settings.PUBLIC_URL}/notices/")
    return "\n\n".join(part for part in parts if part) + "\n"
