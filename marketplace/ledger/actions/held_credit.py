"""This will take credit into holds and back out of them, keeping which grant it is of.

What of a hold is spent is asked anew each time, as credit that ends sooner may come into it. What
came back is in nobody's hold any more, so it is taken off on both sides:

* ``spent`` is what was charged to the hold and did not come back, ``had`` of a grant is what the
  hold took of it and did not give back, and of money the same. All of ``had`` covers ``spent``.
* ``spent`` is of the grants first, as they end, and of money last. What is left of ``had`` goes
  back when the hold is released, and what is spent can come back later: together they are ``had``,
  so no grant gets more than it gave, and neither part is negative.
* What comes back of ``spent`` is of money first, and then of the grants that end last. So the rest
  is what would be spent had no more than that been charged: what is left of each ``had`` stays as
  it was, and after the release too nothing comes back twice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F

from marketplace import many_rows
from marketplace.domain import credit
from marketplace.domain.money import MicroUsd
from marketplace.ledger.models import CreditGrant, HeldCredit, Hold


@dataclass(frozen=True, slots=True)
class Unspent:
    """Credit that comes out of a hold."""

    #: of grants that have not ended
    back_microusd: MicroUsd
    #: of grants that ended meanwhile
    ended_microusd: MicroUsd
    #: of one grant that ended
    note: str


def take(*, hold: Hold, amount_microusd: MicroUsd, now: datetime) -> MicroUsd:
    """Return how much of the amount is the person's credit: what ends soonest goes first.

    Grants come after their hold in the order of locks, and before accounts.
    """
    grants = list(
        CreditGrant.objects.select_for_update()
        .filter(user_id=hold.user_id, left_microusd__gt=0, expires_at__gt=now)
        .order_by("expires_at", "id")
    )
    parts = credit.taken(amount_microusd, [grant.left_microusd for grant in grants])
    for grant, part in zip(grants, parts, strict=True):
        if part:
            grant.left_microusd -= part
            grant.save(update_fields=["left_microusd"])
            HeldCredit.objects.update_or_create(
                hold=hold,
                grant=grant,
                create_defaults={"amount_microusd": part},
                defaults={"amount_microusd": F("amount_microusd") + part},
            )
    return MicroUsd(sum(parts))


def give_back(*, spent_microusd: Mapping[UUID, int], now: datetime) -> Mapping[UUID, Unspent]:
    """Return what each hold, of what it spent, left of its credit, now in its grants."""
    by_hold: dict[UUID, list[HeldCredit]] = {hold_id: [] for hold_id in spent_microusd}
    for one in lock(spent_microusd):
        by_hold[one.hold_id].append(one)
    parts = {
        hold_id: credit.unspent(spent_microusd[hold_id], _had(held))
        for hold_id, held in by_hold.items()
    }
    found = {hold_id: _into_grants(held, parts[hold_id], now) for hold_id, held in by_hold.items()}
    _save(one.grant for held in by_hold.values() for one in held)
    return found


def give_spent_back(
    *, hold: Hold, amount_microusd: int, spent_microusd: int, now: datetime
) -> tuple[MicroUsd, Unspent]:
    """Return how much of what is given back of a charge is money, and how much is credit again.

    The amount is no more than was spent, without credit that has ended.
    """
    held = lock([hold.pk])
    of_grants = credit.taken(spent_microusd, _had(held))
    money = spent_microusd - sum(of_grants)
    paid, parts = credit.returned(amount_microusd, money, of_grants)
    for one, part in zip(held, parts, strict=True):
        one.returned_microusd += part
        one.save(update_fields=["returned_microusd"])
    unspent = _into_grants(held, parts, now)
    _save(one.grant for one in held)
    return paid, unspent


def spent_and_ended(*, hold: Hold, spent_microusd: int, now: datetime) -> MicroUsd:
    """Return what of that was credit that has ended."""
    rows = HeldCredit.objects.filter(hold=hold).select_related("grant")
    held = list(rows.order_by("grant__expires_at", "grant_id", "id"))
    of_grants = credit.taken(spent_microusd, _had(held))
    return MicroUsd(
        sum(part for one, part in zip(held, of_grants, strict=True) if one.grant.expires_at <= now)
    )


def lock(hold_ids: Collection[UUID]) -> Sequence[HeldCredit]:
    """Return what holds took of each grant, as they end, with these locked."""
    held = list(
        HeldCredit.objects.filter(hold_id__in=hold_ids)
        .select_related("grant")
        .select_for_update(of=("grant",))
        .order_by("grant__expires_at", "grant_id", "id")
    )
    grants: dict[int, CreditGrant] = {}
    for one in held:
        # Two holds of one grant count in the same row.
        one.grant = grants.setdefault(one.grant_id, one.grant)
    return held


def _had(held: Sequence[HeldCredit]) -> Sequence[int]:
    return [one.amount_microusd - one.returned_microusd for one in held]


def _into_grants(held: Sequence[HeldCredit], parts: Sequence[int], now: datetime) -> Unspent:
    back, ended, note = 0, 0, ""
    for one, part in zip(held, parts, strict=True):
        grant = one.grant
        if grant.expires_at > now:
            back += part
            grant.left_microusd += part
        elif part:
            ended, note = ended + part, grant.note
            grant.expired_microusd += part
    return Unspent(MicroUsd(back), MicroUsd(ended), note)


def _save(grants: Iterable[CreditGrant]) -> None:
    columns = ("left_microusd", "expired_microusd")
    many_rows.update(
        CreditGrant,
        {grant.pk: {name: getattr(grant, name) for name in columns} for grant in grants},
    )
