"""This will be where staff begin: what waits for them."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.domain.oversight import Right
from marketplace.pages.staff import StaffRequest, staff_only


@require_safe
@staff_only(Right.SEE)
def console(request: StaffRequest) -> HttpResponse:
    """Show what somebody has to decide."""
    roles = sorted(role.value for role in request.staff.roles)
    return render(request, "console/home.html", {"tab": "home", "roles": roles})
