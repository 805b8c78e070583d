"""This will ask for what a rental's container said, and follow it as it goes on."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from berth.exchange import Call, Clock, Exchange
from berth.reading import read
from berth.shapes import Shape

TAIL = 200
#: a machine that is there answers within a second or two
POLL_S, PATIENCE_S = 0.4, 25.0
#: the marketplace takes 30 questions a minute
FOLLOW_EVERY_S = 2.5
#: that are asked for at once while it is followed
FOLLOW_TAIL = 1000


class LogLine(Shape):
    """One line as it was said: it may hold what steers a terminal."""

    #: UTC, in nanoseconds; later ones compare as greater
    at: str
    #: stdout or stderr
    stream: str
    text: str


class Log(Shape):
    #: none, asked, taken or late
    state: str
    #: what there is to say beside the lines
    sentence: str | None = ""
    asked_at: datetime | None = None
    #: when the lines came; None: none did
    taken_at: datetime | None = None
    #: its machine can be asked now; otherwise the sentence says why not
    may_ask: bool = True
    #: it said more before the first of the lines
    is_cut: bool = False
    #: the oldest first
    lines: tuple[LogLine, ...] = ()

    @property
    def waits(self) -> bool:
        """Say whether the machine has not answered yet."""
        return self.state == "asked"


class Logs:
    """The logs of rentals at one marketplace."""

    def __init__(self, exchange: Exchange, *, clock: Clock | None = None) -> None:
        self._exchange = exchange
        self._clock = clock or Clock()

    def ask(self, rental_id: str, *, tail: int = TAIL) -> Log:
        """Ask the machine for the newest lines; what is returned came before."""
        # Whoever asks twice asks once.
        call = Call("POST", _path(rental_id), body={"tail": tail}, repeatable=True)
        return read(Log, self._exchange.send(call))

    def get(self, rental_id: str, *, tail: int = TAIL, after: str = "") -> Log:
        """Return the newest lines that came; ``after``: only those later than this moment."""
        params: dict[str, str | int] = {"tail": tail}
        if after:
            params["after"] = after
        return read(
            Log, self._exchange.send(Call("GET", _path(rental_id), params, repeatable=True))
        )

    def read(self, rental_id: str, *, tail: int = TAIL, after: str = "") -> Log:
        """Ask, wait for the machine's answer and return it, or what there is to say instead."""
        asked = self.ask(rental_id, tail=tail)
        deadline = self._clock.monotonic() + PATIENCE_S
        while asked.waits and self._clock.monotonic() < deadline:
            self._clock.sleep(POLL_S)
            found = self.get(rental_id, tail=tail, after=after)
            if not found.waits:
                return found
        return self.get(rental_id, tail=tail, after=after)

    def follow(self, rental_id: str, *, tail: int = TAIL) -> Iterator[Log]:
        """Yield the newest lines, then what came after them, for as long as there is who says."""
        found = self.read(rental_id, tail=tail)
        yield found
        after = found.lines[-1].at if found.lines else ""
        while found.may_ask:
            self._clock.sleep(FOLLOW_EVERY_S)
            found = self.read(rental_id, tail=FOLLOW_TAIL, after=after)
            yield found
            after = found.lines[-1].at if found.lines else after


def _path(rental_id: str) -> str:
    return f"/rentals/{quote(rental_id, safe='')}/logs"
