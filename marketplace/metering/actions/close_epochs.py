"""This will close epochs that are over into records that nobody changes any more."""

from datetime import datetime, timedelta

from marketplace.machines.models import Machine
from marketplace.metering import queries
from marketplace.verification import published
from marketplace.verification.epochs import epoch_at, epoch_record, epoch_times

#: Intervals of the epoch's last minutes are signed, sent, looked at from outside and charged by
#: then, and validators have a full epoch less this to score the record.
CLOSED_AFTER = timedelta(minutes=5)
#: a marketplace that was away for longer leaves a gap: nobody measured anything meanwhile
EPOCHS_LATE_MOST = 20


def close_epochs(*, now: datetime) -> int:
    """Return how many epochs were closed; one that is closed stays as it is."""
    newest_over = epoch_at(now - CLOSED_AFTER) - 1
    first = max(_first_wanted(newest_over), newest_over - EPOCHS_LATE_MOST + 1)
    closed = 0
    for epoch in range(first, newest_over + 1):
        start, end = epoch_times(epoch)
        record = epoch_record(epoch, now=now, doings=queries.doings(start, end))
        closed += published.keep(record, now=now)
    return closed


def _first_wanted(newest_over: int) -> int:
    """Return the epoch after the newest closed one; at first the newest that had a machine."""
    newest = published.newest_closed()
    if newest is not None:
        return newest + 1
    there = Machine.objects.filter(enrolled_at__lt=epoch_times(newest_over)[1]).exists()
    return newest_over if there else newest_over + 1
