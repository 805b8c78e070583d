"""This will hand a renter the signed intervals of a rental as a file."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from uuid import UUID

from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from marketplace.metering import queries as metering
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import bills, queries
from marketplace.watch import in_thread


@require_safe
@members_only
def receipts(request: MemberRequest, rental_id: UUID) -> HttpResponseBase:
    """Send what the machine signed, as `berth receipts --out` saves it."""
    try:
        rental = queries.find(rental_id, request.user.pk)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    about = {
        "machine_key": rental.placement.machine.machine_key,
        "billed_ms": rental.meter.charged_ms,
        "cost_microusd": rental.meter.charged_microusd,
        "periods": [asdict(one) for one in bills.periods(rental.meter)],
        "charges": [
            {"day": one.day.isoformat(), "amount_microusd": one.amount_microusd}
            for one in bills.charges(rental.meter)
        ],
    }
    response = StreamingHttpResponse(
        _document(rental.placement_id, about), content_type="application/json"
    )
    response["Content-Disposition"] = f'attachment; filename="receipts-{rental_id}.json"'
    return response


async def _document(placement_id: UUID, about: Mapping[str, object]) -> AsyncIterator[str]:
    """Yield one JSON document, a page of intervals at a time: a month of them is 130 MB."""
    yield json.dumps(about)[:-1] + ', "intervals": ['
    first: int | None = 0
    while first is not None:
        page = await in_thread(metering.receipts)(placement_id, first=first)
        yield ("," if first else "") + ",".join(
            "\n" + signed.model_dump_json() for signed in page.intervals
        )
        first = page.next_sequence
    yield "\n]}\n"
