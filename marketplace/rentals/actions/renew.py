"""This will renew what is set aside for rentals paid an hour ahead, and stop those in vain.

One without money keeps its files for 7 days, and so does one that is stopped where its host asks
nothing for the disk. Each is decided anew from its rows and in one transaction, so a pass may be
killed, or run twice at once, at any moment. Decided in docs/decisions/0041-an-hour-ahead.md.
"""

import logging
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F

from marketplace.domain.funding import KEPT, STOPPED_MS
from marketplace.domain.money import MS_PER_HOUR, charge
from marketplace.domain.placement import LIVE, STOPS, PlacementState
from marketplace.domain.problem import Refused
from marketplace.domain.spending import SpendLimitReached
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.hold import InsufficientFunds
from marketplace.one_by_one import one_by_one
from marketplace.placements.actions import start
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.actions.request_stop import request_stop
from marketplace.placements.models import Placement
from marketplace.rentals.actions import fund as funds
from marketplace.rentals.funds import BALANCE_OUT, LIMIT_OUT, keeps_free, lacks_money
from marketplace.rentals.models import Rental
from protocol.agent import PAID_OUT, Want

#: that one pass looks at; the next pass goes on
RENTALS_MAX = 500
#: after its machine was asked to stop it
STOPS_SOON = timedelta(seconds=10)
#: why it ended, and why it may be started again
FILES_OVER, MONEY_BACK = "files_over", "money_back"
LIMIT_REASON = (
    "Your spend limit leaves nothing for it. It is stopped and its files are kept: raise the"
    " limit, then start it again."
)
OVER_REASON = "It had no money for 7 days, so it ended, and its files with it."
FREE_OVER_REASON = (
    "It was stopped for 7 days, and its host keeps files for nothing no longer, so it ended, and"
    " its files with it."
)
BACK_REASON = "It was stopped without money. There is money again and its files are kept: start it."

logger = logging.getLogger(__name__)


def renew(*, now: datetime) -> int:
    """Return how many rentals' money was looked at: renewed, or found to be missing.

    Whose money ends first is served first, and of those the oldest; nothing is taken from one for
    another.
    """
    due = Rental.objects.filter(fund_due_at__lte=now).order_by(
        F("placement__paid_until").asc(nulls_first=True), "started_at", "id"
    )
    renewed = one_by_one(
        due.values_list("id", flat=True),
        partial(_renew, now=now),
        failed="Rental not renewed",
        most=RENTALS_MAX,
    )
    return len(renewed)


def _renew(rental_id: UUID, *, now: datetime) -> None:
    with transaction.atomic():
        rental = funds.locked(rental_id)
        placement = rental.placement
        if _ran_since(rental):
            _write(rental, files_until=None)
        if placement.want == Want.END or placement.state not in LIVE:
            _write(rental, fund_due_at=None)
        elif funds.is_about_to_run(placement):
            _run_on(rental, now)
        elif rental.files_until is not None and rental.files_until <= now:
            _end(rental, now)
        elif placement.state != PlacementState.STOPPED:
            _write(rental, fund_due_at=now + STOPS_SOON)
        elif placement.reason_code == PAID_OUT:
            _go_on(rental, now)
        else:
            _rest(rental, now)


def _ran_since(rental: Rental) -> bool:
    """Say whether it was seen to run since its 7 days began: to ask for it alone costs nothing."""
    until, seen_at = rental.files_until, rental.placement.reachable_at
    return until is not None and seen_at is not None and seen_at > until - KEPT


def _run_on(rental: Rental, now: datetime) -> None:
    paid = funds.fund_in_parts(rental, now=now)
    if paid.refused is None or paid.left_ms is None or paid.left_ms > STOPPED_MS:
        return
    _stop(rental, paid.refused, now)


def _stop(rental: Rental, refused: Refused, now: datetime) -> None:
    """Stop what nobody pays for, or let it wait for its bid to win no more."""
    limited = isinstance(refused, SpendLimitReached)
    code = LIMIT_OUT if limited else BALANCE_OUT
    reason = LIMIT_REASON if limited else _kept(rental, now)
    request_stop(placement_id=rental.placement_id, reason_code=code, reason=reason, now=now)
    _tell(rental, code, reason)
    _write(
        rental,
        files_until=None if limited else now + KEPT,
        fund_due_at=now + STOPS_SOON,
    )
    logger.info("Rental stopped without money", extra={"rental_id": rental.id, "code": code})


def _go_on(rental: Rental, now: datetime) -> None:
    """Start again what its machine stopped as nobody renewed it in time, if there is money.

    It did so by itself while we were away, so its renter has no part in it.
    """
    was_over = rental.placement.paid_until is not None and rental.placement.paid_until <= now
    try:
        with transaction.atomic():
            funds.fund(rental, now=now)
            if was_over:
                start.start(placement_id=rental.placement_id, now=now)
    except InsufficientFunds:
        _tell(rental, BALANCE_OUT, _kept(rental, now))
        _write(rental, files_until=now + KEPT, fund_due_at=now + funds.RETRY)
        return
    except SpendLimitReached:
        _tell(rental, LIMIT_OUT, LIMIT_REASON)
    except Refused:
        _tell(rental, MONEY_BACK, BACK_REASON)
    else:
        if not was_over:
            _tell(rental, MONEY_BACK, BACK_REASON)
    _write(rental, fund_due_at=now + STOPS_SOON)


def _rest(rental: Rental, now: datetime) -> None:
    """Keep 7 days of its storage set aside while it is stopped, or count the days without."""
    try:
        funds.fund(rental, now=now, ahead_ms=0)
    except (InsufficientFunds, SpendLimitReached):
        funds.note(rental, now=now)
        if rental.files_until is None:
            _write(rental, files_until=now + KEPT, fund_due_at=now + funds.RETRY)
        return
    if keeps_free(rental):
        _keep_free(rental, now)
    elif rental.files_until is not None and _pays_an_hour(rental):
        if rental.placement.reason_code == BALANCE_OUT:
            _tell(rental, MONEY_BACK, BACK_REASON)
        _write(rental, files_until=None)


def _keep_free(rental: Rental, now: datetime) -> None:
    """Let 7 days begin: what costs its renter nothing is not kept from others for a whole lease."""
    was_out = rental.placement.reason_code == BALANCE_OUT
    if was_out and not _pays_an_hour(rental):
        return
    if was_out:
        _tell(rental, MONEY_BACK, BACK_REASON)
    until = rental.files_until
    if was_out or until is None:
        until = now + KEPT
    _write(rental, files_until=until, fund_due_at=min(until, now + funds.REST))


def _end(rental: Rental, now: datetime) -> None:
    request_end(
        placement_id=rental.placement_id,
        reason_code=FILES_OVER,
        reason=OVER_REASON if lacks_money(rental) else FREE_OVER_REASON,
        now=now,
    )
    _write(rental, fund_due_at=None)
    logger.info("Rental ended as its files were kept long enough", extra={"rental_id": rental.id})


def _pays_an_hour(rental: Rental) -> bool:
    hour = charge(rental.meter.price_hour_microusd, MS_PER_HOUR)
    return ledger.balance(rental.renter_id) >= hour


def _kept(rental: Rental, now: datetime) -> str:
    until = min(now + KEPT, rental.placement.funded_until)
    return (
        f"Your balance is used up. It is stopped and its files are kept until"
        f" {until:%-d %b %Y, %H:%M} UTC: add money, then start it again."
    )


def _tell(rental: Rental, code: str, reason: str) -> None:
    """Say why what is stopped is so; no auction starts it."""
    stopped = Placement.objects.filter(id=rental.placement_id, state__in=STOPS)
    stopped.update(resume_due_at=None, reason_code=code, reason=reason)


def _write(rental: Rental, **columns: datetime | None) -> None:
    Rental.objects.filter(id=rental.id).update(**columns)
    for name, value in columns.items():
        setattr(rental, name, value)
