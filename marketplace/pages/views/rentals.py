"""This will list a renter's rentals."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.pages.shown import rental
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries


@require_safe
@vary_on_headers("HX-Request")
@members_only
def rentals(request: MemberRequest) -> HttpResponse:
    """Show what runs first, then what ended."""
    found = queries.views(request.user.pk, live=False, now=timezone.now())
    panels = [rental.panel(view) for view in found]
    context = {
        "live": [panel for panel in panels if panel.live],
        "ended": [panel for panel in panels if not panel.live],
    }
    template = "rentals/_list.html" if getattr(request, "htmx", None) else "rentals/list.html"
    return render(request, template, context)
