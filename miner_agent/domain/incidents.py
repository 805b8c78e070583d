"""This will say what an incident is called and whose doing it most likely was."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from protocol.usage import Incident, IncidentBlame, IncidentKind

#: What NVIDIA's documentation calls an application's fault first, and what a card's or its board's.
#: Everything else has several causes. Source: NVIDIA, "Xid Errors"; chosen by hand from what the
#: numbers stand for, and not yet compared with the newest catalogue line by line
XIDS_OF_PROGRAMS = frozenset({13, 31, 43})
XIDS_OF_MACHINES = frozenset({48, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120, 140})


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, before it has a name of its own."""

    kind: IncidentKind
    blame: IncidentBlame
    sentence: str
    #: by the wall clock
    at_ms: int
    placement_id: UUID | None = None
    gpu_uuid: str = ""


def blame_of_xid(code: int) -> IncidentBlame:
    """Return whose doing an Xid most likely was."""
    if code in XIDS_OF_PROGRAMS:
        return IncidentBlame.RENTER
    return IncidentBlame.MACHINE if code in XIDS_OF_MACHINES else IncidentBlame.UNKNOWN


def xid(code: int, *, gpu_uuid: str, placement_id: UUID | None, at_ms: int) -> Event:
    """Return what an Xid of a card is; a card that nobody uses is at fault by itself."""
    blame = blame_of_xid(code)
    if blame is IncidentBlame.RENTER and placement_id is None:
        blame = IncidentBlame.UNKNOWN
    sentence = f"The GPU reported Xid {code}."
    return Event(IncidentKind.GPU_ERROR, blame, sentence, at_ms, placement_id, gpu_uuid)


def out_of_memory(placement_id: UUID, *, at_ms: int) -> Event:
    """Return what it is when a placement used up its own memory."""
    sentence = "A process was ended because the memory of the rental was used up."
    kind = IncidentKind.OUT_OF_MEMORY
    return Event(kind, IncidentBlame.RENTER, sentence, at_ms, placement_id)


def machine_out_of_memory(placement_id: UUID | None, *, at_ms: int) -> Event:
    """Return what it is when the machine itself had no memory left."""
    sentence = "A process was ended because the memory of the machine was used up."
    kind = IncidentKind.OUT_OF_MEMORY
    return Event(kind, IncidentBlame.MACHINE, sentence, at_ms, placement_id)


def disk_error(device: str, *, at_ms: int) -> Event:
    """Return what a failed read or write is."""
    sentence = f"The disk or file system {device} reported an error."
    return Event(IncidentKind.DISK_ERROR, IncidentBlame.MACHINE, sentence, at_ms)


def lost_bits(gpu_uuid: str, *, placement_id: UUID | None, at_ms: int) -> Event:
    """Return what an uncorrected error of a card's memory is."""
    sentence = "The GPU's memory lost bits that could not be corrected."
    kind = IncidentKind.GPU_MEMORY
    return Event(kind, IncidentBlame.MACHINE, sentence, at_ms, placement_id, gpu_uuid)


def too_hot(gpu_uuid: str, *, placement_id: UUID | None, at_ms: int) -> Event:
    """Return what it is when a card slows itself down."""
    sentence = "The GPU runs slower because it is too hot."
    kind = IncidentKind.GPU_HOT
    return Event(kind, IncidentBlame.MACHINE, sentence, at_ms, placement_id, gpu_uuid)


def new_kills(*, counted: int, known: int, by_machine: int) -> tuple[int, int]:
    """Return how many kills of a placement are its own doing, and how many are known from now on.

    The kernel counts those that the machine's own want of memory caused (``by_machine``, from its
    log) together with the others, and may do so a moment later than it writes its log.
    """
    return max(0, counted - known - by_machine), max(counted, known + by_machine)


def gather(events: Iterable[Event], *, new_id: Callable[[], UUID]) -> tuple[Incident, ...]:
    """Return one incident for all events of one look that differ in nothing but the moment."""
    counts: Counter[Event] = Counter()
    first: dict[Event, int] = {}
    for event in events:
        alike = Event(
            event.kind, event.blame, event.sentence, 0, event.placement_id, event.gpu_uuid
        )
        counts[alike] += 1
        first.setdefault(alike, event.at_ms)
    return tuple(
        Incident(
            incident_id=new_id(),
            at_ms=max(0, first[event]),
            kind=event.kind,
            blame=event.blame,
            placement_id=event.placement_id,
            gpu_uuid=event.gpu_uuid[:200],
            count=count,
            sentence=event.sentence[:300],
        )
        for event, count in counts.items()
    )


def risen(counts: Mapping[str, int], marks: Mapping[str, int]) -> dict[str, int]:
    """Return by how much each count rose above its mark; the first look only sets the mark."""
    return {
        name: count - marks[name]
        for name, count in counts.items()
        if name in marks and count > marks[name]
    }
