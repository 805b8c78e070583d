"""This will show hosts their payouts, and let them say how and to whom they are made."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.asked_again import asked_again
from marketplace.domain.problem import Refused
from marketplace.pages.forms.payouts import RouteForm, TaxForm
from marketplace.pages.shown import payouts as shown
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.payouts import queries
from marketplace.payouts.actions.look_at_accounts import nudge
from marketplace.payouts.actions.onboard import onboard
from marketplace.payouts.actions.set_details import choose_route, set_tax_details
from marketplace.payouts.models import Route
from marketplace.payouts.outlook import outlook

CHOSEN = {
    Route.BANK: "You are paid to your bank again, from the next Friday on.",
    Route.CHAIN_ONLY: "Nothing is paid to a bank from now on; what renters pay stays yours here.",
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def payouts(request: MemberRequest) -> HttpResponse:
    """Show the next payout and all before, or take in who the host is."""
    host_id, now = request.user.pk, timezone.now()
    form = TaxForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        set_tax_details(host_id=host_id, details=form.details, now=now)
        messages.success(request, "Your details are kept.")
        return redirect("host-payouts")
    found = outlook(host_id, now=now)
    context = {
        "page": shown.page(found),
        "payouts": [shown.line(payout) for payout in queries.payouts(host_id)],
        "form": form,
        "test_payments": settings.TEST_PAYMENTS,
    }
    return render(request, "host/payouts.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@members_only
@asked_again
def route(request: MemberRequest) -> HttpResponse:
    """Let the host choose between a bank and the chain alone."""
    if request.method != "POST":
        return redirect("host-payouts")
    form = RouteForm(request.POST)
    if form.is_valid():
        chosen = Route(form.cleaned_data["route"])
        choose_route(host_id=request.user.pk, route=chosen, now=timezone.now())
        messages.success(request, CHOSEN[chosen])
    else:
        messages.error(request, "Choose payouts to a bank, or emission on chain only.")
    return redirect("host-payouts")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
@asked_again
def start_onboarding(request: MemberRequest) -> HttpResponse:
    """Show the way to the processor; browsers let no form lead to another site by itself."""
    if request.method != "POST":
        # Who was asked for the password, and loads the page anew, comes by this address.
        return redirect("host-payouts")
    back = f"{settings.PUBLIC_URL}/host/payouts/back"
    try:
        url = onboard(host_id=request.user.pk, return_url=back, retry_url=back, now=timezone.now())
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("host-payouts")
    if url.startswith(f"{settings.PUBLIC_URL}/"):
        return redirect("host-payouts-back")
    return render(request, "host/onboarding.html", {"url": url})


@require_safe
@members_only
def onboarded(request: MemberRequest) -> HttpResponse:
    """Have the account looked at, now that its host is back."""
    account = queries.open_account(request.user.pk)
    if account is not None and account.reference:
        nudge(account.reference, now=timezone.now())
        messages.info(request, "Your account is being looked at; this page says how it is.")
    return redirect("host-payouts")
