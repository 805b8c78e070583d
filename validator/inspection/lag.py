"""This will tell how late this program's own loop was while it timed a machine."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

#: a loop as late as this spoils what was timed. Source: gpu_verification.md 5.3
LAG_S_MAX = 0.02
#: so often the loop is asked whether it turns, while anything is timed
TICK_S = 0.01


class Lag:
    """How late the loop was, at worst, since this was made."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    @property
    def is_too_much(self) -> bool:
        """Say whether what was timed meanwhile may be wrong by our own fault."""
        return self.worst_s > LAG_S_MAX


@contextmanager
def watched() -> Iterator[Lag]:
    """Yield what tells how late the loop is while the context lasts."""
    loop = asyncio.get_running_loop()
    lag = Lag()
    #: the one that is pending
    timers: list[asyncio.TimerHandle] = []

    def look() -> None:
        if timers:
            lag.worst_s = max(lag.worst_s, loop.time() - timers.pop().when())
        timers.append(loop.call_later(TICK_S, look))

    look()
    try:
        yield lag
    finally:
        last = timers.pop()
        last.cancel()
        lag.worst_s = max(lag.worst_s, loop.time() - last.when())
