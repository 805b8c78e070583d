"""This will tell the agent's own files from others that only have names like them."""

import re
from uuid import UUID

#: ``<placement>.<number>.img``, and what it is made from
_DISK = re.compile(r"([0-9a-f-]{36})\.(0|[1-9][0-9]*)\.(?:img|part|copy|look)")


def owner(name: str) -> UUID | None:
    """Return the placement whose directory has this name, None where it is nobody's."""
    try:
        placement_id = UUID(name)
    except ValueError:
        return None
    return placement_id if str(placement_id) == name else None


def disk_owner(name: str) -> tuple[UUID, int] | None:
    """Return the placement and the number of a disk's file, None where it is no disk."""
    match = _DISK.fullmatch(name)
    placement_id = owner(match[1]) if match else None
    return (placement_id, int(match[2])) if match and placement_id else None
