"""This will keep what containers said unreadable to whoever reads the database alone."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from pydantic import TypeAdapter

from marketplace.secret_key import box
from protocol.container_log import LogLine

#: another use of the same secret key has another purpose, so their keys tell nothing of each other
PURPOSE = b"berth container log 1"
_LINES = TypeAdapter(tuple[LogLine, ...])


def seal(lines: Sequence[LogLine]) -> str:
    """Return the lines as the database keeps them."""
    return _box().encrypt(_LINES.dump_json(tuple(lines))).decode() if lines else ""


def unseal(sealed: str) -> tuple[LogLine, ...]:
    """Return the lines that ``seal`` kept; none where the secret key changed since."""
    if not sealed:
        return ()
    try:
        return _LINES.validate_json(_box().decrypt(sealed.encode()))
    except InvalidToken:
        return ()


def _box() -> Fernet:
    return box(settings.SECRET_KEY, purpose=PURPOSE)
