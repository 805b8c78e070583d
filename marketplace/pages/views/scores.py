"""This will show what every machine scored in an epoch, and how anyone can check it."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from marketplace.pages.shown import score
from marketplace.verification import published
from marketplace.verification.epochs import epoch_at

#: of a closed epoch's page for visitors: reports on it may still come
CACHED_S = 60


@require_safe
def newest_scores(request: HttpRequest) -> HttpResponse:
    """Lead to the newest closed epoch; before one is closed, to the one that goes on."""
    newest = published.newest_closed()
    return redirect(f"/scores/{epoch_at(timezone.now()) if newest is None else newest}/")


@require_safe
def scores(request: HttpRequest, epoch: int) -> HttpResponse:
    """Show one epoch: its miners, its machines, each factor, and who signed it."""
    present = epoch_at(timezone.now())
    if epoch > present:
        raise Http404("This epoch has not begun.")
    try:
        found = published.scores_of(epoch, cursor=request.GET.get("cursor", ""))
    except published.PlaceInvalid:
        return redirect(f"/scores/{epoch}/")
    except published.EpochUnknown as unknown:
        if epoch < present:
            raise Http404(unknown.detail) from None
        return render(request, "scores/none.html", {"epoch": epoch})
    response = render(request, "scores/epoch.html", {"page": score.page(found)})
    # The header names whoever is logged in.
    if found.closed is not None and not request.user.is_authenticated:
        patch_cache_control(response, public=True, max_age=CACHED_S)
    return response
