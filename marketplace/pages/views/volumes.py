"""This will list a renter's volumes and delete one."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.domain.problem import Refused
from marketplace.pages.shown import volume
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.volumes import queries
from marketplace.volumes.actions.delete import delete


@require_safe
@members_only
def volumes(request: MemberRequest) -> HttpResponse:
    """Show the volumes, each with its machine."""
    found = [volume.line(one) for one in queries.of_renter(request.user.pk)]
    return render(request, "rentals/volumes.html", {"volumes": found})


@require_POST
@members_only
def delete_volume(request: MemberRequest, volume_id: UUID) -> HttpResponse:
    """Delete a volume and everything in it."""
    try:
        gone = delete(volume_id=volume_id, renter_id=request.user.pk, now=timezone.now())
    except queries.VolumeUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, f"Volume {gone.name} is being deleted.")
    return redirect("volumes")
