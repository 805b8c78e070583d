"""This will let owners take along what is kept about their team, and close it."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts import acting, asked_again, teams
from marketplace.domain.problem import Refused
from marketplace.domain.team import Role
from marketplace.own_data.actions import close_team as closing
from marketplace.own_data.actions import delete_account, export
from marketplace.pages.shown.export import shown
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
@asked_again.asked_again
def close_team(request: MemberRequest, team_id: int) -> HttpResponse:
    """Say what is in the way, or close the team."""
    try:
        by = _owner(request, team_id)
    except Refused as refused:
        return acting.refusal(request, refused.detail)
    if request.method == "POST":
        try:
            closing.close(by_id=by.person.pk, team_id=team_id, now=timezone.now())
        except Refused as refused:
            messages.error(request, refused.detail)
            return redirect("team-close", team_id=team_id)
        if request.session.get(acting.CHOSEN) == team_id:
            acting.choose(request, None)
        messages.success(request, "The team is closed.")
        return redirect("teams")
    context = {"team": by.team, "obstacle": delete_account.obstacle(by.team)}
    return render(request, "teams/close.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
@asked_again.asked_again
def team_data(request: MemberRequest, team_id: int) -> HttpResponse:
    """Show owners the exports of their team, or have one made."""
    now = timezone.now()
    try:
        by = _owner(request, team_id)
    except Refused as refused:
        return acting.refusal(request, refused.detail)
    if request.method == "POST":
        try:
            export.ask(user_id=team_id, now=now)
        except Refused as refused:
            messages.error(request, refused.detail)
        else:
            messages.success(request, "It is being made. The team's owners are told.")
        return redirect("team-data", team_id=team_id)
    exports = shown(export.exports(team_id, now), f"/teams/{team_id}/data/")
    return render(request, "teams/data.html", {"team": by.team, "exports": exports})


@never_cache
@require_safe
@members_only
def team_data_file(request: MemberRequest, team_id: int, export_id: UUID) -> HttpResponse:
    """Hand a team's export out to an owner who shows who they are."""
    asked_again.ask(request)
    try:
        _owner(request, team_id)
        content = export.content(user_id=team_id, export_id=export_id, now=timezone.now())
    except export.ExportUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        return acting.refusal(request, refused.detail)
    reply = HttpResponse(content, content_type="application/zip")
    reply.headers["Content-Disposition"] = 'attachment; filename="berth-team.zip"'
    return reply


def _owner(request: MemberRequest, team_id: int) -> teams.Acting:
    by = teams.acting(request.user.pk, team_id)
    if by.role is not Role.OWNER:
        raise teams.RoleMissing("Only owners do this; ask one of them.")
    return by
