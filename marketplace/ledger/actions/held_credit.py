"""This will take credit into holds and back out of them, keeping which grant it is of."""

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


def give_back(*, charged_microusd: Mapping[UUID, int], now: datetime) -> Mapping[UUID, Unspent]:
    """Return what each hold, of what was charged to it, left of its credit, now in its grants."""
    by_hold: dict[UUID, list[HeldCredit]] = {hold_id: [] for hold_id in charged_microusd}
    for one in lock(charged_microusd):
        by_hold[one.hold_id].append(one)
    parts = {
        hold_id: credit.unspent(charged_microusd[hold_id], [one.amount_microusd for one in held])
        for hold_id, held in by_hold.items()
    }
    found = {hold_id: _into_grants(held, parts[hold_id], now) for hold_id, held in by_hold.items()}
    _save(one.grant for held in by_hold.values() for one in held)
    return found


def give_spent_back(
    *, hold: Hold, amount_microusd: int, charged_microusd: int, now: datetime
) -> tuple[MicroUsd, Unspent]:
    """Return how much of what is given back of a charge is money, and how much is credit again.

    The amount is no more than was charged and not given back yet, without credit that has ended.
    """
    held = lock([hold.pk])
    spent = credit.taken(charged_microusd, [one.amount_microusd for one in held])
    before = sum(one.returned_microusd for one in held)
    money = charged_microusd - sum(spent) - (hold.returned_microusd - before)
    left = [part - one.returned_microusd for one, part in zip(held, spent, strict=True)]
    paid, parts = credit.returned(amount_microusd, money, left)
    for one, part in zip(held, parts, strict=True):
        one.returned_microusd += part
        one.save(update_fields=["returned_microusd"])
    unspent = _into_grants(held, parts, now)
    _save(one.grant for one in held)
    return paid, unspent


def spent_and_ended(*, hold: Hold, charged_microusd: int, now: datetime) -> MicroUsd:
    """Return what of the charges was credit that has ended, and did not come back before."""
    rows = HeldCredit.objects.filter(hold=hold).select_related("grant")
    held = list(rows.order_by("grant__expires_at", "grant_id", "id"))
    spent = credit.taken(charged_microusd, [one.amount_microusd for one in held])
    return MicroUsd(
        sum(
            part - one.returned_microusd
            for one, part in zip(held, spent, strict=True)
            if one.grant.expires_at <= now
        )
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
