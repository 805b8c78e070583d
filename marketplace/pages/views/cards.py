"""This will let a person save a card, confirm a payment, and have their card asked by a rule.

Cards are typed in, and payments confirmed, on pages of the card processor: no card number, and no
script of anybody else's, ever comes to this site.
"""

from datetime import datetime
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.acting import must, note_done
from marketplace.domain.money import field_usd, format_usd
from marketplace.domain.problem import Refused
from marketplace.domain.scope import Scope
from marketplace.pages import errand
from marketplace.pages.forms.top_up import AutoTopUpForm, TopUpForm
from marketplace.pages.shown import payment
from marketplace.pages.views.money import adding_url, cause_of, go_on, new_form, page, pay
from marketplace.pages.visitor import MemberRequest, members_only, onward
from marketplace.payments import configured_gateway
from marketplace.payments import queries as payments
from marketplace.payments.actions import save_card as cards
from marketplace.payments.actions.set_auto_top_up import set_auto_top_up, turn_off
from marketplace.payments.actions.top_up import TopUpAmountRefused, ask, check_amount
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payments.models import Payer, TopUp, TopUpState

#: of an amount that is only shown again
TEXT_MAX = 64
ADDED_MEANWHILE = (
    "Money was added to this account since you left to save your card, so it was not charged."
    " Add more below if you want to."
)


@require_POST
@members_only
def save_card(request: MemberRequest) -> HttpResponse:
    """Lead to the processor's page that saves a card, and keep what is to be paid by it.

    It is a page of ours that leads there, as no form of this site may end on another one.
    """
    form, amount = TopUpForm(request.POST), ""
    told = {"amount": request.POST.get("amount", "")[:TEXT_MAX]}
    if "request_key" in request.POST:
        if not _may_be_paid(form):
            return page(request, form)
        clean = form.cleaned_data
        amount = format_usd(clean["amount"])
        told = {"amount": field_usd(clean["amount"]), "request_key": clean["request_key"]}
    # Each time that somebody leaves has a name: no tab is paid for what another one said.
    name = uuid4().hex
    left_at = timezone.now().isoformat()
    try:
        url = cards.card_page(user_id=request.user.pk, query=f"?e={name}")
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(adding_url(told["amount"], onward(request)))
    card = Payer.objects.values_list("card", flat=True).get(user=request.user)
    told |= {"next": onward(request), "card": card, "left_at": left_at}
    errand.leave(request, f"card:{name}", told)
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
    wanted = _taken(request)
    back_url = _back_url(wanted)
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
    # Who gave up on this tab and added it in another one, or elsewhere, is not charged twice.
    since, own = datetime.fromisoformat(wanted["left_at"]), cause_of(request, form)
    if payments.added_since(request.user.pk, since, but=own):
        messages.info(request, ADDED_MEANWHILE)
        return redirect(back_url)
    try:
        # To look at this page asks for less than to pay.
        must(request, Scope.MONEY_WRITE)
        reply = go_on(request, pay(request, form), wanted["next"])
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(back_url)
    note_done(request, reply)
    return reply


@never_cache
@require_safe
@members_only
def card_cancelled(request: MemberRequest) -> HttpResponse:
    """Forget what was to be paid; the processor's page leads here who saves no card."""
    back_url = _back_url(_taken(request))
    messages.info(request, "You came back without a new card; nothing was paid.")
    return redirect(back_url)


def _taken(request: MemberRequest) -> dict[str, str]:
    return errand.take(request, f"card:{request.GET.get('e', '')}")


def _back_url(wanted: dict[str, str]) -> str:
    return adding_url(wanted.get("amount", ""), wanted.get("next", ""))


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
