"""This will give a host a one-time token that enrols one machine."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.machines.models import EnrolmentToken

TOKEN_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """The token itself is told once and kept nowhere."""

    token: str
    expires_at: datetime


def issue_token(
    *,
    host_id: int,
    now: datetime,
    lifetime: timedelta = TOKEN_LIFETIME,
    new_secret: Callable[[], str] = secrets.token_urlsafe,
) -> IssuedToken:
    """Return a new token of this host."""
    token = f"enrol_{new_secret()}"
    record = EnrolmentToken.objects.create(
        host_id=host_id,
        token_sha256=digest(token),
        created_at=now,
        expires_at=now + lifetime,
    )
    return IssuedToken(token=token, expires_at=record.expires_at)


def digest(token: str) -> str:
    """Return what is kept of a token. It is long and random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
