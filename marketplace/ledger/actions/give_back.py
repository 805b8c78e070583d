"""This will give back what holds still have and close them, one or many in one transaction.

However many they are, it takes the same few statements (benchmarks/background.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.domain.ledger import AccountKind, HoldState, TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import held_credit, open_account, spend_limit
from marketplace.ledger.actions.held_credit import Unspent
from marketplace.ledger.actions.post import Entry, post_together
from marketplace.ledger.models import Account, Hold


@dataclass(frozen=True, slots=True)
class _Back:
    """What comes out of one hold."""

    hold: Hold
    account: Account
    credit: Unspent
    cause: str

    @property
    def money_microusd(self) -> MicroUsd:
        credit = self.credit.back_microusd + self.credit.ended_microusd
        return MicroUsd(self.account.balance_microusd - credit)


def give_back(
    *, cause_by_hold: Mapping[UUID, str], note: str = "", now: datetime
) -> Mapping[UUID, MicroUsd]:
    """Return what each hold gave back, all of them or none; one released before is left out.

    Locks: the holds by their ids, then their owners' limits, grants and accounts.
    """
    with transaction.atomic():
        rows = Hold.objects.select_for_update(of=("self",)).order_by("id")
        holds = list(rows.filter(pk__in=cause_by_hold, released_at=None))
        # The holds' rows are locked, so no charge can slip between this look and the transfers.
        held = Account.objects.in_bulk([hold.account_id for hold in holds])
        spend_limit.count_back(
            amounts=[(hold, held[hold.account_id].balance_microusd) for hold in holds], now=now
        )
        credit = held_credit.give_back(
            spent_microusd={
                hold.pk: held[hold.account_id].debits_posted - hold.returned_microusd
                for hold in holds
            },
            now=now,
        )
        backs = [
            _Back(hold, held[hold.account_id], credit[hold.pk], cause_by_hold[hold.pk])
            for hold in holds
        ]
        post_together(entries=_entries(backs, note), now=now)
        for state, charged in ((HoldState.POSTED, True), (HoldState.VOIDED, False)):
            ids = [back.hold.pk for back in backs if bool(back.account.debits_posted) == charged]
            if ids:
                Hold.objects.filter(pk__in=ids).update(state=state, released_at=now)
    return {
        back.hold.pk: MicroUsd(back.money_microusd + back.credit.back_microusd) for back in backs
    }


def _entries(backs: list[_Back], note: str) -> list[Entry]:
    wallets = open_account.of_people(
        user_ids={back.hold.user_id for back in backs if back.money_microusd},
        kind=AccountKind.WALLET,
    )
    credits_ = open_account.of_people(
        user_ids={back.hold.user_id for back in backs if back.credit.back_microusd},
        kind=AccountKind.CREDIT,
    )
    ends = any(back.credit.ended_microusd for back in backs)
    promo = open_account.promo() if ends else None
    kind, entries = TransferKind.RELEASE, []
    for back in backs:
        held, user_id, cause, credit = back.account, back.hold.user_id, back.cause, back.credit
        if money := back.money_microusd:
            entries.append(Entry(held, wallets[user_id], money, kind, cause, note))
        if again := credit.back_microusd:
            entries.append(Entry(held, credits_[user_id], again, kind, f"{cause}:credit", note))
        if promo is not None and (ended := credit.ended_microusd):
            why = f"{cause}:expired"
            entries.append(Entry(held, promo, ended, TransferKind.EXPIRY, why, credit.note))
    return entries
