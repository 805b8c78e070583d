"""This will find rentals, and show one with what settles a dispute about it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from marketplace.console import rentals as queries
from marketplace.console.actions.end_rental import end_rental, may_end
from marketplace.domain.oversight import Right
from marketplace.domain.placement import PlacementState
from marketplace.pages.shown import console
from marketplace.pages.shown import console_rental as shown
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, identifier, reason, text
from marketplace.pages.views.console.sure import unsure


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
    may = Right.INTERVENE in request.staff.rights and may_end(found.placement)
    return render(request, "console/rental.html", {**shown.page(found), "may_end": may})


@require_POST
@staff_only(Right.INTERVENE)
def rental_end(request: StaffRequest, rental_id: UUID) -> HttpResponse:
    """End one rental."""
    found = queries.find(rental_id)
    if found is None:
        raise Http404("There is no such rental.")
    back = console.rental_url(rental_id)
    told = [
        f"The rental of {found.renter.shown} ends now, and its files are lost.",
        "Nothing after this moment is charged, and what is set aside and not used comes back. A"
        " reservation keeps its discount.",
        "Its renter is told, with your reason. It can’t be taken back.",
    ]
    title = f"End rental {str(rental_id)[:8]}"
    asks = unsure(request, title=title, back=back, told=told, button="End it")
    if asks is not None:
        return asks
    done(
        request,
        lambda: end_rental(
            by=request.staff, rental_id=rental_id, reason=reason(request), now=timezone.now()
        ),
        "It ends now, and its renter is told.",
    )
    return redirect(back)
