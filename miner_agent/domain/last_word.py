"""This will keep GONE and STOPPED last words: of what they end nothing is left unsaid."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from protocol.agent import ObservedPlacement, ObservedState
from protocol.receipts import SignedInterval

#: the last words, and what is said until everything else was
BEFORE = {
    ObservedState.GONE: ObservedState.COLLECTING,
    ObservedState.STOPPED: ObservedState.RUNNING,
}


def in_order(
    placements: Sequence[ObservedPlacement],
    *,
    sent: Sequence[SignedInterval],
    newest: Mapping[UUID, int],
) -> tuple[ObservedPlacement, ...]:
    """Return the reports of a sync that brings ``sent``, each placement's intervals in order.

    What is gone is COLLECTING while ``newest``, the sequence of its newest unconfirmed interval, is
    not among them: once the marketplace hears GONE it takes no more of it, and nobody is paid.
    What is stopped goes on as RUNNING so long: from then on somebody else may have what it had.
    """
    brought = {signed.interval.placement_id: signed.interval.sequence for signed in sent}
    return tuple(
        one.model_copy(update={"state": BEFORE[one.state]})
        if one.state in BEFORE
        and brought.get(one.placement_id, -1) < newest.get(one.placement_id, -1)
        else one
        for one in placements
    )
