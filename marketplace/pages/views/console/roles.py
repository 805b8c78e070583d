"""This will show who works for the site, and give and take their roles."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from marketplace.console import queries
from marketplace.console.actions.set_roles import set_roles
from marketplace.domain.oversight import MEANING, Right
from marketplace.domain.problem import Refused
from marketplace.pages.forms.console import RolesForm
from marketplace.pages.staff import StaffRequest, staff_only


@require_http_methods(["GET", "POST"])
@staff_only(Right.ROLES)
def roles(request: StaffRequest) -> HttpResponse:
    """Show staff with their roles, or set those of one person."""
    form = RolesForm(request.POST or None, initial={"email": request.GET.get("email", "")})
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        try:
            user = set_roles(by=request.staff, now=timezone.now(), **wanted)
        except Refused as refused:
            form.add_error("email", refused.detail)
        else:
            messages.success(request, f"The roles of {user.email} are as you set them.")
            return redirect("console-roles")
    people = [
        {
            "email": person.email,
            "roles": [each.role for each in person.staff_roles.all()],
            "by_server": person.is_superuser,
        }
        for person in queries.staff_people()
    ]
    context = {
        "tab": "roles",
        "form": form,
        "people": people,
        "meanings": [(role.value, words) for role, words in MEANING.items()],
    }
    return render(request, "console/roles.html", context, status=422 if form.errors else 200)
