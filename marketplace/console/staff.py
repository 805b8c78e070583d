"""This will say who somebody is to the console, and what of it is theirs to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketplace.accounts.models import User
from marketplace.accounts.teams import shares_a_team
from marketplace.console.models import StaffRole
from marketplace.domain.oversight import REASON_LENGTH_MAX, ActKind, Right, Role, rights_of
from marketplace.domain.problem import Refused
from marketplace.domain.text import lines
from marketplace.oversight.models import Act
from marketplace.oversight.record import record


class NotYourRole(Refused):
    code = "not_your_role"
    status = 403
    sentence = "Your role does not include this; somebody with the role admin can do it."


class OwnCase(Refused):
    code = "own_case"
    status = 403
    sentence = "This is about you or your machine; somebody else who works here has to decide it."


class ReasonUnfit(Refused):
    code = "invalid"
    status = 422
    sentence = f"Write why, in 1 to {REASON_LENGTH_MAX} characters: the log keeps it."


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who works for the site, as they are at this moment."""

    user_id: int
    email: str
    roles: frozenset[Role]

    @property
    def rights(self) -> frozenset[Right]:
        """Return what they may do."""
        return rights_of(self.roles)

    def must(self, right: Right) -> None:
        """Go on only for somebody who may.

        :raises NotYourRole: for anybody else.
        """
        if right not in self.rights:
            raise NotYourRole

    def must_not_be(self, *user_ids: int) -> None:
        """Go on only for somebody whom it is not about, nor a team that they are in.

        :raises OwnCase: for one of these people, and for who is in one of these teams.
        """
        if self.user_id in user_ids or shares_a_team(self.user_id, user_ids):
            raise OwnCase

    @staticmethod
    def words(reason: str) -> str:
        """Return why they act, on one line.

        :raises ReasonUnfit: when no reason is given, or too long a one.
        :raises TextRefused: when it shows something else than it says.
        """
        words = " ".join(lines(reason).split())
        if not 1 <= len(words) <= REASON_LENGTH_MAX:
            raise ReasonUnfit
        return words

    def acted(
        self,
        kind: ActKind,
        *,
        subject: str,
        reason: str,
        now: datetime,
        person_id: int | None = None,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> Act:
        """Write down what they do, in the transaction that does it.

        :raises ReasonUnfit: when no reason is given, or too long a one.
        :raises TextRefused: when it shows something else than it says.
        """
        return record(
            kind=kind,
            subject=subject,
            reason=self.words(reason),
            now=now,
            by_id=self.user_id,
            by_name=self.email,
            person_id=person_id,
            before=before,
            after=after,
        )


def staff(user: User) -> Staff | None:
    """Return the person as staff; None: they do not work for the site.

    Asked for on each request, so that a role that was taken away opens nothing from then on.
    """
    if not user.is_active:
        return None
    names = StaffRole.objects.filter(user=user).order_by("id").values_list("role", flat=True)
    roles = {Role(name) for name in names} | ({Role.ADMIN} if user.is_superuser else set())
    return Staff(user.pk, user.email, frozenset(roles)) if roles else None
