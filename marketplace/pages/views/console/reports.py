"""This will show a renter's report with all that decides about it, and take the answer."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.console import reports as queries
from marketplace.console.actions.answer_report import (
    credit_report,
    prospect,
    refuse_report,
)
from marketplace.console.reports import ReportCase
from marketplace.domain.money import format_usd
from marketplace.domain.oversight import Right
from marketplace.domain.problem import Refused
from marketplace.domain.rental_report import Payer
from marketplace.pages.forms.answer import CreditForm
from marketplace.pages.shown import console_report as shown
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, reason
from marketplace.pages.views.console.sure import unsure
from marketplace.rentals.rental_reports import ReportUnknown


@require_safe
@staff_only(Right.SEE)
def report(request: StaffRequest, report_id: UUID) -> HttpResponse:
    """Show one report."""
    return _page(request, _case(report_id))


@require_POST
@staff_only(Right.SETTLE)
def report_credit(request: StaffRequest, report_id: UUID) -> HttpResponse:
    """Say what a credit will do; once that was read, give it."""
    case, form = _case(report_id), CreditForm(request.POST)
    if not form.is_valid():
        return _page(request, case, form)
    amount, payer = form.cleaned_data["amount"], Payer(form.cleaned_data["payer"])
    try:
        found = prospect(
            by=request.staff,
            report_id=report_id,
            amount_microusd=amount,
            payer=payer,
            now=timezone.now(),
        )
        asks = unsure(
            request,
            title=f"Give {format_usd(amount)} back",
            back=shown.report_url(case.report),
            told=shown.consequences(found, case),
            button="Give it back",
            stops=False,
            sure=str(found.shares.host_microusd),
        )
        if asks is not None:
            return asks
        credit_report(
            by=request.staff,
            report_id=report_id,
            amount_microusd=amount,
            payer=payer,
            host_microusd=found.shares.host_microusd,
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
    except Refused as refused:
        if refused.code == "credit_too_much":
            form.add_error("amount", refused.detail)
        else:
            messages.error(request, refused.detail)
        return _page(request, _case(report_id), form)
    messages.success(request, "It is given back, and who pays and is paid was told.")
    return redirect("console-report", report_id)


@require_POST
@staff_only(Right.SETTLE)
def report_refuse(request: StaffRequest, report_id: UUID) -> HttpResponse:
    """Answer that nothing comes back."""
    done(
        request,
        lambda: refuse_report(
            by=request.staff, report_id=report_id, reason=reason(request), now=timezone.now()
        ),
        "It is answered, and its renter was told.",
    )
    return redirect("console-report", report_id)


def _case(report_id: UUID) -> ReportCase:
    try:
        return queries.case(report_id, now=timezone.now())
    except ReportUnknown as refused:
        raise Http404(refused.detail) from None


def _page(request: StaffRequest, case: ReportCase, form: CreditForm | None = None) -> HttpResponse:
    context = {
        **shown.page(case),
        "form": form or CreditForm(),
        "may_settle": Right.SETTLE in request.staff.rights,
    }
    return render(request, "console/report.html", context, status=422 if form else 200)
