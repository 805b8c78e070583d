"""This will write down what somebody did in a team or in its name, and forget it in time."""

from datetime import datetime, timedelta

from django.db.models import Count

from marketplace.accounts.models import TeamEvent

KEPT_FOR = timedelta(days=400)
#: of one team; a program that never rests fills no disk
KEPT_MAX = 20_000
TEAMS_MAX = 100


def note(
    *,
    team_id: int,
    by_id: int,
    kind: str,
    now: datetime,
    whom_id: int | None = None,
    about: str = "",
) -> None:
    """Write it down, in the caller's transaction where there is one."""
    TeamEvent.objects.create(
        team_id=team_id, by_id=by_id, kind=kind, whom_id=whom_id, about=about[:200], at=now
    )


def forget_team_events(*, now: datetime) -> int:
    """Return how many were dropped: the old, and the oldest of a team that has very many."""
    dropped, _ = TeamEvent.objects.filter(at__lte=now - KEPT_FOR).delete()
    # Who came, went and got which role is never pushed out by what somebody did since.
    did = TeamEvent.objects.filter(kind__in=("did", "terminal"))
    full = did.order_by("team_id").values("team_id").annotate(rows=Count("id"))
    for one in full.filter(rows__gt=KEPT_MAX)[:TEAMS_MAX]:
        mine = did.filter(team_id=one["team_id"])
        last = mine.order_by("-id").values_list("id", flat=True)[KEPT_MAX]
        dropped += mine.filter(pk__lte=last).delete()[0]
    return dropped
