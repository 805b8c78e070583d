"""This will take in what a renter reports of a rental, and show what staff answered."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused
from marketplace.domain.rental_report import CHARGED_WITHIN, REPORTED_WITHIN, Wrong, may_report
from marketplace.keyset import CursorUnknown
from marketplace.pages.forms.report import ReportForm
from marketplace.pages.shown import report as shown
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import comes_back, queries
from marketplace.rentals import rental_reports as reports
from marketplace.rentals.actions import report as reporting
from marketplace.rentals.models import Rental

#: which field a refusal is about
FIELDS = {"report_asks_too_much": "ask", "text_invalid": "text", "report_wordless": "text"}


@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def rental_report(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show the newest report of a rental and its answer, and take another one in."""
    try:
        rental = queries.find(rental_id, request.user.pk)
    except queries.RentalUnknown as refused:
        return _forgotten(request, rental_id, refused)
    form = ReportForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _report(request, rental, form)
        except Refused as refused:
            form.add_error(FIELDS.get(refused.code), refused.detail)
        else:
            messages.success(request, "It is reported: staff read it, and you are told.")
            return redirect("rental-report", rental_id)
    newest, now = reports.newest(rental_id), timezone.now()
    report = shown.line(newest) if newest else None
    in_time = may_report(rental.placement.ended_at, now)
    context = {
        "rental_id": rental_id,
        "title": rental.name or rental.placement.workload["image"],
        "report": report,
        "left": format_usd(comes_back.most(rental, rental.meter.hold, reported_at=now, now=now)),
        "form": form if in_time and not (report and report.is_open) else None,
        "is_late": not in_time,
        "days": REPORTED_WITHIN.days,
        "charged_days": CHARGED_WITHIN.days,
    }
    return render(request, "rentals/report.html", context, status=422 if form.errors else 200)


@require_POST
@members_only
def withdraw_report(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Take the report of a rental back."""
    try:
        reporting.withdraw(rental_id=rental_id, renter_id=request.user.pk, now=timezone.now())
    except reports.ReportUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, "The report is withdrawn.")
    return redirect("rental-report", rental_id)


@require_safe
@members_only
def rental_reports(request: MemberRequest) -> HttpResponse:
    """Show the renter's reports, newest first."""
    try:
        after = UUID(request.GET["after"]) if "after" in request.GET else None
        page = reports.of_renter(request.user.pk, after=after)
    except (ValueError, CursorUnknown):
        return redirect("rental-reports")
    context = {"reports": [shown.line(one) for one in page.items], "after": page.next_id}
    return render(request, "rentals/reports.html", context)


def _report(request: MemberRequest, rental: Rental, form: ReportForm) -> None:
    reporting.report(
        rental_id=rental.id,
        renter_id=request.user.pk,
        what=Wrong(form.cleaned_data["what"]),
        text=form.cleaned_data["text"],
        asked_microusd=form.cleaned_data["ask"],
        now=timezone.now(),
    )


def _forgotten(request: MemberRequest, rental_id: UUID, refused: Refused) -> HttpResponse:
    """Lead to all reports where the rental left the list, as a notice names its page."""
    try:
        reports.of_rental(rental_id, request.user.pk)
    except reports.ReportUnknown:
        raise Http404(refused.detail) from None
    return redirect("rental-reports")
