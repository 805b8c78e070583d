"""This will let people issue and revoke the keys that their programs use."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.accounts import queries
from marketplace.accounts.acting import actor_id
from marketplace.accounts.actions import issue_api_key, revoke_api_key
from marketplace.accounts.asked_again import asked_again
from marketplace.domain.problem import Refused
from marketplace.pages.forms.keys import ApiKeyForm
from marketplace.pages.shown import limits
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "POST"])
@members_only
@asked_again
def api_keys(request: MemberRequest) -> HttpResponse:
    """Show the keys, or issue one and show it this once."""
    form = ApiKeyForm(request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        try:
            wanted, now = form.cleaned_data, timezone.now()
            days = wanted["lasts_days"]
            secret = issue_api_key.issue(
                user_id=request.user.pk,
                made_by_id=actor_id(request),
                name=wanted["name"],
                spend_limit_microusd=wanted["spend_limit"],
                scopes=wanted["scopes"],
                expires_at=now + timedelta(days=days) if days else None,
                now=now,
            ).secret
        except Refused as refused:
            form.add_error(None, refused.detail)
        else:
            form = ApiKeyForm()
    now = timezone.now()
    keys = [
        (key, limits.of_key(key), key.has_ended(now)) for key in queries.api_keys(request.user.pk)
    ]
    context = {"form": form, "keys": keys, "secret": secret}
    return render(request, "keys/api.html", context, status=422 if form.errors else 200)


@require_POST
@members_only
def revoke_key(request: MemberRequest, key_id: UUID) -> HttpResponse:
    """Refuse the key from now on."""
    try:
        revoke_api_key.revoke(user_id=request.user.pk, key_id=key_id, now=timezone.now())
    except revoke_api_key.ApiKeyNotFound as refused:
        raise Http404(refused.detail) from None
    messages.success(request, "The key opens nothing any more.")
    return redirect("api-keys")
