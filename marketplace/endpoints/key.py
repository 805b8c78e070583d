"""This will make the secrets by which callers of an endpoint are known: ``bre_`` and 256 bits."""

import secrets

from marketplace.accounts.api_key import PREFIX_LENGTH, digest

__all__ = ["digest", "generate", "prefix_of"]
MARK = "bre_"


def generate() -> str:
    """Return a new key."""
    return MARK + secrets.token_urlsafe(32)


def prefix_of(raw: str) -> str:
    """Return what is kept readable, to tell keys apart."""
    return raw[:PREFIX_LENGTH]
