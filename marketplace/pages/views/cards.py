"""This will let a person save a card, confirm a payment, and have their card asked by a rule.

Cards are typed in, and payments confirmed, on pages of the card processor: no card number, and no
script of anybody else's, ever comes to this site.
"""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused
from marketplace.pages import errand
from marketplace.pages.forms.top_up import AutoTopUpForm, TopUpForm
from marketplace.pages.shown import payment
from marketplace.pages.views.money import adding_url, go_on, new_form, page, pay
from marketplace.pages.visitor import MemberRequest, members_only, onward
from marketplace.payments import configured_gateway
from marketplace.payments.actions import save_card as cards
from marketplace.payments.actions.set_auto_top_up import set_auto_top_up, turn_off
from marketplace.payments.actions.top_up import TopUpAmountRefused, ask, check_amount
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import Payer, TopUp, TopUpState

#: what waits for a card, and how long each part of it may be
ERRAND, TEXT_MAX = "card", 64


@require_POST
@members_only
def save_card(request: MemberRequest) -> HttpResponse:
    """Lead to the processor's page that saves a card, and keep what is to be paid by it.

    It is a page of ours that leads there, as no form of this site may end on another one.
    """
    amount, form = "", TopUpForm(request.POST)
    if "request_key" in request.POST:
        if not _may_be_paid(form):
            return page(request, form)
        amount = format_usd(form.cleaned_data["amount"])
    told = {name: request.POST.get(name, "")[:TEXT_MAX] for name in ("amount", "request_key")}
    try:
        url = cards.card_page(user_id=request.user.pk)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(adding_url(told["amount"], onward(request)))
    card = Payer.objects.values_list("card", flat=True).get(user=request.user)
    errand.leave(request, ERRAND, {**told, "next": onward(request), "card": card})
    return render(request, "money/go.html", {"url": url, "amount": amount})


def _may_be_paid(form: TopUpForm) -> bool:
    """Say whether a card may be asked for that, and in the form why not."""
    if not form.is_valid():
        return False
    try:
        check_amount(form.cleaned_data["amount"])
    except TopUpAmountRefused as refused:
        form.add_error("amount", refused.detail)
    return form.is_valid()


@never_cache
@require_safe
@members_only
def card_saved(request: MemberRequest) -> HttpResponse:
    """Take over which card is saved now, and pay by it; the processor's page leads here.

    Only what its owner sent with the form before is paid, once, and by no card but a new one.
    """
    wanted = errand.take(request, ERRAND)
    back_url = adding_url(wanted.get("amount", ""), wanted.get("next", ""))
    payer = Payer.objects.filter(user=request.user).first()
    try:
        cards.refresh(customer=payer.customer if payer else "")
    except GatewayUnreachable:
        messages.info(request, "The card shows here as soon as the card processor answers.")
        return redirect(back_url)
    card = Payer.objects.filter(user=request.user).values_list("card", flat=True).first()
    if not card:
        messages.info(request, "No card was saved.")
        return redirect(back_url)
    messages.success(request, "Your card is saved.")
    form = TopUpForm(wanted)
    if card == wanted.get("card") or not form.is_valid():
        return redirect(back_url)
    try:
        return go_on(request, pay(request, form), wanted["next"])
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(back_url)


@require_POST
@members_only
def remove_card(request: MemberRequest) -> HttpResponse:
    """Forget the card."""
    try:
        cards.remove_card(user_id=request.user.pk)
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, "The card is forgotten, here and at the card processor.")
    return redirect("money")


@require_POST
@members_only
def automatic(request: MemberRequest) -> HttpResponse:
    """Have the card asked by a rule from now on."""
    form = AutoTopUpForm(request.POST)
    if form.is_valid():
        try:
            set_auto_top_up(user_id=request.user.pk, rule=form.rule)
        except Refused as refused:
            form.add_error(None, refused.detail)
        else:
            messages.success(request, "Money is added automatically from now on.")
            return redirect("money")
    return page(request, new_form(request), form)


@require_POST
@members_only
def automatic_off(request: MemberRequest) -> HttpResponse:
    """Have the card asked no more."""
    turn_off(user_id=request.user.pk)
    messages.success(request, "Money is added only when you add it.")
    return redirect("money")


@never_cache
@require_safe
@members_only
def top_up_page(request: MemberRequest, top_up_id: UUID) -> HttpResponse:
    """Show a payment that waits for its owner; the bank's page leads back here."""
    row = TopUp.objects.filter(pk=top_up_id, user=request.user).first()
    if row is None:
        raise Http404("You have no such payment.")
    if row.state == TopUpState.PENDING:
        row = _asked(request, row)
    if row.state == TopUpState.PENDING:
        return render(request, "money/payment.html", {"payment": payment.row(row)})
    return go_on(request, row, errand.take(request, f"payment:{row.pk}").get("next", ""))


def _asked(request: HttpRequest, row: TopUp) -> TopUp:
    """Return the payment as the processor has it now, as far as it answers."""
    try:
        gateway = configured_gateway.get()
        return ask(row, gateway=gateway, now=timezone.now()) if gateway.name == row.gateway else row
    except GatewayUnreachable:
        messages.info(request, "The card processor does not answer; this goes on by itself.")
        return row
