"""This will say how long to wait after repeated failures."""

FIRST_MS = 500
LONGEST_MS = 30_000
#: failures in a row, in about 90 s, after which somebody should hear of it
PERSISTS_AFTER = 8


def delay_ms(*, failures: int, jitter_ppm: int = 0) -> int:
    """Return the wait before the next try, doubling from 0.5 s to 30 s.

    ``jitter_ppm`` (0..1_000_000, drawn by the caller) shortens it by up to a half, so that many
    agents that lost the same marketplace do not return at once.
    """
    if failures <= 0:
        return 0
    full_ms = min(LONGEST_MS, FIRST_MS << min(failures - 1, 16))
    return full_ms - full_ms * jitter_ppm // 2_000_000


def persists(*, failures: int) -> bool:
    """Say whether trying again has gone on for so long that it has to be reported."""
    return failures >= PERSISTS_AFTER
