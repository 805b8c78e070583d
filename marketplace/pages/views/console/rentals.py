"""This will find rentals, and show one with what settles a dispute about it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from marketplace.console import rentals as queries
from marketplace.domain.oversight import Right
from marketplace.domain.placement import PlacementState
from marketplace.pages.shown import console
from marketplace.pages.shown import console_rental as shown
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import identifier, text


@require_safe
@staff_only(Right.SEE)
def rentals(request: StaffRequest) -> HttpResponse:
    """Show rentals as asked for."""
    asked = {name: text(request, name) for name in ("q", "image", "state")}
    machine_id = identifier(request, "machine")
    found = queries.rentals(
        begins=asked["q"],
        image=asked["image"],
        state=asked["state"],
        machine_id=machine_id,
        after=identifier(request, "after"),
    )
    named = asked | ({"machine": str(machine_id)} if machine_id else {})
    context = {
        **asked,
        "machine": str(machine_id or ""),
        "states": [state.value for state in PlacementState],
        "rentals": console.rental_lines(found.rentals),
        "more": urlencode(named | {"after": str(found.after)}) if found.after else "",
    }
    return render(request, "console/rentals.html", context)


@require_safe
@staff_only(Right.SEE)
def rental(request: StaffRequest, rental_id: UUID) -> HttpResponse:
    """Show one rental."""
    found = queries.case(rental_id, now=timezone.now())
    if found is None:
        raise Http404("There is no such rental.")
    return render(request, "console/rental.html", shown.page(found))
