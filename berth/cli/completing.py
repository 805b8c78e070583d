"""This will complete ids and names of rentals as they are typed; a shell shows no problems."""

import typer

from berth.cli import session
from berth.problem import CannotReach, Refused

#: longer than that nobody waits for a completion
WAIT_S = 3.0


def rentals_beginning(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return how the ids and names of live rentals go on; none where they cannot be asked for."""
    # No command runs, so nothing has read yet for which team it would act.
    session.act_for(str(ctx.find_root().params.get("team") or "").strip())
    try:
        with session.client(deadline_s=WAIT_S) as client:
            found = client.rentals()
    except (Refused, CannotReach, OSError):
        return []
    ids = [one.id[:8] for one in found if one.id.startswith(incomplete)]
    return ids + [one.name for one in found if one.name and one.name.startswith(incomplete)]
