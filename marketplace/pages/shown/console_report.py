"""This will prepare a renter's report for staff: what was said, and all that decides about it."""

from marketplace.console.actions.answer_report import Prospect
from marketplace.console.reports import ReportCase, Reports
from marketplace.domain.money import format_usd
from marketplace.domain.rental_report import Payer
from marketplace.pages.shown import console, console_rental, report, verification
from marketplace.pages.shown.report import ReportLine
from marketplace.rentals.models import RentalReport


def report_url(found: RentalReport) -> str:
    """Return the address of a report's page for staff."""
    return f"/console/reports/{found.id}/"


def waiting(found: Reports) -> dict[str, object]:
    """Return what the first page of the console shows of reports that wait."""
    return {
        "reports": [
            {
                "line": report.line(one),
                "url": report_url(one),
                "rental_url": console.rental_url(one.rental_id),
                "renter": one.renter.shown,
                "renter_url": console.person_url(one.renter_id),
                "host": one.rental.placement.machine.host.shown,
                "host_url": console.person_url(one.rental.placement.machine.host_id),
            }
            for one in found.reports
        ],
        "reports_after": found.after,
    }


def page(found: ReportCase) -> dict[str, object]:
    """Return what the page of one report shows beside what its rental's page does."""
    hold = found.rental.hold
    return {
        **console_rental.page(found.rental),
        "report": report.line(found.report),
        "report_url": report_url(found.report),
        "rental_url": console.rental_url(found.report.rental_id),
        "left": format_usd(found.left_microusd),
        "sums": [
            ("Can still come back", format_usd(found.left_microusd)),
            ("Came back already", format_usd(hold.returned_microusd)),
            ("Was credit that ended", format_usd(found.ended_microusd)),
            ("Its host earned of it", format_usd(found.earned_microusd)),
            ("The host’s, not paid out yet", format_usd(found.unpaid_microusd)),
            ("The renter’s payments, disputed now", format_usd(found.disputed_microusd)),
            ("The renter’s payments, lost by a dispute", format_usd(found.lost_microusd)),
        ],
        "verdicts": [verification.verdict_line(one) for one in found.verdicts],
        "changes": [verification.change(one) for one in found.changes],
        "by_renter": [_other(one) for one in found.by_renter],
        "on_machine": [_other(one) for one in found.on_machine],
    }


def consequences(found: Prospect, case: ReportCase) -> list[str]:
    """Return what a credit will do, in sentences."""
    amount, parts = format_usd(found.amount_microusd), found.shares
    renter = case.rental.rental.renter.shown
    told = [
        f"{amount} comes back to {renter} at once: money as money, and what was credit as credit."
    ]
    if found.payer is Payer.SITE:
        host = case.rental.placement.machine.host.shown
        told.append(f"The site gives all of it; {host} keeps what they earned and is not told.")
    else:
        earned = format_usd(found.earned_microusd)
        taken, site = format_usd(parts.host_microusd), format_usd(parts.site_microusd)
        told.append(
            f"{taken} of it is taken from the {earned} that the host has not been paid out."
        )
        if found.host_lacks_microusd:
            lacks = format_usd(found.host_lacks_microusd)
            told.append(f"The host has {lacks} less than their part: the site gives it for them.")
            told.append(f"{site} of it is the site’s: its fee, and what the host does not have.")
        else:
            told.append(f"{site} of it is the site’s: its fee.")
        told.append("The host reads the kind of report, how much was taken, and your reason.")
    if case.ended_microusd:
        gone = format_usd(case.ended_microusd)
        told.append(f"{gone} of what was charged was credit that has ended: it can’t come back.")
    told.append("The renter reads your reason. It can’t be taken back.")
    return told


def _other(found: RentalReport) -> tuple[str, ReportLine]:
    return report_url(found), report.line(found)
