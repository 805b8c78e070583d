"""This will say since when a rental has been idle, by what its machine tells of its use."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from marketplace.domain.usage import Point

AFTER_S_MIN, AFTER_S_MAX = 600, 86_400
#: what lies between two readings beyond this is unknown, and so is no idleness
GAP_MAX = timedelta(seconds=60)
#: thousandths of a core in a percent of one
MILLI_PER_PERCENT = 10


def use_percent(point: Point, *, cpus: int, gpus: int) -> float | None:
    """Return the share of its busiest GPU's time, or without a GPU of its cores'; None: unknown."""
    if not gpus:
        return None if point.cpu_milli is None else point.cpu_milli / (cpus * MILLI_PER_PERCENT)
    told = [gpu.busy_percent for gpu in point.gpus if gpu.busy_percent is not None]
    return float(max(told)) if len(told) == gpus else None


def idle_since(
    points: Sequence[Point],
    *,
    before: datetime | None,
    below_percent: int,
    cpus: int,
    gpus: int,
    now: datetime,
) -> datetime | None:
    """Return since when every reading has been below; None: it is in use, or nobody knows.

    ``points``: the readings that there are, oldest first. ``before``: what was found last; it holds
    on where they begin no later than GAP_MAX after it and none of them is a break.
    """
    since: datetime | None = None
    last: datetime | None = None
    unbroken = True
    for point in points:
        if last is not None and point.at - last > GAP_MAX:
            since, unbroken = None, False
        last = point.at
        used = use_percent(point, cpus=cpus, gpus=gpus)
        if used is None and point is points[0]:
            # A use is what lies between two readings: the first one tells none.
            continue
        if used is None or used >= below_percent:
            since, unbroken = None, False
        elif since is None:
            since = point.at
    if last is None or now - last > GAP_MAX:
        return None
    reaches = before is not None and points[0].at - before <= GAP_MAX
    longer = before is not None and since is not None and before < since
    return before if unbroken and longer and reaches else since
