"""This will show people their teams, let them make one, and choose for whom they act."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.accounts import acting, teams
from marketplace.accounts.actions import answer_invitation, make_team
from marketplace.domain.problem import Refused
from marketplace.pages.forms.teams import TeamForm
from marketplace.pages.shown import team as shown
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def all_teams(request: MemberRequest) -> HttpResponse:
    """Show the teams and what one is invited into, or make a team."""
    now, person_id = timezone.now(), request.user.pk
    form = TeamForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = make_team.make(person_id=person_id, name=form.cleaned_data["name"], now=now)
        except Refused as refused:
            form.add_error("name", refused.detail)
        else:
            messages.success(request, f"{made.team_name} is there. Invite whom it is for.")
            return redirect("team", team_id=made.pk)
    chosen = request.session.get(acting.CHOSEN)
    context = {
        "form": form,
        "teams": [shown.line(one, chosen) for one in teams.teams(person_id)],
        "invitations": [shown.invitation(one) for one in teams.invitations_to(person_id, now)],
    }
    return render(request, "teams/list.html", context, status=422 if form.errors else 200)


@require_POST
@members_only
def act_for(request: MemberRequest) -> HttpResponse:
    """Act for a team from now on, or for oneself."""
    wanted = request.POST.get("team", "")
    if not wanted:
        acting.choose(request, None)
        messages.success(request, "You act for yourself again.")
        return redirect("teams")
    try:
        found = teams.acting(request.user.pk, int(wanted) if wanted.isdecimal() else 0)
    except (teams.TeamUnknown, OverflowError):
        return acting.refusal(request, teams.TeamUnknown.sentence)
    acting.choose(request, found.team)
    messages.success(request, f"You act for {found.team.team_name} now, as {found.role.value}.")
    return redirect("rentals" if found.may_rent else "money")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def join(request: MemberRequest, token: str) -> HttpResponse:
    """Show what a letter's link leads to, and let them in who were invited."""
    now, person_id = timezone.now(), request.user.pk
    invitation_id = teams.invitation_by_link(token)
    try:
        if invitation_id is None:
            raise teams.InvitationUnknown
        found = teams.invitation_to(person_id, invitation_id, now)
    except teams.InvitationUnknown as refused:
        return render(request, "teams/join.html", {"sentence": refused.detail}, status=404)
    if request.method == "POST":
        return answer(request, invitation_id=found.pk)
    return render(request, "teams/join.html", {"invitation": shown.invitation(found)})


@require_POST
@members_only
def answer_one(request: MemberRequest, invitation_id: UUID) -> HttpResponse:
    """Join, or decline, by the list of one's own invitations."""
    return answer(request, invitation_id=invitation_id)


def answer(request: MemberRequest, *, invitation_id: UUID) -> HttpResponse:
    """Do what the form says of an invitation."""
    now, person_id = timezone.now(), request.user.pk
    try:
        if request.POST.get("answer") == "decline":
            answer_invitation.decline(person_id=person_id, invitation_id=invitation_id, now=now)
            messages.success(request, "You declined; nobody is told.")
            return redirect("teams")
        made = answer_invitation.join(person_id=person_id, invitation_id=invitation_id, now=now)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("teams")
    messages.success(request, f"You are in {made.team.team_name} now, as {made.role}.")
    return redirect("team", team_id=made.team_id)
