"""This will answer a renter's report about a rental: money comes back, or it does not.

Decided in docs/decisions/0056-reports-about-rentals.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace.accounts.queries import is_deleted
from marketplace.console.staff import Staff
from marketplace.domain.given_back import Shares, shares
from marketplace.domain.money import MicroUsd, fee_of, format_usd
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.domain.rental_report import CHARGED_WITHIN, WRONG, Payer, ReportState, Wrong
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import return_charge
from marketplace.ledger.models import Hold
from marketplace.metering.models import Meter
from marketplace.notices.actions.notify import notify
from marketplace.payments import queries as payments
from marketplace.rentals import comes_back
from marketplace.rentals.actions.fund import locked
from marketplace.rentals.models import Rental, RentalReport
from marketplace.rentals.rental_reports import ReportUnknown

#: who may decide that the site pays; no other role alone both settles and gives credit
MAY_GIVE = "somebody with the role admin, or with support and finance"


class AnsweredMeanwhile(Refused):
    code = "report_closed"
    status = 409
    sentence = "Somebody answered this report meanwhile, or its renter withdrew it; read it again."


class CreditTooMuch(Refused):
    """More was given than can still come back of the rental."""

    code = "credit_too_much"
    status = 409

    def __init__(self, left_microusd: MicroUsd) -> None:
        super().__init__(
            f"At most {format_usd(left_microusd)} of this rental can come back: what was charged"
            f" since {CHARGED_WITHIN.days} days before the report, less what came back and credit"
            " that ended."
        )


class SiteGives(Refused):
    """The site would give more than its fee, and they may not decide that."""

    code = "site_gives"
    status = 403
    sentence = f"That would be the site's money beyond its fee; {MAY_GIVE} may decide so."


class HostHasLess(Refused):
    """Their earnings do not cover their part, so the site would pay it."""

    code = "host_has_less"
    status = 409

    def __init__(self, part_microusd: MicroUsd, earned_microusd: MicroUsd) -> None:
        part, has = format_usd(part_microusd), format_usd(earned_microusd)
        super().__init__(
            f"The host's part is {part}, and they have {has} that is not paid out: the site would"
            f" give the rest. Give less, or {MAY_GIVE} decides."
        )


class RenterDisputes(Refused):
    code = "renter_disputes"
    status = 409
    sentence = (
        "A payment of this renter's is disputed at their bank, or was lost so at the site's cost:"
        " they could be paid twice. Answer when that is over and their cards are taken again, or"
        " give nothing back."
    )


class RenterGone(Refused):
    code = "renter_gone"
    status = 409
    sentence = "Its renter deleted their account; give nothing back."


class SharesChanged(Refused):
    code = "shares_changed"
    status = 409
    sentence = "What its host has not been paid out changed meanwhile; look again who pays what."


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a credit will do, as staff read it before they give it."""

    amount_microusd: MicroUsd
    payer: Payer
    shares: Shares
    #: what the host has not been paid out, before it
    earned_microusd: MicroUsd
    #: of the host's part, what their earnings do not have: the site gives it
    host_lacks_microusd: MicroUsd


def prospect(
    *, by: Staff, report_id: UUID, amount_microusd: MicroUsd, payer: Payer, now: datetime
) -> Prospect:
    """Return who will pay how much of a credit, as of now.

    :raises ReportUnknown: when there is no such report.
    :raises AnsweredMeanwhile: when it waits for no answer.
    :raises RenterDisputes: when a payment of the renter's is disputed, or was lost.
    :raises RenterGone: when the renter deleted their account.
    :raises CreditTooMuch: when that is more than can come back.
    :raises SiteGives: when the site would give more than its fee, and they may not decide that.
    :raises HostHasLess: when it would as the host's earnings do not cover their part.
    """
    rows = RentalReport.objects.select_related("rental__meter__hold")
    found = rows.filter(id=report_id).first()
    if found is None:
        raise ReportUnknown
    if found.state != ReportState.OPEN:
        raise AnsweredMeanwhile
    meter = found.rental.meter
    _can_come_back(found.rental, found, meter.hold, amount_microusd, now)
    earned = ledger.earned(meter.host_id)
    fee = fee_of(amount_microusd, meter.fee_ppm)
    parts = shares(
        amount_microusd,
        fee_microusd=fee,
        site_alone=payer is Payer.SITE,
        earned_microusd=earned,
    )
    _may_give(by, meter, payer, parts)
    lacks = MicroUsd(parts.site_microusd - fee if payer is Payer.HOST else 0)
    return Prospect(amount_microusd, payer, parts, earned, lacks)


def credit_report(
    *,
    by: Staff,
    report_id: UUID,
    amount_microusd: MicroUsd,
    payer: Payer,
    host_microusd: int,
    reason: str,
    now: datetime,
) -> None:
    """Give the renter back so much of what the rental was charged; both sides are told why.

    ``host_microusd``: what the host gives of it, as ``prospect`` said: whoever decides knows it.

    :raises NotYourRole: when they who ask may not.
    :raises ReportUnknown: when there is no such report.
    :raises OwnCase: when they are its renter or its host.
    :raises AnsweredMeanwhile: when it waits for no answer.
    :raises RenterDisputes: when a payment of the renter's is disputed, or was lost.
    :raises RenterGone: when the renter deleted their account.
    :raises CreditTooMuch: when that is more than can come back.
    :raises SiteGives: when the site would give more than its fee, and they may not decide that.
    :raises HostHasLess: when it would as the host's earnings do not cover their part.
    :raises SharesChanged: when the host would give another part.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    words = by.words(reason)
    with transaction.atomic():
        rental, report = _open(by, report_id)
        meter = Meter.objects.select_for_update().get(id=rental.meter_id)
        hold = return_charge.lock(hold_id=meter.hold_id)
        _can_come_back(rental, report, hold, amount_microusd, now)
        back = return_charge.return_charge(
            hold_id=hold.id,
            amount_microusd=amount_microusd,
            fee_microusd=fee_of(amount_microusd, meter.fee_ppm),
            host_user_id=meter.host_id,
            cause=f"report:{report.id}:credit",
            note=f"Rental {str(rental.id)[:8]}, by staff (report {str(report.id)[:8]})",
            now=now,
            site_alone=payer is Payer.SITE,
        )
        if back.host_microusd != host_microusd:
            raise SharesChanged
        _may_give(by, meter, payer, Shares(back.host_microusd, back.site_microusd))
        report.state, report.credited_microusd = ReportState.CREDITED, amount_microusd
        report.payer, report.host_microusd = payer, back.host_microusd
        after = {
            "given back": format_usd(amount_microusd),
            "by the host": format_usd(back.host_microusd),
            "by the site": format_usd(back.site_microusd),
        }
        _close(by, rental, report, words, after, now)


def refuse_report(*, by: Staff, report_id: UUID, reason: str, now: datetime) -> None:
    """Answer that nothing comes back; its renter reads why.

    :raises NotYourRole: when they who ask may not.
    :raises ReportUnknown: when there is no such report.
    :raises OwnCase: when they are its renter or its host.
    :raises AnsweredMeanwhile: when it waits for no answer.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    words = by.words(reason)
    with transaction.atomic():
        rental, report = _open(by, report_id)
        report.state = ReportState.REFUSED
        _close(by, rental, report, words, {"given back": format_usd(0)}, now)


def _open(by: Staff, report_id: UUID) -> tuple[Rental, RentalReport]:
    """Return the rental and its report that waits, both locked: of two answers one counts.

    Whoever deletes the renter's account waits for a report that waits, and withdraws it.
    """
    by.must(Right.SETTLE)
    found = RentalReport.objects.filter(id=report_id).values_list("rental_id", flat=True).first()
    if found is None:
        raise ReportUnknown
    rental = locked(found)
    by.must_not_be(rental.renter_id, rental.meter.host_id)
    report = RentalReport.objects.select_for_update().get(id=report_id)
    if report.state != ReportState.OPEN:
        raise AnsweredMeanwhile
    return rental, report


def _can_come_back(
    rental: Rental, report: RentalReport, hold: Hold, amount_microusd: MicroUsd, now: datetime
) -> None:
    if payments.is_contested(rental.renter_id):
        raise RenterDisputes
    if is_deleted(rental.renter):
        raise RenterGone
    most = comes_back.most(rental, hold, reported_at=report.made_at, now=now)
    if not 0 < amount_microusd <= most:
        raise CreditTooMuch(most)


def _may_give(by: Staff, meter: Meter, payer: Payer, parts: Shares) -> None:
    """Go on where the site gives its fee at most, or they may give its money away."""
    amount = parts.host_microusd + parts.site_microusd
    fee = fee_of(amount, meter.fee_ppm)
    if parts.site_microusd <= fee or Right.MONEY in by.rights:
        return
    if payer is Payer.SITE:
        raise SiteGives
    raise HostHasLess(MicroUsd(amount - fee), parts.host_microusd)


def _close(
    by: Staff,
    rental: Rental,
    report: RentalReport,
    words: str,
    after: Mapping[str, object],
    now: datetime,
) -> None:
    report.answer, report.closed_at = words, now
    report.save()
    by.acted(
        ActKind.ANSWER_REPORT,
        subject=f"report {report.id} on rental {rental.id}",
        reason=words,
        person_id=rental.renter_id,
        before={"state": ReportState.OPEN.value},
        after={"state": ReportState(report.state).value, **after},
        now=now,
    )
    name, back = str(rental.id)[:8], format_usd(report.credited_microusd)
    outcome = f"{back} came back to you." if report.credited_microusd else "Nothing comes back."
    notify(
        user_id=rental.renter_id,
        kind="report_answered",
        cause=f"report:{report.id}",
        title=f"Your report about rental {name} is answered",
        text=f"{outcome} {words}",
        data={"url": f"/rentals/{rental.id}/report", "rental_id": str(rental.id)},
        now=now,
    )
    if report.host_microusd:
        taken = format_usd(report.host_microusd)
        notify(
            user_id=rental.meter.host_id,
            kind="earnings_given_back",
            cause=f"report:{report.id}",
            title=f"{taken} of your earnings went back to the renter of rental {name}",
            text=f"{WRONG[Wrong(report.what)]}. Staff write: {words}",
            data={"url": "/host/earnings/", "rental_id": str(rental.id)},
            now=now,
        )
