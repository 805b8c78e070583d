"""This will say which terminals are open and which of them may go on."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from marketplace.domain.placement import PlacementState
from marketplace.domain.terminal import STALE_S
from marketplace.terminals.models import TerminalSession
from protocol.agent import Want


def open_ones(now: datetime) -> QuerySet[TerminalSession]:
    """Return the terminals that are open; one whose process is gone is not."""
    return TerminalSession.objects.filter(
        ended_at=None, seen_at__gt=now - timedelta(seconds=STALE_S)
    )


def of_person(opened: QuerySet[TerminalSession], person_id: int) -> QuerySet[TerminalSession]:
    """Return those of them before which this person sits, for themselves or for a team."""
    return opened.filter(Q(user_id=person_id) | Q(person_id=person_id))


def stale(now: datetime) -> QuerySet[TerminalSession]:
    """Return the terminals that nobody closed and whose process is gone."""
    lost = TerminalSession.objects.filter(
        ended_at=None, seen_at__lte=now - timedelta(seconds=STALE_S)
    )
    return lost.order_by("seen_at", "id")


def renters(session_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Return whose rental each of these is in; those missing may not go on. One query."""
    running = TerminalSession.objects.filter(
        id__in=session_ids,
        ended_at=None,
        rental__forgotten_at=None,
        rental__placement__want=Want.RUN,
        rental__placement__state=PlacementState.RUNNING,
    )
    return dict(running.order_by("id").values_list("id", "rental__renter_id"))
