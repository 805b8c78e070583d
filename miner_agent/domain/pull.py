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


#: a pull that brings less for so long keeps others waiting for nothing
SLOWEST_BYTES_S = 50_000
SLOW_S_MOST = 180


class Pull:
    """One pull: it is fed with every line that Docker writes."""

    def __init__(self) -> None:
        #: layer -> bytes of it and how many are done, out of twice as many
        self._bytes: dict[str, int] = {}
        self._done: dict[str, int] = {}
        #: layer -> what Docker said of it last
        self._parts: dict[str, str] = {}
        #: when its pace was last found good enough, and what was done then
        self._paced_s: float | None = None
        self._paced_bytes = 0

    def note(self, line: Mapping[str, Any]) -> None:
        """Take in one line."""
        layer, status = str(line.get("id")), str(line.get("status"))
        self._parts[layer] = status
        part = PARTS.get(status)
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

    def size_bytes(self) -> int:
        """Return the size of all layers heard of, as the registry sends them."""
        return sum(self._bytes.values())

    def is_too_slow(self, *, now_s: float) -> bool:
        """Say whether its registry has kept below the slowest pace for too long.

        What waits for other pulls, or is here and only unpacked, is not the registry's fault.
        """
        done = sum(self._done.values())
        if self._paced_s is None or "Downloading" not in self._parts.values():
            self._paced_s, self._paced_bytes = now_s, done
        elif now_s - self._paced_s >= SLOW_S_MOST:
            if done - self._paced_bytes < SLOWEST_BYTES_S * SLOW_S_MOST:
                return True
            self._paced_s, self._paced_bytes = now_s, done
        return False
