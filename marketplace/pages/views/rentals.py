"""This will list a renter's rentals."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.accounts import queries as accounts
from marketplace.ledger import queries as ledger
from marketplace.pages.shown import rental
from marketplace.pages.shown.start import start
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries


@require_safe
@vary_on_headers("HX-Request")
@members_only
def rentals(request: MemberRequest) -> HttpResponse:
    """Show what runs first, then what ended, the newest of it or a page of what is older."""
    after = _after(request)
    ended = _page(request, live=False, after=after)
    live = _page(request, live=True) if after is None else queries.Views((), None)
    context: dict[str, object] = {
        "live": [rental.panel(view) for view in live.items],
        "live_cut": live.next_id is not None,
        "ended": [rental.panel(view) for view in ended.items],
        "older": ended.next_id,
    }
    if not live.items and not ended.items and after is None:
        keys = len(accounts.ssh_keys(request.user.pk))
        context["start"] = start(keys=keys, balance_microusd=ledger.balance(request.user.pk))
    if getattr(request, "htmx", None):
        return render(request, "rentals/_list.html", context)
    context["asked_for_proof"] = accounts.is_asked_for_proof(request.user)
    return render(request, "rentals/list.html", context)


def _after(request: MemberRequest) -> UUID | None:
    """Return the rental that the page begins behind; None: it begins at the newest."""
    try:
        return UUID(request.GET.get("after", ""))
    except ValueError:
        return None


def _page(request: MemberRequest, *, live: bool, after: UUID | None = None) -> queries.Views:
    try:
        return queries.views(request.user.pk, live=live, after=after, now=timezone.now())
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
