"""This will hold what the fake market tells of a rental's use."""

from collections.abc import Mapping
from typing import Any

#: what one rental of two cores does, and what its machine calls a misfortune
#: five minutes of the same
METRICS: dict[str, Any] = {
    "span": "day",
    "step_s": 300,
    "points": [
        {
            "at": "2026-03-01T11:55:00Z",
            "cpu_milli": {"mean": 500, "most": 1500},
            "memory_bytes": {"mean": 1 << 30, "most": 1 << 30},
            "disk_used_bytes": None,
            "gpus": [{"busy_percent": {"mean": 40, "most": 93}, "memory_bytes": None}],
        },
        {"at": "2026-03-01T12:00:00Z", "memory_bytes": {"mean": 1 << 30, "most": 1 << 30}},
    ],
}
USAGE: dict[str, Any] = {
    "points": [
        {
            "at": "2026-03-01T12:00:00Z",
            "cpu_milli": 1500,
            "memory_bytes": 1 << 30,
            "disk_used_bytes": 2 << 30,
            "disk_bytes": 8 << 30,
            "received_bytes_s": 2 << 20,
            "sent_bytes_s": 1 << 10,
            "gpus": [{"uuid": "GPU-1", "busy_percent": 93, "memory_bytes": 5 << 30}],
        }
    ],
    "incidents": [
        {
            "at": "2026-03-01T11:59:00Z",
            "kind": "out_of_memory",
            "blame": "renter",
            "placement_id": None,
            "gpu_uuid": "",
            "count": 2,
            "sentence": "A process\x1b[2J was ended.",
        }
    ],
}

#: what happened to every rental, two pages of it
EVENTS: dict[str, Any] = {
    "items": [
        {
            "at": "2026-03-01T12:00:00Z",
            "event": "stop",
            "sentence": "Its stop was asked for.",
            "code": "idle",
            "reason": "It was idle\x1b[2J for 30 min.",
        },
    ],
    "next_cursor": "1-0-1",
}
OLDER: dict[str, Any] = {
    "items": [{"at": "2026-03-01T11:00:00Z", "event": "place", "sentence": "It was rented."}],
    "next_cursor": None,
}


def told(what: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return what the market says of a rental: "usage" or "events"."""
    if what == "usage":
        return USAGE
    return OLDER if query.get("cursor") else EVENTS
