"""This will give a host a one-time token that enrols one machine."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.domain.features import Feature
from marketplace.domain.problem import Refused
from marketplace.machines.models import EnrolmentToken
from marketplace.oversight import switches

TOKEN_LIFETIME = timedelta(hours=24)
#: of one host, neither used nor expired
OPEN_TOKENS_MAX = 20


class EnrolmentTokensMany(Refused):
    code = "enrolment_tokens_many"
    status = 409
    sentence = (
        f"You have {OPEN_TOKENS_MAX} enrolment tokens that no machine used yet; use one of them, "
        "or wait until they expire."
    )


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
    """Return a new token of this host.

    :raises FeatureOff: when no new machine can be enrolled for now.
    :raises EnrolmentTokensMany: when it has as many open ones as there may be.
    """
    switches.check(Feature.ENROLMENTS)
    token = f"enrol_{new_secret()}"
    with transaction.atomic():
        # Asked for at the same moment, they are counted one after the other.
        User.objects.select_for_update(no_key=True).get(pk=host_id)
        still_open = EnrolmentToken.objects.filter(used_at=None, expires_at__gt=now)
        if still_open.filter(host_id=host_id).count() >= OPEN_TOKENS_MAX:
            raise EnrolmentTokensMany
        record = EnrolmentToken.objects.create(
            host_id=host_id,
            token_sha256=digest(token),
            created_at=now,
            expires_at=now + lifetime,
        )
    return IssuedToken(token=token, expires_at=record.expires_at)


def forget_tokens(*, now: datetime) -> int:
    """Delete tokens a day after they expired: until then they say that they did."""
    return EnrolmentToken.objects.filter(expires_at__lte=now - TOKEN_LIFETIME).delete()[0]


def digest(token: str) -> str:
    """Return what is kept of a token. It is long and random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
