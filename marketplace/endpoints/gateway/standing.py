"""This will remember how one replica has done here, and say how gladly it is asked again."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.endpoints.gateway.routes import Target

#: answers that broke off in a row before others are asked instead: for 2**3 s, doubled by each more
BREAKS_MAX, SHUN_S_MAX = 3, 300.0
#: after the machine took no more streams
CROWDED_S = 1.0


@dataclass(slots=True, eq=False)
class Standing:
    """What is known of one replica. Times without a date are on the loop's clock."""

    target: Target
    renter_id: int
    #: it took a stream at the newest look
    ready: bool = False
    #: looks in a row at which it did not
    misses: int = 0
    outstanding: int = 0
    #: answers in a row that broke off
    breaks: int = 0
    #: others are asked instead until then
    shunned_until: float = 0.0
    #: when it is looked at again
    look_at: float = 0.0
    #: None: it was not yet
    looked_at: datetime | None = None
    #: what the marketplace was told last; None: nothing
    told: bool | None = None
    told_at: float = 0.0

    def load(self, at: float) -> tuple[bool, int]:
        """Return what it has to do; whoever has least is asked."""
        return at < self.shunned_until, self.outstanding

    def took_stream(self, now: datetime) -> None:
        """Note a good look."""
        self.ready, self.looked_at, self.misses = True, now, 0

    def missed(self, now: datetime) -> None:
        """Note that it took no stream."""
        self.ready, self.looked_at, self.misses = False, now, self.misses + 1

    def answered(self) -> None:
        """Note a whole answer."""
        self.breaks, self.shunned_until = 0, 0.0

    def broke(self, at: float) -> None:
        """Note an answer that broke off: whoever breaks all has least to do, and would get most."""
        self.breaks += 1
        if self.breaks >= BREAKS_MAX:
            self.shunned_until = at + min(SHUN_S_MAX, 2.0 ** min(self.breaks, 10))

    def was_crowded(self, at: float) -> None:
        """Note that its machine took no more streams, which is no miss."""
        self.shunned_until = max(self.shunned_until, at + CROWDED_S)
