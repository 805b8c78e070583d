"""This will keep the installation's own secret key where none is configured."""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


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
