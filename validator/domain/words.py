"""This will put figures and lists into words for people."""

from collections.abc import Sequence

_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_COUNT_UNITS = ("", "k", "M", "G", "T")


def listed(words: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(number: int, noun: str) -> str:
    """Return ``1 GPU`` or ``8 GPUs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(size_bytes: int) -> str:
    """Return a size in the largest unit of 1024 that it fills, with three digits at most."""
    return _scaled(size_bytes, 1024, _BYTE_UNITS)


def rate(per_second: int, unit: str) -> str:
    """Return ``1.2 GB/s`` and the like: a rate of ``unit`` in the largest unit of 1000 it fills."""
    number = _scaled(per_second, 1000, _COUNT_UNITS)
    value, _, prefix = number.partition(" ")
    return f"{value} {prefix}{unit}/s"


def duration(duration_ms: int) -> str:
    """Return ``340 ms``, ``2.1 s``, ``5 min``, ``3 h`` or ``12 days``."""
    if duration_ms < 1000:
        return f"{duration_ms} ms"
    seconds = duration_ms // 1000
    if seconds < 60:
        return f"{duration_ms / 1000:.1f} s"
    for unit_s, name, most in ((60, "min", 120), (3600, "h", 72)):
        if seconds // unit_s < most:
            return f"{seconds // unit_s} {name}"
    return counted(seconds // 86_400, "day")


def _scaled(number: int, step: int, units: Sequence[str]) -> str:
    value, place = float(number), 0
    while value >= step and place < len(units) - 1:
        value, place = value / step, place + 1
    digits = 0 if place == 0 or value >= 100 else 1
    return f"{value:.{digits}f}".removesuffix(".0") + f" {units[place]}"
