"""This will let people add, test and remove the web hooks that their notices are sent to."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.accounts.acting import actor_id
from marketplace.accounts.asked_again import asked_again
from marketplace.domain.problem import Refused
from marketplace.notices import queries
from marketplace.notices.actions import add_hook, send_test
from marketplace.notices.actions.rotate_secret import rotate
from marketplace.pages.forms.web_hook import WebHookForm
from marketplace.pages.shown import notice
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "POST"])
@members_only
@asked_again
def web_hooks(request: MemberRequest) -> HttpResponse:
    """Show the hooks, or add one and show its secret this once."""
    form = WebHookForm(request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        url, now = form.cleaned_data["url"], timezone.now()
        try:
            made = add_hook.add(
                user_id=request.user.pk, url=url, made_by_id=actor_id(request), now=now
            )
            secret = made.secret
        except Refused as refused:
            form.add_error("url", refused.detail)
        else:
            form = WebHookForm()
    return _page(request, form, secret)


@never_cache
@require_http_methods(["GET", "POST"])
@members_only
@asked_again
def rotate_secret(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    """Give a hook a new secret and show it this once."""
    if request.method != "POST":
        # Whoever loads the answer to their password again comes by here.
        return redirect("web-hooks")
    try:
        made = rotate(user_id=request.user.pk, hook_id=hook_id, now=timezone.now())
    except queries.WebHookUnknown as refused:
        raise Http404(refused.detail) from None
    return _page(request, WebHookForm(), made.secret, rotated=True)


@require_POST
@members_only
def test_hook(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    """Send an event that is about nothing."""
    send = partial(
        send_test.send_test, user_id=request.user.pk, hook_id=hook_id, now=timezone.now()
    )
    return _done(request, send, "The test is on its way; load this page again in a moment.")


@require_POST
@members_only
def turn_hook_on(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    """Send notices there again."""
    turn_on = partial(
        add_hook.turn_on,
        user_id=request.user.pk,
        hook_id=hook_id,
        made_by_id=actor_id(request),
    )
    return _done(request, turn_on, "It is on again, from your next notice on.")


@require_POST
@members_only
def remove_hook(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    """Send nothing there any more."""
    remove = partial(add_hook.remove, user_id=request.user.pk, hook_id=hook_id)
    return _done(request, remove, "Nothing is sent there any more.")


def _page(
    request: MemberRequest, form: WebHookForm, secret: str, *, rotated: bool = False
) -> HttpResponse:
    now = timezone.now()
    context = {
        "form": form,
        "hooks": [notice.hook_line(hook, now) for hook in queries.hooks(request.user.pk)],
        "secret": secret,
        "rotated": rotated,
    }
    return render(request, "notices/hooks.html", context, status=422 if form.errors else 200)


def _done(request: MemberRequest, act: Callable[[], object], sentence: str) -> HttpResponse:
    try:
        act()
    except queries.WebHookUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, sentence)
    return redirect("web-hooks")
