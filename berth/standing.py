"""This will say what a host's machine stands as, what to mend, and appeal against a verdict."""

from datetime import datetime

from berth.exchange import Call, Exchange
from berth.paging import pages
from berth.reading import read
from berth.shapes import Shape


class Remedy(Shape):
    #: what was found
    text: str
    #: what to do; empty: the text says it
    remedy: str = ""
    #: who found it
    source: str = ""


class Score(Shape):
    """The newest; its points are the product of its factors."""

    epoch: int
    points_micro: int
    #: by name, in millionths
    factors_ppm: dict[str, int]


class MachineFacts(Shape):
    """What is known of a machine, as its host reads it."""

    machine_id: str
    online: bool
    enrolled_at: datetime
    gpu_model: str = ""
    gpus: int = 0
    vram_bytes: int = 0
    cpu_model: str = ""
    cpus: int = 0
    ram_bytes: int = 0
    disk_bytes: int = 0
    #: of its least GPU, 10^9 int8 operations and 10^6 bytes a second; None: nobody measured them
    int8_gops: int | None = None
    bandwidth_mb_s: int | None = None
    #: of that GPU's memory, what validators filled and read back; None: nothing
    vram_bytes_proven: int | None = None
    #: new, verified, degraded, suspended or banned; since when: None: it is new, or just changed
    state: str
    since: datetime | None = None
    #: when a proof passed last; None: none did
    proven_at: datetime | None = None
    #: the share of the last 30 days that it was there, in millionths
    uptime_ppm: int = 0
    #: None: nobody scored it yet
    score: Score | None = None
    #: what its state means
    meaning: str = ""
    #: what is wrong with it, the worst first
    remedies: tuple[Remedy, ...] = ()
    #: what would raise its score most; empty: nothing is lost, or nobody scored it yet
    advice: str = ""


class Appeal(Shape):
    id: str
    text: str
    made_at: datetime
    #: None: it waits
    answered_at: datetime | None = None
    granted: bool = False
    #: the operator's sentence
    answer: str = ""


class AppealList(Shape):
    items: tuple[Appeal, ...] = ()


class EnrolmentToken(Shape):
    """Good once, for one machine."""

    token: str
    expires_at: datetime
    #: what to run on the machine
    command: str


class Standing:
    """What a host's machines stand as at one marketplace."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def enrolment_token(self) -> EnrolmentToken:
        """Return a new token that enrols one machine as the account's."""
        return read(EnrolmentToken, self._exchange.send(Call("POST", "/host/enrolment-tokens")))

    def find(self, machine_id: str) -> MachineFacts:
        """Return what is known of a machine, what to mend, and what would raise its score."""
        call = Call("GET", f"/host/machines/{machine_id}", repeatable=True)
        return read(MachineFacts, self._exchange.send(call))

    def appeals(self, machine_id: str) -> tuple[Appeal, ...]:
        """Return the appeals for the machine, newest first."""
        found: list[Appeal] = []
        for answer in pages(self._exchange, f"/host/machines/{machine_id}/appeals"):
            found += read(AppealList, answer).items
        return tuple(found)

    def appeal(self, machine_id: str, text: str) -> Appeal:
        """Return the appeal; the same words twice are one."""
        path, body = f"/host/machines/{machine_id}/appeals", {"text": text}
        return read(Appeal, self._exchange.send(Call("POST", path, body=body, repeatable=True)))
