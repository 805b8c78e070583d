"""This will prepare HMAC-SHA256 for a GPU: the two states that every message of a key shares."""

import struct
from collections.abc import Iterator

WORD = 0xFFFFFFFF
BLOCK_BYTES = 64
START = (
    *(0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A),
    *(0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19),
)


def hmac_states(key: bytes) -> list[int]:
    """Return SHA-256's eight words after the inner pad, then those after the outer one.

    ``hashlib`` does not show its state. ``key`` has 64 bytes at most.
    """
    padded = key.ljust(BLOCK_BYTES, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in padded) for pad in (0x36, 0x5C))
    return _compressed(inner) + _compressed(outer)


def _compressed(block: bytes) -> list[int]:
    words = list(struct.unpack(">16I", block))
    for i in range(16, 64):
        x, y = words[i - 15], words[i - 2]
        small0 = _right(x, 7) ^ _right(x, 18) ^ x >> 3
        small1 = _right(y, 17) ^ _right(y, 19) ^ y >> 10
        words.append((words[i - 16] + small0 + words[i - 7] + small1) & WORD)
    a, b, c, d, e, f, g, h = START
    for constant, word in zip(_ROUNDS, words, strict=True):
        big1 = _right(e, 6) ^ _right(e, 11) ^ _right(e, 25)
        first = h + big1 + (e & f ^ ~e & g) + constant + word
        big0 = _right(a, 2) ^ _right(a, 13) ^ _right(a, 22)
        second = big0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (first + second) & WORD, a, b, c, (d + first) & WORD, e, f, g
    return [(old + new) & WORD for old, new in zip(START, (a, b, c, d, e, f, g, h), strict=True)]


def _right(x: int, bits: int) -> int:
    return (x >> bits | x << (32 - bits)) & WORD


def _primes(count: int) -> Iterator[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
            yield number
        number += 1


def _cube_root_bits(prime: int) -> int:
    """Return the first 32 bits of the fraction of the cube root."""
    low, high = 0, 1 << 36
    target = prime << 96
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= target else (low, middle)
    return low & WORD


#: FIPS 180-4, 4.2.2: of the cube roots of the first 64 primes
_ROUNDS = tuple(_cube_root_bits(prime) for prime in _primes(64))
