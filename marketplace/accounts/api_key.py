"""This will make and recognise the secrets that programs use: ``brt_`` and 256 random bits."""

import hashlib
import secrets

MARK = "brt_"
#: how much of a key is kept readable, to tell keys apart
PREFIX_LENGTH = 10
RAW_LENGTH_MAX = 100


def generate() -> str:
    """Return a new key."""
    return MARK + secrets.token_urlsafe(32)


def digest(raw: str) -> str:
    """Return what is stored of a key; the key cannot be found from it."""
    return hashlib.sha256(raw.encode()).hexdigest()


def well_formed(raw: str) -> bool:
    """Say whether the text could be a key at all, which saves the database a look."""
    return raw.startswith(MARK) and len(raw) <= RAW_LENGTH_MAX and raw.isascii()
