"""This will list a renter's rentals."""

from django.http import HttpResponse
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
    """Show what runs first, then what ended."""
    found = queries.views(request.user.pk, live=False, now=timezone.now())
    panels = [rental.panel(view) for view in found]
    context: dict[str, object] = {
        "live": [panel for panel in panels if panel.live],
        "ended": [panel for panel in panels if not panel.live],
    }
    if not panels:
        keys = len(accounts.ssh_keys(request.user.pk))
        context["start"] = start(keys=keys, balance_microusd=ledger.balance(request.user.pk))
    template = "rentals/_list.html" if getattr(request, "htmx", None) else "rentals/list.html"
    return render(request, template, context)
