"""This will put together what staff see of one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from marketplace.accounts import queries as accounts
from marketplace.accounts import second_step, teams
from marketplace.accounts.models import Membership, User
from marketplace.console import queries
from marketplace.console.models import Ban, StaffRole
from marketplace.ledger import queries as ledger
from marketplace.machines.models import Machine
from marketplace.oversight.models import Act
from marketplace.papers import queries as papers
from marketplace.papers.models import Paper
from marketplace.payments import queries as payments
from marketplace.payments.queries import PayingIn
from marketplace.rentals.models import Rental

ROWS_MAX = 20


@dataclass(frozen=True, slots=True)
class Person:
    """One person with their money, what they rent, what they host and what was done."""

    user: User
    roles: tuple[str, ...]
    proven_emails: tuple[str, ...]
    has_second_step: bool
    balance_microusd: int
    held_microusd: int
    frozen_microusd: int
    earned_microusd: int
    paying_in: PayingIn
    #: newest first
    invoices: Sequence[Paper]
    #: newest first, loaded with their placement and meter
    rentals: Sequence[Rental]
    #: newest first
    machines: Sequence[Machine]
    acts: tuple[Act, ...]
    #: of a team its people, of a person their teams; oldest first
    memberships: Sequence[Membership]
    #: that stands; None: they may come in, or an older version shut them out
    ban: Ban | None


def person(user_id: int, *, now: datetime) -> Person | None:
    """Return the person; None: there is nobody with this number."""
    user = queries.user(user_id)
    if user is None:
        return None
    machines: QuerySet[Machine] = Machine.objects.filter(host=user).select_related(
        "host", "standing"
    )
    return Person(
        user=user,
        roles=tuple(
            StaffRole.objects.filter(user=user).order_by("id").values_list("role", flat=True)
        ),
        proven_emails=tuple(accounts.proven_emails(user.pk)),
        has_second_step=second_step.is_set(user),
        balance_microusd=ledger.balance(user.pk),
        held_microusd=ledger.held(user.pk),
        frozen_microusd=ledger.frozen(user.pk),
        earned_microusd=ledger.earned(user.pk),
        paying_in=payments.paying_in(user.pk),
        invoices=papers.invoices(user.pk, ROWS_MAX),
        rentals=rentals(Rental.objects.filter(renter=user)),
        machines=tuple(machines.order_by("-enrolled_at", "id")[:ROWS_MAX]),
        acts=queries.acts(person_id=user.pk, limit=ROWS_MAX).acts,
        memberships=teams.members(user.pk) if user.is_team else teams.teams(user.pk),
        ban=Ban.objects.filter(user=user, lifted_at=None).first(),
    )


def rentals(rows: QuerySet[Rental], limit: int = ROWS_MAX) -> tuple[Rental, ...]:
    """Return the newest of these rentals with what a list shows of each."""
    beside = rows.select_related("placement", "meter", "renter")
    return tuple(beside.order_by("-started_at", "id")[:limit])
