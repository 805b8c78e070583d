"""This will find what the console shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet

from marketplace.accounts.models import User
from marketplace.console.models import StaffRole
from marketplace.oversight.models import Act

ACTS_MAX = 50
STAFF_MAX = 200
TEAMS_MAX = 20
PEOPLE_MAX = 50


@dataclass(frozen=True, slots=True)
class Acts:
    """A page of the log, newest first."""

    acts: tuple[Act, ...]
    #: where the next page begins; None: there is none
    older: int | None


def acts(
    *,
    before: int | None = None,
    kind: str = "",
    person_id: int | None = None,
    limit: int = ACTS_MAX,
) -> Acts:
    """Return what was done: of one kind, about or by one person, below an id."""
    rows: QuerySet[Act] = Act.objects.order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    if kind:
        rows = rows.filter(kind=kind)
    if person_id is not None:
        rows = rows.filter(Q(person_id=person_id) | Q(by_id=person_id))
    found = tuple(rows.select_related("person")[: limit + 1])
    return Acts(found[:limit], found[limit - 1].id if len(found) > limit else None)


def staff_people() -> Sequence[User]:
    """Return everybody with a role, and those who may do everything, by address."""
    roles = Prefetch("staff_roles", queryset=StaffRole.objects.order_by("id"))
    people = User.objects.filter(Q(is_superuser=True) | Q(staff_roles__isnull=False)).distinct()
    return tuple(people.order_by("email", "id").prefetch_related(roles)[:STAFF_MAX])


def user(user_id: int) -> User | None:
    """Return the person or team; None: there is nobody with this number."""
    return User.objects.filter(pk=user_id).first()


@dataclass(frozen=True, slots=True)
class People:
    """A page of people by address."""

    people: tuple[User, ...]
    #: the last of this page where another follows; empty: this is the last page
    after: str


def people(*, begins: str, after: str = "", limit: int = PEOPLE_MAX) -> People:
    """Return people whose address begins so, by address; one index, however many there are."""
    rows = User.objects.filter(
        email__startswith=begins.strip().lower(), email__gt=after, team_name=""
    )
    found = tuple(rows.order_by("email")[: limit + 1])
    return People(found[:limit], found[limit - 1].email if len(found) > limit else "")


def teams(*, begins: str) -> tuple[User, ...]:
    """Return the first teams whose name begins so, by name; of no letters: none."""
    if not begins.strip():
        return ()
    rows = User.objects.exclude(team_name="").filter(team_name__istartswith=begins.strip())
    return tuple(rows.order_by("team_name", "pk")[:TEAMS_MAX])
