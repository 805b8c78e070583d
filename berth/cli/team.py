"""This will change who is in a team, and answer invitations."""

from collections.abc import Sequence
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson
from berth.problem import Refused
from berth.teams import Invitation

app = typer.Typer(
    help="Who is in your teams; says TEAM itself, so --team changes nothing.", no_args_is_help=True
)
TeamName = Annotated[str, typer.Argument(metavar="TEAM", help="Its number or name.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="Their address or number.")]
InvitationId = Annotated[str, typer.Argument(metavar="INVITATION", help="How its id begins.")]
ROLES = "owner, manager, member or billing"


@app.command("members")
def members(*, team: TeamName, as_json: AsJson = False) -> None:
    """List who is in a team."""
    with session.client(for_self=True) as client:
        found = client.teams.members(client.teams.find(team).id)
    if as_json:
        output.write_json({"items": found})
        return
    rows = [(str(one.id), one.email, one.role, output.moment(one.since)) for one in found]
    output.table(("PERSON", "~ADDRESS", "ROLE", "SINCE (UTC)"), rows, empty="Nobody is in it.")


@app.command("invitations")
def invitations(
    *,
    team: Annotated[
        str, typer.Argument(metavar="[TEAM]", help="Into it; default: those to you.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List what you are invited into, or a team's open invitations."""
    with session.client(for_self=True) as client:
        teams = client.teams
        found = teams.invitations(teams.find(team).id) if team else teams.invited()
    if as_json:
        output.write_json({"items": found})
        return
    rows = [
        (
            output.short(str(one.id)),
            one.email if team else one.team,
            one.role,
            one.by,
            output.moment(one.expires_at),
        )
        for one in found
    ]
    columns = ("INVITATION", "~TO" if team else "~TEAM", "ROLE", "BY", "UNTIL (UTC)")
    output.table(columns, rows, empty="There are no invitations.")


@app.command("invite")
def invite(
    *,
    team: TeamName,
    email: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whom to write to.")],
    role: Annotated[
        str, typer.Option(metavar="ROLE", help=f"What they may do: {ROLES}.")
    ] = "member",
    as_json: AsJson = False,
) -> None:
    """Invite somebody into a team for a week; it works once, for that address."""
    with session.client(for_self=True) as client:
        made = client.teams.invite(client.teams.find(team).id, email=email, role=role)
    if as_json:
        output.write_json(made)
    else:
        output.say(
            f"{made.email} is invited as {made.role}, until {output.moment(made.expires_at)}."
        )


@app.command("take-back")
def take_back(*, team: TeamName, invitation: InvitationId, as_json: AsJson = False) -> None:
    """Take an invitation back."""
    with session.client(for_self=True) as client:
        team_id = client.teams.find(team).id
        found = _find(client.teams.invitations(team_id), invitation, of_team=f" {team_id}")
        client.teams.take_back(team_id, found.id)
    _done({"id": str(found.id), "taken_back": True}, "It opens nothing any more.", as_json=as_json)


@app.command("role")
def role(
    *,
    team: TeamName,
    person: Person,
    wanted: Annotated[str, typer.Argument(metavar="ROLE", help=f"What they may do: {ROLES}.")],
    as_json: AsJson = False,
) -> None:
    """Give somebody in a team another role."""
    with session.client(for_self=True) as client:
        team_id = client.teams.find(team).id
        found = client.teams.member(team_id, person)
        changed = client.teams.set_role(team_id, found.id, wanted)
    if as_json:
        output.write_json(changed)
    else:
        output.say(f"{changed.email} is {changed.role} now.")


@app.command("remove")
def remove(*, team: TeamName, person: Person, as_json: AsJson = False) -> None:
    """Let somebody go: their keys and web hooks end; renew keys of endpoints that they know."""
    with session.client(for_self=True) as client:
        team_id = client.teams.find(team).id
        found = client.teams.member(team_id, person)
        client.teams.remove(team_id, found.id)
    _done({"id": found.id, "removed": True}, f"{found.email} is out of it.", as_json=as_json)


@app.command("leave")
def leave(*, team: TeamName, as_json: AsJson = False) -> None:
    """Leave a team: your keys and web hooks end; have keys of endpoints that you know renewed."""
    with session.client(for_self=True) as client:
        found = client.teams.find(team)
        client.teams.leave(found.id)
    _done({"id": found.id, "left": True}, f"You left {found.name}.", as_json=as_json)


@app.command("accept")
def accept(*, invitation: InvitationId, as_json: AsJson = False) -> None:
    """Go into the team that you are invited into: berth team invitations."""
    with session.client(for_self=True) as client:
        found = _find(client.teams.invited(), invitation)
        joined = client.teams.accept(found.id)
    if as_json:
        output.write_json(joined)
    else:
        output.say(
            f"You are {joined.role} of {joined.name}. Act for it: berth --team {joined.id} ..."
        )


@app.command("decline")
def decline(*, invitation: InvitationId, as_json: AsJson = False) -> None:
    """End an invitation to you."""
    with session.client(for_self=True) as client:
        found = _find(client.teams.invited(), invitation)
        client.teams.decline(found.id)
    _done({"id": str(found.id), "declined": True}, "It opens nothing any more.", as_json=as_json)


def _find(known: Sequence[Invitation], typed: str, *, of_team: str = "") -> Invitation:
    found = [one for one in known if typed and str(one.id).startswith(typed)]
    if not found:
        see = f"berth team invitations{of_team}"
        raise Refused("not_found", f"There is no invitation {typed!r}. See: {see}")
    if len(found) > 1:
        raise Refused("ambiguous", f"{len(found)} invitations begin with {typed!r}; write more.")
    return found[0]


def _done(told: dict[str, object], sentence: str, *, as_json: bool) -> None:
    if as_json:
        output.write_json(told)
    else:
        output.say(sentence)
