"""This will give somebody credit in the name of staff, within bounds."""

import re
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from marketplace.accounts.models import User
from marketplace.accounts.queries import is_deleted
from marketplace.console.actions.ban import WorksHere
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.models import StaffRole
from marketplace.console.staff import Staff
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.oversight import (
    CREDIT_BY_ONE_MAX,
    CREDIT_BY_ONE_WITHIN,
    CREDIT_TO_ONE_MAX,
    CREDIT_TO_ONE_WITHIN,
    ActKind,
    Right,
)
from marketplace.domain.problem import Refused
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.models import CreditGrant
from marketplace.notices.actions.notify import notify

#: microUSD of one act; more takes the command on the server
CREDIT_ONCE_MAX = MicroUsd(1_000 * 1_000_000)
DAYS_MAX = 365
#: of one shown form
KEY = re.compile("[0-9A-Za-z-]{1,64}")


class CreditOutOfBounds(Refused):
    code = "invalid"
    status = 422
    sentence = (
        f"Credit is above $0 and at most {format_usd(CREDIT_ONCE_MAX)}, for 1 to {DAYS_MAX} days."
    )


class CreditTooOften(Refused):
    """Together with what was given lately it is more than staff give here."""

    code = "credit_too_often"
    status = 409

    def __init__(self, left_microusd: MicroUsd, bound: str) -> None:
        super().__init__(
            f"{bound}: {format_usd(left_microusd)} is left of that. More takes the command on the"
            " server."
        )


class KeyMalformed(Refused):
    code = "invalid"
    status = 422
    sentence = "This form is not whole; open the person’s page anew, and give the credit there."


class CreditGivenBefore(Refused):
    code = "credit_given_before"
    status = 409
    sentence = (
        "This credit was given before, once, and is theirs. To give more, open the person’s page"
        " anew."
    )


def check_credit(*, amount_microusd: MicroUsd, days: int, request_key: str) -> None:
    """Accept credit that may be given.

    :raises CreditOutOfBounds: when it is more, or for longer.
    :raises KeyMalformed: when nothing tells it from other credit.
    """
    if not 0 < amount_microusd <= CREDIT_ONCE_MAX or not 1 <= days <= DAYS_MAX:
        raise CreditOutOfBounds
    # Without a key a second credit would be taken for the first one, and given to nobody.
    if not KEY.fullmatch(request_key):
        raise KeyMalformed


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
    :raises WorksHere: when they have a role, or somebody of the team has: staff would give each
        other.
    :raises CreditTooOften: when that were too much in a day, or too much for them in a month.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    :raises KeyMalformed: when nothing tells it from other credit.
    :raises CreditGivenBefore: when the key stands for this credit already.
    :raises CauseReused: when the key stands for other credit.
    """
    by.must(Right.MONEY)
    by.must_not_be(user_id)
    words = by.words(reason)
    check_credit(amount_microusd=amount_microusd, days=days, request_key=request_key)
    cause = f"console:{by.user_id}:{request_key}"
    with transaction.atomic():
        # Of the same request twice at once the second finds what the first gave; and what is
        # counted of who gives, and of who is given, no other credit adds to meanwhile.
        rows = User.objects.select_for_update(no_key=True).filter(pk__in=(by.user_id, user_id))
        user = {one.pk: one for one in rows.order_by("pk")}.get(user_id)
        if user is None or is_deleted(user):
            raise NobodyThere
        if _staff_would_have_it(user):
            raise WorksHere
        is_new = not CreditGrant.objects.filter(cause=cause).exists()
        if is_new:
            _count(by, user_id, amount_microusd, now)
        granted = grant_credit(
            user_id=user.pk,
            amount_microusd=amount_microusd,
            expires_at=now + timedelta(days=days),
            cause=cause,
            note="Credit from staff",
            now=now,
        )
        if not is_new:
            raise CreditGivenBefore
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


def _count(by: Staff, user_id: int, amount_microusd: MicroUsd, now: datetime) -> None:
    """Go on while what was given lately and this are within both bounds."""
    given = CreditGrant.objects.filter(granted_at__gt=now - CREDIT_BY_ONE_WITHIN)
    left = _left(given.filter(cause__startswith=f"console:{by.user_id}:"), CREDIT_BY_ONE_MAX)
    if amount_microusd > left:
        hours = CREDIT_BY_ONE_WITHIN // timedelta(hours=1)
        most = format_usd(CREDIT_BY_ONE_MAX)
        raise CreditTooOften(left, f"One person gives at most {most} in {hours} hours here")
    given = CreditGrant.objects.filter(user_id=user_id, cause__startswith="console:")
    left = _left(given.filter(granted_at__gt=now - CREDIT_TO_ONE_WITHIN), CREDIT_TO_ONE_MAX)
    if amount_microusd > left:
        most = format_usd(CREDIT_TO_ONE_MAX)
        raise CreditTooOften(
            left, f"An account is given at most {most} in {CREDIT_TO_ONE_WITHIN.days} days here"
        )


def _left(given: QuerySet[CreditGrant], most_microusd: MicroUsd) -> MicroUsd:
    sum_microusd = given.aggregate(sum=Sum("amount_microusd"))["sum"] or 0
    return MicroUsd(max(0, most_microusd - sum_microusd))


def _staff_would_have_it(user: User) -> bool:
    who = User.objects.filter(Q(pk=user.pk) | Q(memberships__team=user))
    return who.filter(Q(is_superuser=True) | Q(pk__in=StaffRole.objects.values("user"))).exists()
