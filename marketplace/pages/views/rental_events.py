"""This will show what happened to a rental."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from marketplace.domain.history import Mark, MarkInvalid
from marketplace.pages.shown.moment import Moment
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import events, queries


@require_safe
@members_only
def rental_events(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show what happened to the rental, newest first, page by page."""
    try:
        rental = queries.find(rental_id, request.user.pk)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    asked = request.GET.get("before", "")
    try:
        page = events.events(rental, before=Mark.decode(asked) if asked else None)
    except MarkInvalid:
        return redirect("rental-events", rental_id)
    context = {
        "rental_id": rental_id,
        "short_id": str(rental_id)[:8],
        "title": rental.name or rental.placement.workload["image"],
        "lines": [
            {"at": Moment.of(one.at), "what": one.sentence, "code": one.code, "why": one.reason}
            for one in page.items
        ],
        "older": page.older.encode() if page.older else "",
    }
    return render(request, "rentals/events.html", context)
