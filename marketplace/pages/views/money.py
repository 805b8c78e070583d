"""This will show what a person has, where it came from and where it went."""

import re
from uuid import uuid4

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused
from marketplace.ledger import queries
from marketplace.pages.forms.top_up import TopUpForm
from marketplace.pages.shown import statement
from marketplace.pages.visitor import MemberRequest, members_only, onward
from marketplace.pages.wording import balance_in_brief
from marketplace.payments import configured_gateway
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.configured_gateway import PaymentsUnavailable
from marketplace.payments.models import TopUp, TopUpState

LINES_MAX = 100
#: of a line of the statement
NUMBER = re.compile("[0-9]{1,18}")
#: what is proposed to be added
AMOUNT = "10.00"


@require_http_methods(["GET", "POST"])
@members_only
def money(request: MemberRequest) -> HttpResponse:
    """Show the balance and the statement, or add money."""
    amount = request.GET.get("amount") or AMOUNT
    form = TopUpForm(request.POST or None, initial={"amount": amount, "request_key": uuid4().hex})
    if request.method == "POST" and form.is_valid():
        try:
            paid = _pay(request, form)
        except Refused as refused:
            form.add_error("amount", refused.detail)
        else:
            _tell(request, paid)
            return redirect(onward(request) or "money")
    funds = queries.funds(request.user.pk, LINES_MAX, before=_before(request))
    context = {
        "form": form,
        "balance": format_usd(funds.balance_microusd),
        "held": format_usd(funds.held_microusd),
        "earned": format_usd(queries.earned(request.user.pk)),
        "lines": [statement.line(entry) for entry in funds.lines],
        "older": funds.older,
        "no_payments": "" if configured_gateway.is_there() else PaymentsUnavailable.sentence,
        "test_payments": settings.TEST_PAYMENTS,
        "next": onward(request),
    }
    return render(request, "money/money.html", context, status=422 if form.errors else 200)


@require_safe
@members_only
@never_cache
def balance(request: MemberRequest) -> HttpResponse:
    """Show just what can be spent, for the header of a page that stays open."""
    return HttpResponse(balance_in_brief(queries.balance(request.user.pk)))


def _before(request: MemberRequest) -> int | None:
    """Return where the page of the statement begins; None: at the newest line."""
    number = request.GET.get("before", "")
    return int(number) if NUMBER.fullmatch(number) else None


def _pay(request: MemberRequest, form: TopUpForm) -> TopUp:
    return top_up(
        user_id=request.user.pk,
        amount_microusd=form.cleaned_data["amount"],
        cause=f"page:{request.user.pk}:{form.cleaned_data['request_key']}",
        now=timezone.now(),
    )


def _tell(request: MemberRequest, paid: TopUp) -> None:
    amount = format_usd(paid.amount_microusd)
    if paid.state == TopUpState.PAID:
        messages.success(request, f"{amount} is in your balance.")
    elif paid.state == TopUpState.REFUSED:
        messages.error(request, f"{amount} was not paid: {paid.reason}")
    else:
        messages.info(request, f"{amount} is on its way; it shows here once it has arrived.")
