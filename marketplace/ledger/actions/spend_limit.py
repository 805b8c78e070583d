"""This will count what is set aside against its owner's limits, and count back what returns.

The limits' rows are locked before anything is counted, so that two rents at once cannot both pass.
Locks: the hold, its owner's limits in the order of their ids, then credit and accounts.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, Sum

from marketplace import many_rows
from marketplace.accounts.models import SpendLimit, User
from marketplace.domain import spending
from marketplace.domain.ledger import TransferKind
from marketplace.domain.problem import Refused
from marketplace.domain.spending import Period
from marketplace.ledger.models import Account, Hold, Transfer


class KeysOwnOnly(Refused):
    """A key whose spending is limited would spend past its limit."""

    code = "key_is_limited"
    status = 403
    sentence = "This API key has a spend limit, so it changes only what it rented itself."


def count(*, hold: Hold, amount_microusd: int, cause: str, now: datetime) -> None:
    """Count what is about to be set aside. Call it in a transaction that locked the hold.

    ``cause``: of the transfer; one that was posted already counts no more.

    :raises SpendLimitReached: when a limit leaves less; then nothing is counted.
    """
    rows = _locked([hold.user_id], [hold.api_key_id])
    if rows and not Transfer.objects.filter(cause=cause).exists():
        for row in rows:
            _add(row, amount_microusd, now)


def count_back(*, amounts: Sequence[tuple[Hold, int]], now: datetime) -> None:
    """Count back what is about to return. Call it in a transaction that locked the holds.

    Of a day or a month only what the same day or month had counted of it: what was set aside
    yesterday lets nobody spend more today.
    """
    holds = [hold for hold, _ in amounts]
    rows = _locked({hold.user_id for hold in holds}, {hold.api_key_id for hold in holds})
    for row in rows:
        _roll(row, now)
    since = {row.began_at for row in rows if row.began_at is not None}
    held = {began_at: _held_since(holds, began_at) for began_at in since}
    for row in rows:
        for hold, amount_microusd in amounts:
            if not _is_of(row, hold):
                continue
            back = amount_microusd
            if row.began_at is not None:
                back = min(back, held[row.began_at][hold.account_id])
            row.counted_microusd = max(0, row.counted_microusd - back)
    columns = ("counted_microusd", "began_at")
    many_rows.update(
        SpendLimit, {row.pk: {name: getattr(row, name) for name in columns} for row in rows}
    )


def attribute(*, hold_id: UUID, api_key_id: UUID | None, now: datetime) -> None:
    """Count a new hold, and all that is added to it, to the API key that asked for it.

    Call it in the transaction that placed the hold. A hold that has its key already keeps it.

    :raises SpendLimitReached: when the key's limit leaves less.
    """
    if api_key_id is None:
        return
    with transaction.atomic():
        hold = Hold.objects.select_for_update(of=("self",)).get(pk=hold_id)
        if hold.api_key_id is not None:
            return
        Hold.objects.filter(pk=hold_id).update(api_key_id=api_key_id)
        account = Account.objects.get(pk=hold.account_id)
        for row in _locked([], [api_key_id]):
            _add(row, account.balance_microusd, now)


def check_own(*, api_key_id: UUID | None, hold_key_id: UUID | None) -> None:
    """Accept that a key raises what may be spent on something.

    :raises KeysOwnOnly: when the key has a limit and that is not counted to it.
    """
    if api_key_id is None or api_key_id == hold_key_id:
        return
    if SpendLimit.objects.filter(api_key_id=api_key_id).exists():
        raise KeysOwnOnly


def set_limit(
    *, user_id: int, period: Period, limit_microusd: int | None, now: datetime
) -> SpendLimit | None:
    """Bound what the account sets aside in a day or a month; None: no limit any more.

    What was set aside since the day or month began is counted already. It holds at once, lower or
    higher; a pass tells the owner of it.
    """
    with transaction.atomic():
        # Two requests at once make one row.
        User.objects.select_for_update(no_key=True).get(pk=user_id)
        rows = SpendLimit.objects.filter(user_id=user_id, api_key=None, period=period)
        row = rows.select_for_update().first()
        if (row.limit_microusd if row else None) == limit_microusd:
            return row
        former = row.limit_microusd if row else None
        if row is None:
            since = spending.began(period, now)
            row = SpendLimit(
                user_id=user_id,
                period=period,
                began_at=since,
                counted_microusd=_of_user_since(user_id, since) if since else 0,
            )
        row.limit_microusd, row.former_microusd, row.changed_at = limit_microusd, former, now
        row.save()
        return row


def limits(user_id: int, now: datetime) -> Sequence[SpendLimit]:
    """Return the account's own limits, a day's first, with what is counted now."""
    rows = SpendLimit.objects.filter(user_id=user_id, api_key=None, limit_microusd__isnull=False)
    found = list(rows.order_by("period", "id"))
    for row in found:
        _roll(row, now)
    return found


def _locked(user_ids: Collection[int], api_key_ids: Iterable[UUID | None]) -> Sequence[SpendLimit]:
    """Return the limits of accounts, and of keys where there are some, locked in order."""
    keys = [key for key in api_key_ids if key is not None]
    rows = SpendLimit.objects.filter(
        Q(user_id__in=user_ids, api_key=None) | Q(api_key_id__in=keys),
        limit_microusd__isnull=False,
    )
    return list(rows.select_for_update(of=("self",)).order_by("id"))


def _is_of(row: SpendLimit, hold: Hold) -> bool:
    if row.api_key_id is None:
        return row.user_id == hold.user_id
    return row.api_key_id == hold.api_key_id


def _add(row: SpendLimit, amount_microusd: int, now: datetime) -> None:
    _roll(row, now)
    spending.check(
        Period(row.period),
        limit_microusd=row.limit_microusd or 0,
        counted_microusd=row.counted_microusd,
        more_microusd=amount_microusd,
        now=now,
    )
    row.counted_microusd += amount_microusd
    row.save(update_fields=["counted_microusd", "began_at"])


def _roll(row: SpendLimit, now: datetime) -> None:
    """Begin the period of this moment, unless it has begun: a clock that was set back counts on."""
    began = spending.began(Period(row.period), now)
    if began is not None and (row.began_at is None or row.began_at < began):
        row.began_at, row.counted_microusd = began, 0


def _held_since(holds: Collection[Hold], since: datetime) -> Mapping[UUID, int]:
    """Return by account what was set aside for each hold since then, less what it gave back since.

    It costs the same statements for many.
    """
    accounts = [hold.account_id for hold in holds]
    into = Transfer.objects.filter(credit__in=accounts, at__gte=since, kind=TransferKind.HOLD)
    out = Transfer.objects.filter(debit__in=accounts, at__gte=since, kind=TransferKind.RELEASE)
    held, back = (
        dict(rows.order_by(side).values_list(side).annotate(sum=Sum("amount_microusd")))
        for rows, side in ((into, "credit"), (out, "debit"))
    )
    return {one: max(0, held.get(one, 0) - back.get(one, 0)) for one in accounts}


def _of_user_since(user_id: int, since: datetime) -> int:
    holds = Hold.objects.filter(user_id=user_id).filter(
        Q(released_at=None) | Q(released_at__gte=since)
    )
    return sum(
        sum(_held_since([hold], since).values())
        for hold in holds.order_by("id").iterator(chunk_size=500)
    )
