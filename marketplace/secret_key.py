"""This will keep the installation's own secret key, and seal what only it may read."""

import base64
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def random_text() -> str:
    """Return 384 random bits."""
    return secrets.token_urlsafe(48)


def load_or_create(path: Path, *, make: Callable[[], str] = random_text) -> str:
    """Return the key in ``path``, made on first use and readable by its owner only.

    The key is written aside and linked into place, so that of several processes starting at once
    exactly one wins and none reads half a key.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret-")
        try:
            with os.fdopen(descriptor, "w") as handle:
                handle.write(make())
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return path.read_text().strip()


def box(secret_key: str, *, purpose: bytes) -> Fernet:
    """Return what seals texts with a key of this purpose, which tells nothing of other purposes."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return Fernet(base64.urlsafe_b64encode(derived.derive(secret_key.encode())))
