"""This will show one team to who is in it: its people, invitations and what was done."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from marketplace.accounts import acting, asked_again, teams
from marketplace.accounts.actions import invite, make_team
from marketplace.domain.problem import Refused
from marketplace.domain.team import MEANING, Role
from marketplace.pages.forms.teams import InviteForm, TeamForm
from marketplace.pages.shown import team as shown
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals.actions import let_go

Act = Callable[..., object]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
@asked_again.asked_again
def team(request: MemberRequest, team_id: int) -> HttpResponse:
    """Show the team, or invite somebody into it."""
    now = timezone.now()
    try:
        by = teams.acting(request.user.pk, team_id)
    except teams.TeamUnknown as refused:
        return acting.refusal(request, refused.detail)
    given = shown.given(by.role)
    form = InviteForm(request.POST if request.method == "POST" else None, given=given)
    if request.method == "POST" and form.is_valid():
        try:
            made = invite.invite(by_id=by.person.pk, team_id=team_id, now=now, **form.cleaned_data)
        except Refused as refused:
            form.add_error("email", refused.detail)
        else:
            messages.success(request, f"{made.email} is invited, for a week.")
            return redirect("team", team_id=team_id)
    found = teams.members(team_id)
    owners = [one for one in found if one.role == Role.OWNER]
    context = {
        "team": by.team,
        "role": by.role.value,
        "meaning": MEANING[by.role],
        "is_owner": by.role is Role.OWNER,
        "given": given,
        "people": shown.people(found, by),
        "invitations": [
            (shown.invitation(one), teams.link_token(one))
            for one in (teams.invitations_of(team_id, now) if given else ())
        ],
        "form": form,
        "name_form": TeamForm(initial={"name": by.team.team_name}),
        "chosen": request.session.get(acting.CHOSEN) == team_id,
        "only_owner": by.role is Role.OWNER and len(owners) == 1,
    }
    return render(request, "teams/team.html", context, status=422 if form.errors else 200)


@require_safe
@members_only
def team_log(request: MemberRequest, team_id: int) -> HttpResponse:
    """Show owners what was done in the team and in its name."""
    try:
        by = teams.acting(request.user.pk, team_id)
        if by.role is not Role.OWNER:
            raise teams.RoleMissing("Only owners read what was done; ask one of them.")
    except Refused as refused:
        return acting.refusal(request, refused.detail)
    asked = request.GET.get("before", "")
    before = int(asked) if asked.isdecimal() and len(asked) < 19 else None
    page = teams.events(team_id, before=before)
    lines = [shown.done(one) for one in page.items]
    return render(request, "teams/log.html", {"team": by.team, "lines": lines, "older": page.older})


@require_POST
@members_only
@asked_again.asked_again
def rename(request: MemberRequest, team_id: int) -> HttpResponse:
    """Call the team something else."""
    act = partial(make_team.rename, name=request.POST.get("name", ""))
    return _do(request, team_id, act, "The team has its new name.")


@require_POST
@members_only
@asked_again.asked_again
def set_role(request: MemberRequest, team_id: int, person_id: int) -> HttpResponse:
    """Give somebody in it another role."""
    wanted = request.POST.get("role", "")
    if wanted not in {role.value for role in Role}:
        messages.error(request, "There is no such role.")
        return redirect("team", team_id=team_id)
    act = partial(let_go.set_role, person_id=person_id, role=Role(wanted))
    return _do(request, team_id, act, "The role is set.")


@require_POST
@members_only
@asked_again.asked_again
def remove(request: MemberRequest, team_id: int, person_id: int) -> HttpResponse:
    """Let somebody go."""
    act = partial(let_go.let_go, person_id=person_id)
    told = (
        "They are no longer in the team: their keys and web hooks end."
        " Renew keys of endpoints that they know."
    )
    return _do(request, team_id, act, told)


@require_POST
@members_only
def leave(request: MemberRequest, team_id: int) -> HttpResponse:
    """Leave the team."""
    person_id = request.user.pk
    try:
        let_go.let_go(by_id=person_id, team_id=team_id, person_id=person_id, now=timezone.now())
    except teams.TeamUnknown as refused:
        return acting.refusal(request, refused.detail)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("team", team_id=team_id)
    if request.session.get(acting.CHOSEN) == team_id:
        acting.choose(request, None)
    messages.success(request, "You left the team.")
    return redirect("teams")


@require_POST
@members_only
def take_back(request: MemberRequest, team_id: int, invitation_id: UUID) -> HttpResponse:
    """End an invitation."""
    act = partial(invite.take_back, invitation_id=invitation_id)
    return _do(request, team_id, act, "The invitation opens nothing any more.")


def _do(request: MemberRequest, team_id: int, act: Act, told: str) -> HttpResponse:
    try:
        act(by_id=request.user.pk, team_id=team_id, now=timezone.now())
    except (teams.TeamUnknown, teams.RoleMissing) as refused:
        return acting.refusal(request, refused.detail)
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, told)
    return redirect("team", team_id=team_id)
