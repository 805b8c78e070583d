"""This will hear that something changed in a host's account, and have it looked at."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from marketplace.payments.stripe_connect import NotStripes, event_account
from marketplace.payouts.actions.look_at_accounts import nudge


@csrf_exempt
@require_POST
def connect_events(request: HttpRequest) -> HttpResponse:
    """Take one event of a connected account, such as account.updated or payout.failed.

    It only says where to look: what an event tells may be old, doubled or out of order, and what
    the processor answers when asked is not.
    """
    secret = settings.STRIPE_CONNECT_WEBHOOK_SECRET
    if not secret:
        return HttpResponse("This site listens to no events.", status=404)
    try:
        reference = event_account(
            body=request.body,
            signature=request.headers.get("Stripe-Signature", ""),
            secret=secret,
        )
    except NotStripes:
        return HttpResponse("This is no signed event of Stripe.", status=400)
    if reference:
        nudge(reference, now=timezone.now())
    return HttpResponse(status=204)
