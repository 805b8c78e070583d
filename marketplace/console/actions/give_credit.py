"""This will give somebody credit in the name of staff, within bounds."""

from datetime import datetime, timedelta

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.accounts.queries import is_deleted
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.staff import ReasonMissing, Staff
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.domain.text import lines
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.models import CreditGrant
from marketplace.notices.actions.notify import notify

#: of one act; more takes the command on the server
CREDIT_MICROUSD_MAX = MicroUsd(1_000 * 1_000_000)
DAYS_MAX = 365


class CreditOutOfBounds(Refused):
    code = "invalid"
    status = 422
    sentence = (
        f"Credit is above $0 and at most {format_usd(CREDIT_MICROUSD_MAX)}, for 1 to {DAYS_MAX}"
        " days."
    )


def give_credit(
    *,
    by: Staff,
    user_id: int,
    amount_microusd: MicroUsd,
    days: int,
    reason: str,
    request_key: str,
    now: datetime,
) -> None:
    """Let them spend so much until so many days are over; they read why.

    The same ``request_key`` of the same person gives it once.

    :raises NotYourRole: when they who ask may not.
    :raises OwnCase: when it is for themselves.
    :raises CreditOutOfBounds: when it is more, or for longer.
    :raises NobodyThere: when there is no such person or team.
    :raises ReasonMissing: when no reason is given.
    :raises CauseReused: when the key stands for other credit.
    """
    by.must(Right.MONEY)
    by.must_not_be(user_id)
    words = " ".join(lines(reason).split())
    if not words:
        raise ReasonMissing
    if not 0 < amount_microusd <= CREDIT_MICROUSD_MAX or not 1 <= days <= DAYS_MAX:
        raise CreditOutOfBounds
    cause = f"console:{by.user_id}:{request_key}"
    with transaction.atomic():
        # Of the same request twice at once the second finds what the first gave.
        user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
        if user is None or is_deleted(user):
            raise NobodyThere
        is_new = not CreditGrant.objects.filter(cause=cause).exists()
        granted = grant_credit(
            user_id=user.pk,
            amount_microusd=amount_microusd,
            expires_at=now + timedelta(days=days),
            cause=cause,
            note="Credit from staff",
            now=now,
        )
        if not is_new:
            return
        amount, until = format_usd(amount_microusd), f"{granted.expires_at:%-d %b %Y, %H:%M} UTC"
        by.acted(
            ActKind.CREDIT,
            subject=f"person {user.pk}",
            reason=words,
            person_id=user.pk,
            after={"credit": amount, "until": until},
            now=now,
        )
        notify(
            user_id=user.pk,
            kind="credit_given",
            cause=f"credit:{granted.pk}",
            title=f"You have {amount} of credit",
            text=f"You can spend it until {until}. Staff write: {words}",
            data={"url": "/money/"},
            now=now,
        )
