"""This will note what a gateway saw of replicas: from then on they answer, or do not."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from marketplace.endpoints import queries
from marketplace.endpoints.models import Gateway
from marketplace.placements.actions.note_looks import Look, note_looks


def tell_looks(*, looks: Sequence[Look], blind: bool, process: UUID, now: datetime) -> bool:
    """Return whether these looks count.

    Where there are several gateways only the eldest one's do, and of two with one key only the
    ``process``'s that has it: two that see different things would have a replica come and go.
    ``blind``: it sees nothing at all, so its misses end no replica;
    and yet they prove no second, or a host with several machines would be paid for shut ports.
    """
    teller = queries.telling_gateway(now)
    if teller is None or teller.process != process:
        return False
    if blind:
        Gateway.objects.filter(id=teller.id).update(blind_at=now)
    note_looks(looks=looks, blind=blind, now=now)
    return True
