"""This will give and take the roles of one person."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.console.models import StaffRole
from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right, Role
from marketplace.domain.problem import Refused


class NobodyThere(Refused):
    code = "not_found"
    status = 404
    sentence = "Nobody here has this e-mail address."


class OwnRoles(Refused):
    code = "own_roles"
    status = 409
    sentence = "Nobody changes their own roles; ask somebody else with the role admin."


class RoleOfSuperuser(Refused):
    code = "role_of_superuser"
    status = 409
    sentence = (
        "This person was made an operator on the server and may do everything; only the server can"
        " take that away."
    )


class ShutOut(Refused):
    code = "shut_out"
    status = 409
    sentence = "This person is banned, so no role is given to them."


def set_roles(
    *, by: Staff, email: str, roles: Collection[Role], reason: str, now: datetime
) -> User:
    """Return the person, who has these roles from now on and no others.

    :raises NotYourRole: when they who ask may not.
    :raises NobodyThere: when nobody has this address.
    :raises OwnRoles: when it is their own.
    :raises RoleOfSuperuser: when it is somebody who may do everything anyway.
    :raises ShutOut: when roles are given to somebody banned.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.ROLES)
    with transaction.atomic():
        people = User.objects.select_for_update(no_key=True).filter(team_name="")
        user = people.filter(email=email.strip().lower()).first()
        if user is None:
            raise NobodyThere
        if user.pk == by.user_id:
            raise OwnRoles
        if user.is_superuser:
            raise RoleOfSuperuser
        if roles and not user.is_active:
            raise ShutOut
        theirs = StaffRole.objects.filter(user=user)
        before = sorted(theirs.values_list("role", flat=True))
        after = sorted(role.value for role in roles)
        if before == after:
            return user
        theirs.exclude(role__in=after).delete()
        StaffRole.objects.bulk_create(
            StaffRole(user=user, role=role, given_at=now) for role in after if role not in before
        )
        # It shows them the way to the console; what they may do there is asked of their roles.
        User.objects.filter(pk=user.pk).update(is_staff=bool(after))
        by.acted(
            ActKind.ROLES,
            subject=f"person {user.pk}",
            reason=reason,
            now=now,
            person_id=user.pk,
            before={"roles": before},
            after={"roles": after},
        )
    return user
