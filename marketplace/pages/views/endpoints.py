"""This will show a renter's endpoints, and change or delete one; terminal and API make them."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.endpoints import queries
from marketplace.endpoints.actions.delete import delete
from marketplace.endpoints.actions.dismiss import ReplicaUnknown, dismiss
from marketplace.endpoints.actions.scale import scale
from marketplace.pages.forms.scale import ScaleForm
from marketplace.pages.shown import endpoint
from marketplace.pages.visitor import MemberRequest, members_only


@require_safe
@members_only
def endpoints(request: MemberRequest) -> HttpResponse:
    """Show the endpoints with their replicas and addresses."""
    cards = [endpoint.card(view) for view in queries.views(request.user.pk)]
    return render(request, "endpoints/list.html", {"endpoints": cards})


@require_POST
@members_only
def scale_endpoint(request: MemberRequest, endpoint_id: UUID) -> HttpResponse:
    """Want another number of replicas."""
    form = ScaleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose how many replicas from the list.")
        return redirect("endpoints")
    try:
        scale(
            endpoint_id=endpoint_id,
            renter_id=request.user.pk,
            replicas=form.cleaned_data["replicas"],
            price_hour_microusd_max=None,
            now=timezone.now(),
        )
    except queries.EndpointUnknown as refused:
        raise Http404(refused.detail) from None
    return redirect("endpoints")


@require_POST
@members_only
def dismiss_replica(request: MemberRequest, endpoint_id: UUID, placement_id: UUID) -> HttpResponse:
    """End a replica and keep its endpoint off its machine."""
    try:
        dismiss(
            endpoint_id=endpoint_id,
            placement_id=placement_id,
            renter_id=request.user.pk,
            now=timezone.now(),
        )
    except (queries.EndpointUnknown, ReplicaUnknown) as refused:
        raise Http404(refused.detail) from None
    messages.success(request, "The replica is ending; none begins on its machine any more.")
    return redirect("endpoints")


@require_POST
@members_only
def delete_endpoint(request: MemberRequest, endpoint_id: UUID) -> HttpResponse:
    """Delete an endpoint and end its replicas."""
    try:
        delete(endpoint_id=endpoint_id, renter_id=request.user.pk, now=timezone.now())
    except queries.EndpointUnknown as refused:
        raise Http404(refused.detail) from None
    messages.success(request, "The endpoint is deleted; its replicas are ending.")
    return redirect("endpoints")
