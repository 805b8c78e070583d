"""This will commit to many answers by one root, and show the way from an answer up to it."""

import hashlib
from collections.abc import Sequence


def sha256(content: bytes) -> bytes:
    """Return the SHA-256 of ``content``."""
    return hashlib.sha256(content).digest()


def merkle_levels(digests: Sequence[bytes]) -> list[list[bytes]]:
    """Return the tree from the hashed leaves to the root; an odd node is promoted unchanged."""
    levels = [[sha256(b"\x00" + digest) for digest in digests]]
    while len(levels[-1]) > 1:
        row = levels[-1]
        above = [sha256(b"\x01" + row[i] + row[i + 1]) for i in range(0, len(row) - 1, 2)]
        levels.append(above + row[len(row) & ~1 :])
    return levels


def merkle_path(levels: Sequence[Sequence[bytes]], leaf: int) -> list[bytes]:
    """Return the siblings from the leaf up; a promoted node has none."""
    path = []
    for row in levels[:-1]:
        if leaf ^ 1 < len(row):
            path.append(row[leaf ^ 1])
        leaf //= 2
    return path
