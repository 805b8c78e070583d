"""This will recompute what a machine should have answered, with hashlib alone."""

import hashlib
import struct
from collections.abc import Sequence

from validator.domain.proof import PAGE_BYTES

UNIT_BYTES = 64
UNITS_PER_PAGE = PAGE_BYTES // UNIT_BYTES


def seed(bind: bytes, phase: bytes, nonce: bytes) -> bytes:
    """Return the seed of one phase (``cpu``, ``ram`` or ``walk``): good for one bind and nonce."""
    return _sha256(_sha256(bind + phase) + nonce)


def hash_task(key: bytes, *, task: int, iterations: int) -> bytes:
    """Return the digest of one hashing task."""
    return hashlib.pbkdf2_hmac("sha256", key, struct.pack("<Q", task), iterations)


def walk(fill_key: bytes, walk_key: bytes, *, number: int, steps: int, pages: int) -> bytes:
    """Return where one walk of dependent steps over the filled memory ends."""
    state = _sha256(walk_key + struct.pack("<Q", number))
    for _ in range(steps):
        page = int.from_bytes(state[:8], "little") % pages
        offset = (int.from_bytes(state[8:16], "little") % UNITS_PER_PAGE) * UNIT_BYTES
        state = _sha256(state + _page_start(fill_key, page, offset + UNIT_BYTES)[offset:])
    return state


def depth(leaf: int, leaves: int) -> int:
    """Return how many siblings the path of ``leaf`` has; a promoted level has none."""
    siblings = 0
    while leaves > 1:
        siblings += not _is_promoted(leaf, leaves)
        leaf, leaves = leaf // 2, (leaves + 1) // 2
    return siblings


def root_of(digest: bytes, *, leaf: int, leaves: int, path: Sequence[bytes]) -> bytes:
    """Return the Merkle root that ``digest`` at ``leaf`` climbs to.

    :raises ValueError: when the path has not exactly one sibling for each unpromoted level.
    """
    if len(path) != depth(leaf, leaves):
        raise ValueError("The path has the wrong length.")
    siblings = iter(path)
    node = _sha256(b"\x00" + digest)
    while leaves > 1:
        if not _is_promoted(leaf, leaves):
            sibling = next(siblings)
            pair = sibling + node if leaf % 2 else node + sibling
            node = _sha256(b"\x01" + pair)
        leaf, leaves = leaf // 2, (leaves + 1) // 2
    return node


def _is_promoted(leaf: int, leaves: int) -> bool:
    return leaf == leaves - 1 and leaves % 2 == 1


def _page_start(fill_key: bytes, page: int, length: int) -> bytes:
    # SHAKE is a stream: the page's beginning is all that a step reads, and half the price.
    return hashlib.shake_128(fill_key + struct.pack("<Q", page)).digest(length)


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
