"""This will read the computer's clock and randomness; everything else is handed them."""

import secrets
import time
from datetime import UTC, datetime

from validator.proof.conversation import Randomness


def now_ns() -> int:
    """Return UTC nanoseconds since 1970."""
    return time.time_ns()


def now() -> datetime:
    """Return UTC now."""
    return datetime.now(tz=UTC)


def now_ms() -> int:
    """Return UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def now_s() -> int:
    """Return UTC seconds since 1970."""
    return int(time.time())


def randomness() -> Randomness:
    """Return the operating system's randomness: a machine must never guess a nonce."""
    return Randomness(draw=secrets.token_bytes, below=secrets.randbelow)
