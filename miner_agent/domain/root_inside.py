"""This will tell who root inside a container is on the machine itself."""

import posixpath
import re
from collections.abc import Sequence
from typing import NamedTuple

#: Docker keeps everything of a mapped engine in a folder named by these ids.
#: Source: moby daemon/daemon_unix.go, setupDaemonRoot, read 2026-11-21.
FOLDER = re.compile(r"(\d+)\.(\d+)")


class Ids(NamedTuple):
    """A user and a group of the machine."""

    user: int
    group: int


#: root inside is root outside too, but for what is taken from him
UNMAPPED = Ids(0, 0)


def root_inside(*, security_options: Sequence[str], docker_root: str) -> Ids:
    """Return whom root inside acts as, UNMAPPED where Docker runs without ``userns-remap``."""
    names = {option.partition(",")[0] for option in security_options}
    found = FOLDER.fullmatch(posixpath.basename(docker_root.rstrip("/")))
    if "name=userns" not in names or found is None:
        return UNMAPPED
    return Ids(int(found[1]), int(found[2]))
