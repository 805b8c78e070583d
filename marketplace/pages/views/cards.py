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

from marketplace.domain.problem import Refused
from marketplace.pages.forms.top_up import AutoTopUpForm
from marketplace.pages.shown import payment
from marketplace.pages.views.money import new_form, page, tell
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.payments import configured_gateway
from marketplace.payments.actions import save_card as cards
from marketplace.payments.actions.set_auto_top_up import set_auto_top_up, turn_off
from marketplace.payments.actions.top_up import ask
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import Payer, TopUp, TopUpState


@require_POST
@members_only
def save_card(request: MemberRequest) -> HttpResponse:
    """Lead to the processor's page that saves a card.

    It is a page of ours that leads there, as no form of this site may end on another one.
    """
    try:
        url = cards.card_page(user_id=request.user.pk)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("money")
    return render(request, "money/go.html", {"url": url})


@require_safe
@members_only
def card_saved(request: MemberRequest) -> HttpResponse:
    """Take over which card is saved now; the processor's page leads here."""
    payer = Payer.objects.filter(user=request.user).first()
    try:
        cards.refresh(customer=payer.customer if payer else "")
    except GatewayUnreachable:
        messages.info(request, "The card shows here as soon as the card processor answers.")
        return redirect("money")
    if Payer.objects.filter(user=request.user).exclude(card="").exists():
        messages.success(request, "Your card is saved.")
    else:
        messages.info(request, "No card was saved.")
    return redirect("money")


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
    tell(request, row)
    return redirect("money")


def _asked(request: HttpRequest, row: TopUp) -> TopUp:
    """Return the payment as the processor has it now, as far as it answers."""
    try:
        gateway = configured_gateway.get()
        return ask(row, gateway=gateway, now=timezone.now()) if gateway.name == row.gateway else row
    except GatewayUnreachable:
        messages.info(request, "The card processor does not answer; this goes on by itself.")
        return row
