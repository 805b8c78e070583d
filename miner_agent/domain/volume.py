"""This will define what the journal knows about one volume, and what becomes of it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from protocol.agent import ObservedVolume, Problem
from protocol.message import Message
from protocol.workload import DesiredVolume, VolumeState


class Volume(Message):
    """A journal row. ``remove`` is said once and never taken back."""

    volume_id: UUID
    size_bytes: int
    remove: bool = False
    #: its file was whole once: what is missing from then on is lost, and never made anew
    whole: bool = False
    #: None: it is being made or removed
    state: VolumeState | None = None
    problem: Problem | None = None

    @property
    def is_settled(self) -> bool:
        """Say whether nothing is left to do."""
        if self.state is None:
            return False
        return self.state is VolumeState.GONE or not self.remove

    @property
    def reserved_bytes(self) -> int:
        """Return what it takes from this machine's disk, now or as soon as it is made."""
        return self.size_bytes if self.whole or self.state is None else 0


def after(
    volumes: Mapping[UUID, Volume], desired: Sequence[DesiredVolume], *, free_bytes: int
) -> dict[UUID, Volume | None]:
    """Return every volume that a reply changes; None: nobody has to know of it any more.

    ``free_bytes`` is what the disk has for volumes that are not known yet. Silence removes nothing.
    """
    changed: dict[UUID, Volume | None] = {}
    for one in desired:
        known = volumes.get(one.volume_id)
        if known is None:
            new = _new(one, free_bytes=free_bytes)
            free_bytes -= new.reserved_bytes
            changed[one.volume_id] = new
        elif one.remove and not known.remove:
            changed[one.volume_id] = known.model_copy(update={"remove": True})
    asked = {one.volume_id for one in desired}
    for volume_id, known in volumes.items():
        if volume_id not in asked and known.is_settled and not known.whole:
            changed[volume_id] = None
    return changed


def observed(volumes: Sequence[Volume]) -> tuple[ObservedVolume, ...]:
    """Return what the marketplace is told; of what is under way nothing."""
    return tuple(
        ObservedVolume(volume_id=one.volume_id, state=one.state, problem=one.problem)
        for one in volumes
        if one.state is not None
    )


def _new(desired: DesiredVolume, *, free_bytes: int) -> Volume:
    volume = Volume(
        volume_id=desired.volume_id, size_bytes=desired.size_bytes, remove=desired.remove
    )
    if desired.remove or desired.size_bytes <= free_bytes:
        return volume
    free = max(0, free_bytes)
    message = f"{desired.size_bytes} bytes were asked for and {free} are free on this machine."
    problem = Problem(code="no_capacity", message=message)
    return volume.model_copy(update={"state": VolumeState.REFUSED, "problem": problem})
