"""This will change what a rental bids."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from marketplace.domain.problem import Refused
from marketplace.pages.forms.bid import BidForm
from marketplace.pages.views.rental import own, page
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries
from marketplace.rentals.actions import bid as bidding


@require_POST
@members_only
def bid(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Let the rental bid something else; what comes costs that."""
    form = BidForm(request.POST)
    try:
        if form.is_valid():
            bidding.bid(
                rental_id=rental_id,
                renter_id=request.user.pk,
                bid_microusd=form.cleaned_data["bid"],
                now=timezone.now(),
            )
            messages.success(request, "The rental has its new bid.")
            return redirect("rental", rental_id)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        form.add_error("bid", refused.detail)
    return page(request, own(request, rental_id), bid_form=form)
