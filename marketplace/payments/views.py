"""This will take in what the card processor tells us."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from marketplace.payments.actions.receive_event import receive_event
from marketplace.payments.card_processor import SignatureRefused
from marketplace.payments.configured_gateway import PaymentsUnavailable


@csrf_exempt
@require_POST
def card_events(request: HttpRequest) -> HttpResponse:
    """Keep a signed event and say so at once; a pass looks into it."""
    signature = request.headers.get("Stripe-Signature", "")
    try:
        receive_event(payload=request.body, signature=signature, now=timezone.now())
    except SignatureRefused:
        return HttpResponse("Not signed by our card processor just now.\n", status=400)
    except PaymentsUnavailable as refused:
        return HttpResponse(f"{refused.detail}\n", status=refused.status)
    return HttpResponse(status=204)
