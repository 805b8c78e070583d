"""This will bill one interval by itself, by the rules that metering/actions/record.py goes by."""

from datetime import datetime, timedelta

from marketplace.domain.intervals import Bounds, Stretch, behind_open_door, placed


def billable(
    *,
    from_age_ms: int,
    to_age_ms: int,
    age_ms: int | None,
    received_at: datetime,
    nonce_at: datetime | None,
    bounds: Bounds,
) -> Stretch | None:
    """Return the part of one interval that counts, as record.py finds it; None: nothing of it.

    The container's age, told in the same signed request, places the interval in server time: it
    began no later than ``received_at - age_ms``. The newest nonce that the machine held when the
    interval closed proves that it was still running at ``nonce_at``. So whatever the machine's
    clock says, a counted second lies inside its running time.
    """
    if age_ms is None:
        return None
    found = placed(
        from_age_ms=from_age_ms,
        to_age_ms=to_age_ms,
        started_at=received_at - timedelta(milliseconds=age_ms),
        nonce_at=nonce_at,
        bounds=bounds,
    )
    return None if found is None else behind_open_door(found, bounds)
