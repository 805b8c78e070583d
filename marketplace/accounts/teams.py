"""This will find teams, who is in them, and who acts for one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core import signing
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Lower

from marketplace.accounts import queries
from marketplace.accounts.models import Invitation, Membership, TeamEvent, User
from marketplace.domain.problem import Refused
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role, may

#: what a team's address ends with; reserved, so that no letter ever gets there
NOWHERE = "teams.invalid"
EVENTS_PAGE = 50
SALT = "berth invitation 1"


class TeamUnknown(Refused):
    """It says the same of a team that is there and of one that is not."""

    code = "team_unknown"
    status = 403
    sentence = "You are not in this team, or it is closed; act for yourself, or ask its owner."


class RoleMissing(Refused):
    """Their role in the team is for other things."""

    code = "role_missing"
    status = 403


class InvitationUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = (
        "There is no such invitation for an address that you have proven to be yours, or it was"
        " taken back or has ended. Ask whoever invited you."
    )


@dataclass(frozen=True, slots=True)
class Acting:
    """Somebody who acts for a team, as they are in it at this moment."""

    team: User
    person: User
    role: Role

    def must(self, asked: Scope | None) -> None:
        """Go on only where the role is for that.

        :raises RoleMissing: where it is not.
        """
        if not may(self.role, asked):
            raise RoleMissing(_why_not(self.role, asked))

    @property
    def may_account(self) -> bool:
        """Whether they make keys and web hooks here."""
        return may(self.role, Scope.ACCOUNT_WRITE)

    @property
    def may_rent(self) -> bool:
        """Whether they see and rent machines here."""
        return may(self.role, Scope.RENTALS_WRITE)


def acting(person_id: int, team_id: int) -> Acting:
    """Return the person as they act for the team.

    :raises TeamUnknown: when they are not in it, or one of the two is shut out.
    """
    found = (
        Membership.objects.select_related("team", "person")
        .filter(person_id=person_id, team_id=team_id)
        .filter(team__is_active=True, person__is_active=True)
        .first()
    )
    if found is None:
        raise TeamUnknown
    return Acting(found.team, found.person, Role(found.role))


def teams(person_id: int) -> Sequence[Membership]:
    """Return the memberships of a person with their teams, oldest first."""
    rows = Membership.objects.select_related("team").filter(person_id=person_id)
    return tuple(rows.order_by("id"))


def members(team_id: int) -> Sequence[Membership]:
    """Return who is in the team, oldest first."""
    rows = Membership.objects.select_related("person").filter(team_id=team_id)
    return tuple(rows.order_by("id"))


def letters_to(team_id: int, *roles: Role) -> Sequence[str]:
    """Return where a team's letters go: a proven address of each owner, and of these roles.

    One query, however many there are; the oldest member first.
    """
    addresses = EmailAddress.objects.filter(
        verified=True,
        user__is_active=True,
        user__memberships__team_id=team_id,
        user__memberships__role__in=(Role.OWNER, *roles),
    )
    rows = addresses.order_by("user__memberships__id", "id").values_list("user", Lower("email"))
    first: dict[int, str] = {}
    for person_id, email in rows:
        first.setdefault(person_id, email)
    return tuple(first.values())


def email_of(user_id: int) -> str:
    """Return the address of a person, or of who owns a team for the longest time."""
    user = User.objects.get(pk=user_id)
    if not user.is_team:
        return user.email
    rows = Membership.objects.select_related("person").filter(team=user, role=Role.OWNER)
    first = rows.order_by("id").first()
    return first.person.email if first else ""


def only_owner_of(person_id: int) -> User | None:
    """Return a team that would have no owner without this person; None: there is none."""
    theirs = Membership.objects.filter(person_id=person_id, role=Role.OWNER).values("team_id")
    # Whoever may not log in settles nothing for the others.
    active = Q(members__role=Role.OWNER, members__person__is_active=True)
    one_owner = Count("members", filter=active)
    rows = User.objects.filter(pk__in=theirs).annotate(owners=one_owner).filter(owners=1)
    return rows.order_by("pk").first()


def shares_a_team(person_id: int, account_ids: Sequence[int]) -> bool:
    """Say whether one of these accounts is a team that the person is in."""
    return Membership.objects.filter(person_id=person_id, team_id__in=account_ids).exists()


def invitations_of(team_id: int, now: datetime) -> Sequence[Invitation]:
    """Return the team's invitations that can still be taken, oldest first."""
    rows = Invitation.objects.select_related("invited_by", "team").filter(team_id=team_id)
    return tuple(rows.filter(expires_at__gt=now).order_by("created_at", "id"))


def invitations_to(person_id: int, now: datetime) -> Sequence[Invitation]:
    """Return what the person can take: those to an address that they have proven."""
    return tuple(_open_to(person_id, now).order_by("created_at", "id")[:50])


def invitation_to(person_id: int, invitation_id: UUID, now: datetime) -> Invitation:
    """Return one of them.

    :raises InvitationUnknown: when there is none such.
    """
    found = _open_to(person_id, now).filter(pk=invitation_id).first()
    if found is None:
        raise InvitationUnknown
    return found


def link_token(invitation: Invitation) -> str:
    """Return what the invitation's letter leads by; nobody makes one for another invitation."""
    return signing.dumps(str(invitation.pk), salt=SALT)


def invitation_by_link(token: str) -> UUID | None:
    """Return the invitation that a letter led to; None: no letter of ours did."""
    try:
        return UUID(signing.loads(token, salt=SALT))
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Events:
    """A page of what was done, newest first."""

    items: tuple[TeamEvent, ...]
    #: older ones are before this number; None: there are none
    older: int | None


def events(team_id: int, *, before: int | None = None) -> Events:
    """Return a page of what was done in the team and in its name."""
    rows = TeamEvent.objects.select_related("by", "whom").filter(team_id=team_id)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = tuple(rows.order_by("-id")[: EVENTS_PAGE + 1])
    older = found[EVENTS_PAGE - 1].pk if len(found) > EVENTS_PAGE else None
    return Events(found[:EVENTS_PAGE], older)


def _open_to(person_id: int, now: datetime) -> QuerySet[Invitation]:
    rows = Invitation.objects.select_related("team", "invited_by")
    return rows.filter(
        email__in=list(queries.proven_emails(person_id)), expires_at__gt=now, team__is_active=True
    )


def _why_not(role: Role, asked: Scope | None) -> str:
    if asked is not None and asked.startswith("host:"):
        return "A team hosts no machines; act for yourself to host."
    return (
        f"Your role in this team, {role.value}, does not include this; ask one of its owners, or"
        " act for yourself."
    )
