"""This will let people add and remove the SSH keys that open their rentals."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.accounts import queries
from marketplace.accounts.acting import actor_id
from marketplace.accounts.actions import add_ssh_key, remove_ssh_key
from marketplace.accounts.asked_again import asked_again
from marketplace.domain.problem import Refused
from marketplace.pages.forms.keys import SshKeyForm
from marketplace.pages.visitor import MemberRequest, members_only, onward


@require_http_methods(["GET", "POST"])
@members_only
@asked_again
def keys(request: MemberRequest) -> HttpResponse:
    """Show the keys, or add one."""
    form = SshKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            key = add_ssh_key.add(
                user_id=request.user.pk,
                name=form.cleaned_data["name"],
                public_key=form.cleaned_data["public_key"],
                added_by_id=actor_id(request),
                now=timezone.now(),
            )
        except Refused as refused:
            form.add_error("public_key", refused.detail)
        else:
            messages.success(request, f"{key.name} opens each rental that you start from now on.")
            return redirect(onward(request) or "keys")
    context = {"form": form, "keys": queries.ssh_keys(request.user.pk), "next": onward(request)}
    return render(request, "keys/ssh.html", context, status=422 if form.errors else 200)


@require_POST
@members_only
def remove_key(request: MemberRequest, key_id: UUID) -> HttpResponse:
    """Remove a key; rentals that run keep it."""
    try:
        remove_ssh_key.remove(user_id=request.user.pk, key_id=key_id)
    except remove_ssh_key.SshKeyNotFound as refused:
        raise Http404(refused.detail) from None
    messages.success(request, "The key is gone. Rentals that run already still open to it.")
    return redirect("keys")
