"""This will take somebody's e-mail address as theirs, on a staff member's word."""

from datetime import datetime

from django.db import transaction

from marketplace.accounts.actions import prove_email
from marketplace.accounts.models import User
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right


def prove(*, by: Staff, user_id: int, reason: str, now: datetime) -> None:
    """Note what a person proves by a letter where the site sends none.

    :raises NotYourRole: when they who ask may not.
    :raises OwnCase: when it is about themselves.
    :raises NobodyThere: when there is no such person.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.INTERVENE)
    by.must_not_be(user_id)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).filter(pk=user_id, team_name="").first()
        if user is None:
            raise NobodyThere
        prove_email.prove(user=user)
        by.acted(
            ActKind.PROVE_EMAIL,
            subject=f"person {user.pk}",
            reason=reason,
            person_id=user.pk,
            after={"proven": True},
            now=now,
        )
