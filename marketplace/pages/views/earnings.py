"""This will show hosts what they earned, and a statement of each month."""

import csv

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketplace.domain.money import format_usd
from marketplace.pages.shown import earnings as shown
from marketplace.pages.shown import payouts, report
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.payouts import statements
from marketplace.payouts.earned import earned
from marketplace.payouts.outlook import outlook
from marketplace.payouts.statements import MonthStatement
from marketplace.rentals.rental_reports import taken

#: of what staff gave back out of the host's earnings
TAKEN_MAX = 20


@require_safe
@members_only
def earnings(request: MemberRequest) -> HttpResponse:
    """Show today, seven days, thirty days, and each machine's part."""
    host_id, now = request.user.pk, timezone.now()
    context = {
        "page": shown.page(earned(host_id, now=now), outlook(host_id, now=now).now),
        "months": statements.months(host_id, now=now),
        "taken": [report.line(one) for one in taken(host_id, rows_max=TAKEN_MAX).items],
    }
    return render(request, "host/earnings.html", context)


@require_safe
@members_only
def statement(request: MemberRequest, month: str) -> HttpResponse:
    """Show one month."""
    found = _found(request, month)
    context = {
        "month": found.month,
        "opening": format_usd(found.opening_microusd),
        "rent": format_usd(found.moved.earned_microusd + found.moved.fee_microusd),
        "fee": format_usd(-found.moved.fee_microusd),
        "given_back": format_usd(-found.moved.given_back_microusd),
        "paid_out": format_usd(-found.moved.paid_out_microusd),
        "closing": format_usd(found.closing_microusd),
        "lines": shown.lines(found),
        "payouts": [payouts.line(payout) for payout in found.payouts],
    }
    return render(request, "host/statement.html", context)


@never_cache
@require_safe
@members_only
def statement_file(request: MemberRequest, month: str) -> HttpResponse:
    """Send one month as a table for a spreadsheet."""
    found = _found(request, month)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="earnings-{found.month}.csv"'
    csv.writer(response).writerows(statements.rows(found))
    return response


def _found(request: MemberRequest, month: str) -> MonthStatement:
    try:
        return statements.statement(request.user.pk, month, now=timezone.now())
    except statements.MonthUnknown as refused:
        raise Http404(refused.detail) from None
