"""This will tell how far the pull of an image is, from what Docker says about its layers."""

from collections.abc import Mapping
from typing import Any

#: a layer counts once while it comes and once while it is unpacked
FETCHED, UNPACKED = 1, 2
#: what Docker says of a layer -> how often its size is done when that part begins and when it ends
PARTS: Mapping[str, tuple[int, int]] = {
    "Downloading": (0, FETCHED),
    "Download complete": (FETCHED, FETCHED),
    "Extracting": (FETCHED, UNPACKED),
    "Pull complete": (UNPACKED, UNPACKED),
}


class Pull:
    """One pull: it is fed with every line that Docker writes."""

    def __init__(self) -> None:
        #: layer -> bytes of it and how many are done, out of twice as many
        self._bytes: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def note(self, line: Mapping[str, Any]) -> None:
        """Take in one line."""
        layer, part = str(line.get("id")), PARTS.get(str(line.get("status")))
        if part is None:
            return
        detail = line.get("progressDetail") or {}
        if detail.get("total"):
            self._bytes.setdefault(layer, int(detail["total"]))
        size = self._bytes.get(layer, 0)
        begin, end = part
        done = min(begin * size + int(detail.get("current") or 0), end * size)
        self._done[layer] = max(done, self._done.get(layer, 0))

    def percent(self) -> int | None:
        """Return what is done of all layers heard of; None: the size of none is known yet."""
        total = UNPACKED * sum(self._bytes.values())
        return 100 * sum(self._done.values()) // total if total else None
