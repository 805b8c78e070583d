"""This will compute what a GPU should have answered: bit for bit what the kernels give.

Written from the protocol's text, apart from the kernels, with numpy where it pays. Texts and sizes:
docs/verification.md.
"""

import hashlib
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from validator.domain.gpu_proof import BLOCK, FOLD_BYTES, PATCH, REGION_THREADS

UNITS_PER_THREAD = 64
UNITS_PER_LINE = 8
LINE_BYTES = 128
WORD = 0xFFFFFFFF
DIGEST_BYTES = 32

Words = NDArray[np.uint32]


def sha256(content: bytes) -> bytes:
    """Return the SHA-256 of ``content``."""
    return hashlib.sha256(content).digest()


def identity(bind: bytes, *, uuid: str, index: int) -> bytes:
    """Return what ties every seed to one session, machine and device."""
    return sha256(bind + uuid.encode() + struct.pack("<I", index))


def seed(of: bytes, phase: bytes, nonce: bytes) -> bytes:
    """Return the seed of one phase (``fill``, ``scan`` or ``multiply``) of identity ``of``."""
    return sha256(b"berth-gpu-1|" + phase + b"|" + nonce + of)


def line(fill_seed: bytes, number: int, iterations: int) -> bytes:
    """Return one filled line of 128 bytes."""
    return hashlib.pbkdf2_hmac(
        "sha256", fill_seed, struct.pack("<Q", number), iterations, LINE_BYTES
    )


def pass_key(scan_seed: bytes, root_before: bytes) -> bytes:
    """Return the key of a pass: of the first one, ``root_before`` is 32 zeros."""
    return sha256(scan_seed + root_before)


def scan_fold(fill_seed: bytes, key: bytes, *, region: int, thread: int, iterations: int) -> bytes:
    """Return what one thread folds its 64 units of a region to, 8 bytes."""
    k = struct.unpack("<4I", key[:16])
    place = (region * REGION_THREADS + thread) & WORD
    h0 = _avalanche(place ^ k[0]) ^ k[2]
    h1 = _avalanche((place + k[1]) & WORD) ^ k[3]
    first = region * REGION_THREADS * UNITS_PER_THREAD + thread
    for unit in range(first, first + REGION_THREADS * UNITS_PER_THREAD, REGION_THREADS):
        content = line(fill_seed, unit // UNITS_PER_LINE, iterations)
        x, y, z, w = struct.unpack_from("<4I", content, unit % UNITS_PER_LINE * 16)
        h0 = ((h0 ^ x) * 0x9E3779B1 + h1) & WORD
        h1 = ((_left(h1, 13) ^ y) * 0x85EBCA6B + h0) & WORD
        h0 = ((_left(h0, 11) ^ z) * 0xC2B2AE35 + h1) & WORD
        h1 = ((_left(h1, 17) ^ w) * 0x27D4EB2F + h0) & WORD
    return struct.pack("<2I", _avalanche(h0 ^ h1), _avalanche((h1 + 0x9E3779B1) & WORD))


def product_keys(multiply_seed: bytes, number: int) -> tuple[int, ...]:
    """Return the six keys of one product: two each of A, of B and of the folds."""
    return struct.unpack("<6I", sha256(multiply_seed + struct.pack("<I", number))[:24])


def matrix_rows(first: int, count: int, *, depth: int, keys: Sequence[int]) -> NDArray[np.int8]:
    """Return rows of a matrix, (count, depth) of -128..127."""
    words = depth // 4
    start, end = first * words, (first + count) * words
    x = (np.arange(start, end, dtype=np.uint64) & np.uint64(WORD)).astype(np.uint32)
    x += np.uint32(keys[0])
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x ^= np.uint32(keys[1])
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x9E3779B1)
    x ^= x >> np.uint32(15)
    return x.view(np.int8).reshape(count, depth)


def patch_fold(keys: Sequence[int], *, row: int, column: int, depth: int, columns: int) -> bytes:
    """Return the fold of the 16 x 16 entries of the product from ``row`` and ``column`` on."""
    a = matrix_rows(row, PATCH, depth=depth, keys=keys[0:2]).astype(np.float64)
    b = matrix_rows(column, PATCH, depth=depth, keys=keys[2:4]).astype(np.float64)
    # Exact: each sum is far below 2^53.
    entries = (a @ b.T).astype(np.int64).astype(np.uint32)
    down = np.arange(row, row + PATCH, dtype=np.uint64)[:, None] * np.uint64(columns)
    across = np.arange(column, column + PATCH, dtype=np.uint64)
    places = ((down + across) & np.uint64(WORD)).astype(np.uint32)
    folded = fold_entries(entries, places, keys[4], keys[5])
    return struct.pack("<Q", int(folded.sum(dtype=np.uint64)))


def fold_entries(entries: Words, places: Words, key0: int, key1: int) -> NDArray[np.uint64]:
    """Return each entry's share of its patch's fold: a function that is not linear."""
    u = entries ^ (places * np.uint32(0x9E3779B1) + np.uint32(key0))
    u ^= u >> np.uint32(16)
    u *= np.uint32(0x7FEB352D)
    u ^= u >> np.uint32(15)
    u *= np.uint32(0x846CA68B)
    u ^= u >> np.uint32(16)
    odd = (u ^ np.uint32(key1)) | np.uint32(1)
    return u.astype(np.uint64) * odd.astype(np.uint64)


def patch_place(block: int, patch: int, *, columns: int) -> tuple[int, int]:
    """Return row and column of the first entry of a patch of a block of 128 x 128."""
    block_row, block_column = divmod(block, columns // BLOCK)
    patch_row, patch_column = divmod(patch, BLOCK // PATCH)
    return block_row * BLOCK + patch_row * PATCH, block_column * BLOCK + patch_column * PATCH


def fold_at(folds: bytes, number: int) -> bytes:
    """Return one of the folds of an opened leaf."""
    return folds[number * FOLD_BYTES : (number + 1) * FOLD_BYTES]


def root_of(leaf_content: bytes, *, leaf: int, path: bytes) -> bytes:
    """Return the root that an opened leaf climbs to; the caller has checked the path's length."""
    node = sha256(leaf_content)
    for at in range(0, len(path), DIGEST_BYTES):
        sibling = path[at : at + DIGEST_BYTES]
        node = sha256(sibling + node if leaf & 1 else node + sibling)
        leaf >>= 1
    return node


def _avalanche(x: int) -> int:
    x ^= x >> 16
    x = x * 0x7FEB352D & WORD
    x ^= x >> 15
    x = x * 0x846CA68B & WORD
    return x ^ x >> 16


def _left(x: int, bits: int) -> int:
    return (x << bits | x >> (32 - bits)) & WORD
