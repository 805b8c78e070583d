"""This will keep who may fetch a private image, unreadable to whoever reads the database alone."""

import logging

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from marketplace.secret_key import box
from protocol.agent import RegistryLogin

logger = logging.getLogger(__name__)
#: another use of the same secret key has another purpose, so their keys tell nothing of each other
PURPOSE = b"berth registry login 1"


def seal(login: RegistryLogin | None) -> str:
    """Return the login as the database keeps it; None: empty."""
    return "" if login is None else _box().encrypt(login.model_dump_json().encode()).decode()


def unseal(sealed: str) -> RegistryLogin | None:
    """Return the login that ``seal`` kept. None: there is none, or the secret key changed since."""
    if not sealed:
        return None
    try:
        return RegistryLogin.model_validate_json(_box().decrypt(sealed.encode()))
    except InvalidToken:
        logger.warning("A registry login is of another secret key")
        return None


def _box() -> Fernet:
    return box(settings.SECRET_KEY, purpose=PURPOSE)
