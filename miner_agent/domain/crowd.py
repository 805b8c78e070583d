"""This will decide who has to leave the door's waiting room, so that no stranger can fill it."""

from collections import Counter
from collections.abc import Sequence

#: connections that are not logged in yet, from everywhere and from one address
WAITING_MOST = 64
WAITING_ADDRESS_MOST = 4
#: logged-in connections of one validator
VISITS_MOST = 4


def leaving(waiting: Sequence[str], *, newcomer: str) -> int | None:
    """Return whose place a connection from ``newcomer`` takes; None where there is room.

    ``waiting`` are the addresses of those who are not logged in yet, oldest first. The oldest of
    the most crowded address leaves: it has had the most time to show a key, and who comes once
    is not in the way.
    """
    counts = Counter(waiting)
    if counts[newcomer] >= WAITING_ADDRESS_MOST:
        return waiting.index(newcomer)
    if len(waiting) < WAITING_MOST:
        return None
    crowded = max(counts.values())
    return next(at for at, address in enumerate(waiting) if counts[address] == crowded)
