"""This will say where the mounts of a container would end up, before it starts.

Docker follows the links that lie on the way to a mount, and both the image and the renter of an old
disk put links where they like: a volume at ``/data/x`` would cover the access kit where ``/data/x``
is a link to it, and whatever lies in the volume would be the first process.
"""

from collections.abc import Iterable
from pathlib import Path

#: all below is Docker's own and made anew with each start, whatever the image has there
DEVICES = "/dev/"


def link_on_the_way(root: Path, targets: Iterable[str]) -> str | None:
    """Return the first link on the way to one of the paths below ``root``; None: there is none.

    ``root`` holds what the container will see before anything is mounted in it, and nobody else
    may change it.
    """
    for target in targets:
        if target.startswith(DEVICES):
            continue
        way = root
        for name in Path(target).parts[1:]:
            way /= name
            if way.is_symlink():
                return f"/{way.relative_to(root)}"
    return None
