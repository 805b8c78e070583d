"""This will show the bill of a rental."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketplace.pages.shown import bill as shown
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import bills, queries


@require_safe
@members_only
def rental_bill(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show what the rental cost, and what of its time cost nothing and why."""
    try:
        rental = queries.find(rental_id, request.user.pk)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    context = {
        "rental_id": rental_id,
        "title": rental.name or rental.placement.workload["image"],
        "bill": shown.card(bills.bill(rental, now=timezone.now())),
    }
    return render(request, "rentals/bill.html", context)
