"""This will hand a renter the signed intervals of a rental as a file."""

from uuid import UUID

from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from marketplace.metering import queries as metering
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries
from protocol.receipts import BrokenChain, SignedInterval, check_chain


@require_safe
@members_only
def receipts(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Send what the machine signed, in the shape of the API."""
    try:
        rental = queries.find(rental_id, request.user.pk)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    chain = metering.receipts(rental.placement_id)
    body = {
        "machine_key": rental.placement.machine.machine_key,
        "intervals": [signed.model_dump(mode="json") for signed in chain],
        "billed_ms": rental.meter.charged_ms,
        "cost_microusd": rental.meter.charged_microusd,
        "verified": _holds(chain),
    }
    response = JsonResponse(body, json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="receipts-{rental_id}.json"'
    return response


def _holds(chain: tuple[SignedInterval, ...]) -> bool:
    try:
        check_chain(chain)
    except BrokenChain:
        return False
    return True
