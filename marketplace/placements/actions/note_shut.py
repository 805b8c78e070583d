"""This will keep when SSH doors were shut, so that a bill can say what was not charged and why."""

from datetime import datetime

from marketplace.placements.models import DoorShut, Placement


def began(placement: Placement) -> None:
    """Note that the first look after a good one missed; call it as the placement was before it."""
    if placement.door_missed_at is None and placement.door_seen_at is not None:
        DoorShut.objects.get_or_create(
            placement=placement, until=None, since=placement.door_seen_at
        )


def ended(placement: Placement, *, at: datetime) -> None:
    """Note that a look saw the door again."""
    DoorShut.objects.filter(placement=placement, until=None).update(until=at)
