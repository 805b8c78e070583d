"""This will let somebody in who lost their second step, on a staff member's word."""

from datetime import datetime

from django.db import transaction

from marketplace.accounts import second_step
from marketplace.accounts.models import User
from marketplace.console.actions.ban import WorksHere
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.models import StaffRole
from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused


class NoSecondStep(Refused):
    code = "no_second_step"
    status = 409
    sentence = "They log in with a password alone; there is nothing to take off."


class StepOfSuperuser(Refused):
    code = "step_of_superuser"
    status = 409
    sentence = (
        "This person was made an operator on the server and may do everything; only the server can"
        " take their second step off."
    )


def remove_step(*, by: Staff, user_id: int, reason: str, now: datetime) -> None:
    """Take off their app, passkeys and codes, end their sessions and keys, and tell them by letter.

    :raises NotYourRole: when they who ask may not.
    :raises OwnCase: when it is about themselves.
    :raises NobodyThere: when there is no such person.
    :raises StepOfSuperuser: when it is somebody who may do everything.
    :raises WorksHere: when they have a role: without the step it would be anybody's.
    :raises NoSecondStep: when they have none.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.INTERVENE)
    by.must_not_be(user_id)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).filter(pk=user_id, team_name="").first()
        if user is None:
            raise NobodyThere
        if user.is_superuser:
            raise StepOfSuperuser
        if StaffRole.objects.filter(user=user).exists():
            raise WorksHere
        if not second_step.remove(user=user):
            raise NoSecondStep
        by.acted(
            ActKind.REMOVE_STEP,
            subject=f"person {user.pk}",
            reason=reason,
            person_id=user.pk,
            before={"second step": True},
            after={"second step": False},
            now=now,
        )
