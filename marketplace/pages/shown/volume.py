"""This will prepare a renter's volumes for their list."""

from dataclasses import dataclass

from marketplace.pages import wording
from marketplace.volumes.models import Volume

LABELS = {
    "making": ("Being made", "busy"),
    "ready": ("Ready", "good"),
    "refused": ("Could not be made", "bad"),
    "deleting": ("Being deleted", "busy"),
}


@dataclass(frozen=True, slots=True)
class VolumeLine:
    name: str
    size: str
    machine: str
    label: str
    tone: str
    #: why it could not be made; empty: it could
    problem: str
    in_use: bool
    #: empty: it cannot be deleted now
    delete_url: str


def line(volume: Volume) -> VolumeLine:
    """Return the volume, loaded with its placement, as a line of the list."""
    label, tone = LABELS[volume.state]
    fixed = volume.in_use or volume.removed_at is not None
    return VolumeLine(
        name=volume.name,
        size=wording.size(volume.size_bytes),
        machine=str(volume.machine_id)[:8],
        label=label,
        tone=tone,
        problem=volume.problem if volume.state == "refused" else "",
        in_use=volume.in_use,
        delete_url="" if fixed else f"/volumes/{volume.id}/delete",
    )
