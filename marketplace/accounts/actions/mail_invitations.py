"""This will send the letters of invitations into teams, and forget those that have ended."""

import logging
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage

from marketplace.accounts.models import Invitation
from marketplace.accounts.teams import link_token
from marketplace.domain.notices import mail_due

LETTERS_MAX = 20
TITLE = "You are invited into a team at Berth"
TEXT = """\
{by} invites you into the team “{team}” at {site}, as {role}.

{site}/teams/join/{token}/

Log in there, or sign up with this address and prove that it is yours; then you can join. The link
works once, until {until:%Y-%m-%d %H:%M} UTC. If you do not know who this is, do nothing.
"""

logger = logging.getLogger(__name__)


def mail_invitations(*, now: datetime) -> int:
    """Return how many letters were sent; one that could not be is tried again for three days.

    Call it outside a transaction: the mail server is a remote call.
    """
    Invitation.objects.filter(expires_at__lte=now).delete()
    due = Invitation.objects.filter(mail_due_at__lte=now, team__is_active=True)
    rows = due.select_related("team", "invited_by").order_by("mail_due_at", "id")
    return sum(_send(one, now) for one in rows[:LETTERS_MAX])


def _send(one: Invitation, now: datetime) -> bool:
    # Before the letter: who is killed between the two sends it again rather than never.
    mine = Invitation.objects.filter(pk=one.pk, mail_due_at=one.mail_due_at)
    if not mine.update(mail_due_at=mail_due(at=one.created_at, now=now)):
        return False
    text = TEXT.format(
        by=one.invited_by.email,
        team=one.team.team_name,
        role=one.role,
        site=settings.PUBLIC_URL,
        token=link_token(one),
        until=one.expires_at,
    )
    try:
        EmailMessage(TITLE, text, to=[one.email]).send()
    except ValueError as problem:
        # No mail server would ever take this address.
        logger.warning("letter not sent", extra={"invitation_id": one.pk, "problem": str(problem)})
        Invitation.objects.filter(pk=one.pk).update(mail_due_at=None)
        return False
    except (OSError, SMTPException) as problem:
        extra = {"invitation_id": one.pk, "problem": str(problem)}
        logger.warning("letter not sent", extra=extra)
        return False
    Invitation.objects.filter(pk=one.pk).update(mail_due_at=None)
    return True
