"""This will let people delete their account."""

from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from marketplace.accounts import second_step
from marketplace.accounts.actions import check_password
from marketplace.accounts.asked_again import ask
from marketplace.accounts.client_address import client_address
from marketplace.domain.problem import Refused
from marketplace.own_data.actions import delete_account
from marketplace.pages.forms.deletion import DeletionForm, SureForm
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def delete_own_account(request: MemberRequest) -> HttpResponse:
    """Say what is in the way, or ask who they are and delete the account."""
    user, now = request.user, timezone.now()
    # A passkey, or a log-in elsewhere, is asked for on a page of its own.
    is_asked_here = user.has_usable_password() and not second_step.has_no_codes(user)
    form_of = DeletionForm if is_asked_here else SureForm
    form = form_of(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        if not is_asked_here:
            ask(request)
        try:
            if is_asked_here:
                _check(request, form)
            delete_account.delete(user_id=user.pk, now=now)
        except Refused as refused:
            form.add_error(None, refused.detail)
        else:
            logout(request)
            return render(request, "account/deleted.html")
    context = {
        "form": form,
        "obstacle": delete_account.obstacle(user),
    }
    return render(request, "account/delete.html", context, status=422 if form.errors else 200)


def _check(request: MemberRequest, form: SureForm) -> None:
    check_password.check(
        email=request.user.email,
        password=form.cleaned_data["password"],
        code=form.cleaned_data["code"],
        address=client_address(request),
        now=timezone.now(),
    )
