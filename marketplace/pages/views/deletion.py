"""This will let people delete their account."""

from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from marketplace.accounts.actions import check_password
from marketplace.accounts.client_address import client_address
from marketplace.domain.problem import Refused
from marketplace.own_data.actions import delete_account
from marketplace.pages.forms.deletion import DeletionForm
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def delete_own_account(request: MemberRequest) -> HttpResponse:
    """Say what is in the way, or ask for the password and delete the account."""
    user, now = request.user, timezone.now()
    form = DeletionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            check_password.check(
                email=user.email,
                password=form.cleaned_data["password"],
                code=form.cleaned_data["code"],
                address=client_address(request),
                now=now,
            )
            delete_account.delete(user_id=user.pk, now=now)
        except Refused as refused:
            form.add_error(None, refused.detail)
        else:
            logout(request)
            return render(request, "account/deleted.html")
    context = {
        "form": form,
        "obstacle": delete_account.obstacle(user),
        "has_password": user.has_usable_password(),
    }
    return render(request, "account/delete.html", context, status=422 if form.errors else 200)
