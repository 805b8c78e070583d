"""This will let people take along all that is kept about them."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts import asked_again
from marketplace.domain.problem import Refused
from marketplace.own_data.actions import export
from marketplace.pages.shown.export import shown
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
@asked_again.asked_again
def own_data(request: MemberRequest) -> HttpResponse:
    """Show the exports, or have one made."""
    user_id, now = request.user.pk, timezone.now()
    if request.method == "POST":
        try:
            export.ask(user_id=user_id, now=now)
        except Refused as refused:
            messages.error(request, refused.detail)
        else:
            messages.success(request, "It is being made. You are told when it is ready.")
        return redirect("own-data")
    found = shown(export.exports(user_id, now), "/accounts/data/")
    return render(request, "account/data.html", {"exports": found})


@never_cache
@require_safe
@members_only
def own_data_file(request: MemberRequest, export_id: UUID) -> HttpResponse:
    """Hand an export out to whoever shows that it is theirs."""
    asked_again.ask(request)
    now = timezone.now()
    try:
        content = export.content(user_id=request.user.pk, export_id=export_id, now=now)
    except export.ExportUnknown as refused:
        raise Http404(refused.detail) from None
    reply = HttpResponse(content, content_type="application/zip")
    reply.headers["Content-Disposition"] = 'attachment; filename="berth-data.zip"'
    return reply
