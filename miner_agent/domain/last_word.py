"""This will keep GONE a placement's last word: nothing of it is left, and nothing of it unsaid."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from protocol.agent import ObservedPlacement, ObservedState
from protocol.receipts import SignedInterval


def in_order(
    placements: Sequence[ObservedPlacement],
    *,
    sent: Sequence[SignedInterval],
    newest: Mapping[UUID, int],
) -> tuple[ObservedPlacement, ...]:
    """Return the reports of a sync that brings ``sent``, each placement's intervals in order.

    What is gone is COLLECTING while ``newest``, the sequence of its newest unconfirmed interval, is
    not among them: once the marketplace hears GONE it takes no more of it, and nobody is paid.
    """
    brought = {signed.interval.placement_id: signed.interval.sequence for signed in sent}
    return tuple(
        one.model_copy(update={"state": ObservedState.COLLECTING})
        if one.state is ObservedState.GONE
        and brought.get(one.placement_id, -1) < newest.get(one.placement_id, -1)
        else one
        for one in placements
    )
