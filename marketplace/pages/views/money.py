"""This will show what a person has, where it came from and where it went."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.domain.bill import Reason
from marketplace.domain.ledger import StatementLine
from marketplace.domain.money import field_usd, format_usd
from marketplace.domain.problem import Refused
from marketplace.ledger import queries
from marketplace.ledger.csv_reply import KINDS, csv_reply
from marketplace.pages import errand
from marketplace.pages.forms.top_up import AutoTopUpForm, TopUpForm
from marketplace.pages.queries import burn_hour_microusd
from marketplace.pages.shown import payment, statement
from marketplace.pages.shown.bill import unbilled_sentences
from marketplace.pages.visitor import MemberRequest, members_only, onward
from marketplace.pages.wording import balance_in_brief
from marketplace.payments import configured_gateway
from marketplace.payments import queries as payments
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.configured_gateway import PaymentsUnavailable
from marketplace.payments.models import TopUp, TopUpState
from marketplace.rentals import charged, unbilled

LINES_MAX = 100
#: of a line of the statement
NUMBER = re.compile("[0-9]{1,18}")
#: what is proposed to be added
AMOUNT = "10.00"


@require_http_methods(["GET", "POST"])
@members_only
def money(request: MemberRequest) -> HttpResponse:
    """Show the balance and the statement, or add money."""
    form = TopUpForm(request.POST) if request.POST else new_form(request)
    if request.method == "POST" and form.is_valid():
        try:
            return go_on(request, pay(request, form), onward(request))
        except Refused as refused:
            form.add_error("amount", refused.detail)
    return page(request, form)


def page(
    request: MemberRequest, form: TopUpForm, rule: AutoTopUpForm | None = None
) -> HttpResponse:
    """Show the page with these forms."""
    funds = queries.funds(request.user.pk, LINES_MAX, before=_before(request))
    frozen = queries.frozen(request.user.pk)
    in_ = payments.paying_in(request.user.pk)
    credit = queries.credit(request.user.pk, now=timezone.now())
    context = {
        "form": form,
        "rule_form": rule or AutoTopUpForm.of(in_.rule),
        "cards": payment.cards(in_) if configured_gateway.takes_cards() else None,
        "payments": payment.rows(in_),
        "balance": format_usd(funds.balance_microusd),
        "credit": [statement.credit(one) for one in credit],
        "runway": statement.runway_sentence(
            funds.balance_microusd + funds.held_microusd, burn_hour_microusd(request.user.pk)
        ),
        "held": format_usd(funds.held_microusd),
        "frozen": format_usd(frozen) if frozen else "",
        "earned": format_usd(queries.earned(request.user.pk)),
        "lines": _lines(funds.lines),
        "older": funds.older,
        "no_payments": "" if configured_gateway.is_there() else PaymentsUnavailable.sentence,
        "test_payments": settings.TEST_PAYMENTS,
        "next": onward(request),
    }
    wrong = form.errors or (rule and rule.errors)
    return render(request, "money/money.html", context, status=422 if wrong else 200)


def new_form(request: MemberRequest) -> TopUpForm:
    """Return the form for adding money with what is proposed."""
    amount = request.GET.get("amount") or AMOUNT
    return TopUpForm(None, initial={"amount": amount, "request_key": uuid4().hex})


@require_safe
@members_only
@never_cache
def balance(request: MemberRequest) -> HttpResponse:
    """Show just what can be spent, for the header of a page that stays open."""
    return HttpResponse(balance_in_brief(queries.balance(request.user.pk)))


def _lines(entries: Sequence[StatementLine]) -> list[statement.Line]:
    held = {entry.hold_account_id for entry in entries if entry.hold_account_id is not None}
    found = unbilled.by_account(held, now=timezone.now()) if held else {}
    titles = charged.titles(held) if held else {}
    none: Mapping[Reason, int] = {}
    return [
        statement.line(
            entry,
            title=titles.get(entry.hold_account_id, "") if entry.hold_account_id else "",
            unbilled=unbilled_sentences(
                found.get(entry.hold_account_id, none) if entry.hold_account_id else none
            ),
        )
        for entry in entries
    ]


def _before(request: MemberRequest) -> int | None:
    """Return where the page of the statement begins; None: at the newest line."""
    number = request.GET.get("before", "")
    return int(number) if NUMBER.fullmatch(number) else None


def pay(request: MemberRequest, form: TopUpForm) -> TopUp:
    """Make the payment of a valid form; the same form pays once."""
    return top_up(
        user_id=request.user.pk,
        amount_microusd=form.cleaned_data["amount"],
        cause=cause_of(request, form),
        now=timezone.now(),
    )


def cause_of(request: MemberRequest, form: TopUpForm) -> str:
    """Return what the payment of a valid form is known by."""
    return f"page:{request.user.pk}:{form.cleaned_data['request_key']}"


def go_on(request: MemberRequest, paid: TopUp, onward_url: str) -> HttpResponse:
    """Lead to the bank, or say what became of the payment and lead to where the person was."""
    if paid.state == TopUpState.PENDING and paid.confirm_url:
        errand.leave(request, f"payment:{paid.pk}", {"next": onward_url})
        return redirect("payment", paid.pk)
    tell(request, paid)
    if paid.state == TopUpState.REFUSED:
        return redirect(adding_url(field_usd(paid.amount_microusd), onward_url))
    return redirect(onward_url or "money")


def adding_url(amount: str, onward_url: str) -> str:
    """Return the page where money is added, with what was wanted there."""
    wanted = {"amount": amount, "next": onward_url}
    query = urlencode({name: text for name, text in wanted.items() if text})
    return f"/money/?{query}" if query else "/money/"


def tell(request: MemberRequest, paid: TopUp) -> None:
    """Say what became of a payment."""
    amount = format_usd(paid.amount_microusd)
    if paid.state == TopUpState.PAID:
        messages.success(request, f"{amount} is in your balance.")
    elif paid.state == TopUpState.REFUSED:
        messages.error(request, f"{amount} was not paid: {paid.reason}")
    else:
        messages.info(request, f"{amount} is on its way; it shows here once it has arrived.")


@require_safe
@members_only
def statement_csv(request: MemberRequest, of: str) -> StreamingHttpResponse:
    """Hand out the statement of funds or earnings as CSV."""
    if of not in KINDS:
        raise Http404("There are statements of funds and of earnings.")
    return csv_reply(request.user.pk, of)
