"""This will let more traffic of a rental be charged."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from marketplace.domain.problem import Refused
from marketplace.pages.forms.traffic import TrafficForm
from marketplace.pages.views.rental import own, page
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries
from marketplace.rentals.actions.allow_traffic import allow_traffic


@require_POST
@members_only
def traffic(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Allow so much in all; the money for it is set aside at once."""
    form = TrafficForm(request.POST)
    try:
        if form.is_valid():
            allow_traffic(
                rental_id=rental_id,
                renter_id=request.user.pk,
                traffic_bytes_max=form.traffic_bytes(),
                now=timezone.now(),
            )
            messages.success(request, "So much traffic may be charged from now on.")
            return redirect("rental", rental_id)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        form.add_error("traffic_gb", refused.detail)
    return page(request, own(request, rental_id), traffic_form=form)
