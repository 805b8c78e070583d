"""This will read the computer's clock and randomness; everything else is handed them."""

import secrets
import time

from validator.proof.session import Randomness


def now_ns() -> int:
    """Return UTC nanoseconds since 1970."""
    return time.time_ns()


def now_ms() -> int:
    """Return UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def randomness() -> Randomness:
    """Return the operating system's randomness: a machine must never guess a nonce."""
    return Randomness(draw=secrets.token_bytes, below=secrets.randbelow)
