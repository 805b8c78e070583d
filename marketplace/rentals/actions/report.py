"""This will take a renter's report of what was wrong with a rental, and take it back."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.accounts.actions import lock_account
from marketplace.domain.money import MicroUsd, format_usd
from marketplace.domain.problem import Refused
from marketplace.domain.rental_report import (
    CHARGED_WITHIN,
    OF_RENTAL_MAX,
    OPEN_MAX,
    REPORTED_WITHIN,
    TEXT_LENGTH_MAX,
    ReportState,
    Wrong,
    may_report,
)
from marketplace.domain.text import lines
from marketplace.rentals import comes_back, queries, rental_reports
from marketplace.rentals.models import Rental, RentalReport

logger = logging.getLogger(__name__)


class ReportWordless(Refused):
    code = "report_wordless"
    status = 422
    sentence = f"Write what happened, in 1 to {TEXT_LENGTH_MAX} characters."


class ReportOpen(Refused):
    code = "report_open"
    status = 409
    sentence = "A report about this rental waits for its answer; withdraw it to write another one."


class ReportTooLate(Refused):
    code = "report_too_late"
    status = 409
    sentence = f"A rental can be reported for {REPORTED_WITHIN.days} days after its end."


class ReportsTooMany(Refused):
    code = "reports_too_many"
    status = 409
    sentence = (
        f"A rental has at most {OF_RENTAL_MAX} reports, and at most {OPEN_MAX} of yours wait at a"
        " time."
    )


class AsksTooMuch(Refused):
    """You ask for more than can still come back of the rental."""

    code = "report_asks_too_much"
    status = 422

    def __init__(self, left_microusd: MicroUsd) -> None:
        left = format_usd(left_microusd)
        super().__init__(
            f"At most {left} can still come back, of what was charged in the last"
            f" {CHARGED_WITHIN.days} days."
        )


class ReportAnswered(Refused):
    code = "report_answered"
    status = 409
    sentence = "This report is answered already, or was withdrawn."


def report(
    *,
    rental_id: UUID,
    renter_id: int,
    what: Wrong,
    text: str,
    asked_microusd: MicroUsd | None,
    now: datetime,
) -> RentalReport:
    """Return the renter's report, which waits for staff; the same words twice are one.

    ``asked_microusd``: what they want back; None: they ask for no money.

    :raises RentalUnknown: when this renter has no such rental, or has deleted their account.
    :raises ReportWordless: when it says nothing, or too much.
    :raises TextRefused: when it shows something else than it says.
    :raises ReportOpen: when one with other words waits.
    :raises ReportTooLate: when the rental ended too long ago.
    :raises ReportsTooMany: when there are enough of them.
    :raises AsksTooMuch: when that is more than can still come back.
    """
    words = lines(text)
    if not 1 <= len(words) <= TEXT_LENGTH_MAX:
        raise ReportWordless
    rental = queries.find(rental_id, renter_id)
    with transaction.atomic():
        # Nobody is left to read an answer, and the words would stay. Reports of one renter at once
        # are counted one after the other.
        if not lock_account.lock(user_id=renter_id):
            raise queries.RentalUnknown
        # Of two at once the second sees the first.
        Rental.objects.select_for_update(of=("self",)).get(id=rental.id)
        newest = rental_reports.newest(rental.id)
        if newest is not None and _is_same(newest, what, words, asked_microusd):
            return newest
        if newest is not None and newest.state == ReportState.OPEN:
            raise ReportOpen
        if not may_report(rental.placement.ended_at, now):
            raise ReportTooLate
        _count(rental)
        left = comes_back.most(rental, rental.meter.hold, reported_at=now, now=now)
        if asked_microusd is not None and asked_microusd > left:
            raise AsksTooMuch(left)
        made = RentalReport.objects.create(
            rental=rental,
            renter_id=renter_id,
            what=what,
            text=words,
            asked_microusd=asked_microusd,
            made_at=now,
        )
    logger.info("Rental reported", extra={"rental_id": rental.id, "report_id": made.id})
    return made


def withdraw(*, rental_id: UUID, renter_id: int, now: datetime) -> None:
    """Take the newest report of the rental back; twice is once.

    :raises ReportUnknown: when this renter has none.
    :raises ReportAnswered: when staff answered it.
    """
    found = rental_reports.of_rental(rental_id, renter_id)
    waiting = RentalReport.objects.filter(id=found.id, state=ReportState.OPEN)
    if waiting.update(state=ReportState.WITHDRAWN, closed_at=now):
        logger.info("Report withdrawn", extra={"report_id": found.id})
        return
    found.refresh_from_db()
    if found.state != ReportState.WITHDRAWN:
        raise ReportAnswered


def _is_same(found: RentalReport, what: Wrong, words: str, asked: int | None) -> bool:
    """Say whether it is the same request once more, answered meanwhile or not."""
    said = (found.what, found.text, found.asked_microusd)
    return found.state != ReportState.WITHDRAWN and said == (what, words, asked)


def _count(rental: Rental) -> None:
    waiting = RentalReport.objects.filter(renter_id=rental.renter_id, state=ReportState.OPEN)
    if rental.reports.count() >= OF_RENTAL_MAX or waiting.count() >= OPEN_MAX:
        raise ReportsTooMany
