"""This will do what a program asks for once, however often its call arrives.

A rental, a job and a payment keep their idempotency key with them. What shows a secret that is
kept nowhere is kept here, for a day, sealed by the key itself, of which there is but a digest:
whoever reads the database, and even knows the site's secret key, cannot open it without the call.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from ninja import Header, Schema

from marketplace.accounts.bearer import caller_key
from marketplace.accounts.models import KeptAnswer
from marketplace.domain.problem import Refused
from marketplace.secret_key import box

#: another use of the same secret key has another purpose, so their keys tell nothing of each other
PURPOSE = b"berth kept answer 1 "
KEPT_FOR = timedelta(hours=24)
#: of one user at a time: who asks with a fresh key each time fills no disk
OPEN_MAX = 1000
#: in one pass, so that no other waits for it: more than a million a day
FORGOTTEN_AT_ONCE = 1000
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


class KeyUsed(Refused):
    """The idempotency key came with another request before."""

    code = "idempotency_conflict"
    status = 409
    sentence = "This idempotency key was used for a different request; use a new key."


class TooManyKeys(Refused):
    """More idempotency keys of a user than are kept at a time."""

    code = "idempotency_keys_too_many"
    status = 429
    sentence = (
        f"Up to {OPEN_MAX} idempotency keys are known at a time, each for 24 hours; wait, or call "
        "without one."
    )

    def __init__(self, wait: timedelta) -> None:
        self.retry_after_s = max(1, -(-wait // timedelta(seconds=1)))
        super().__init__()


@dataclass(frozen=True, slots=True)
class Once:
    """A call that may arrive again: whose it is, its key and all that it asks for.

    ``key``: empty: each time is another call. ``by``: the API key, or empty; another one is told
    no secret that this one made.
    """

    user_id: int
    key: str
    request: str
    by: str = ""

    @property
    def name(self) -> bytes:
        """What tells it from all other calls."""
        return f"{self.user_id} {self.by} {self.key}".encode()

    @property
    def sealing(self) -> Fernet:
        """What seals its answer."""
        return box(settings.SECRET_KEY, purpose=PURPOSE + self.name)

    @property
    def name_digest(self) -> str:
        """How its row is found."""
        return hashlib.sha256(PURPOSE + self.name).hexdigest()

    @property
    def request_digest(self) -> str:
        """What another request does not have; nobody can try out what stood in this one by it."""
        key = f"{settings.SECRET_KEY} {self.key}".encode()
        return hmac.new(key, PURPOSE + self.request.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Made:
    """What a call made, as its answer tells it again; each may be empty.

    ``told``: by which the rest of the answer is found: the row's id, or of an enrolment token the
    moment until which it is good. ``secret``: what is shown this once.
    """

    told: str
    secret: str


def once_of(
    request: HttpRequest,
    user_id: int,
    key: str | None,
    payload: Schema | None = None,
) -> Once:
    """Return the call as it is known when it comes again."""
    told = payload.model_dump_json() if payload is not None else ""
    return Once(
        user_id=user_id,
        key=key or "",
        request=f"{request.method} {request.path_info} {told}",
        by=str(caller_key(request) or ""),
    )


def once(call: Once, make: Callable[[], Made], *, now: datetime) -> Made:
    """Return what ``make`` made, now or when the call came before.

    ``make`` runs in a transaction: what it refuses leaves nothing behind, and may be asked again.
    Two of the same key at once wait for each other at its row.

    :raises KeyUsed: when the key came with another request.
    :raises TooManyKeys: when the user has as many as are kept; then nothing is made.
    """
    if not call.key:
        return make()
    if (known := _known(call, now)) is not None:
        return known
    _check_open(call.user_id, now)
    try:
        with transaction.atomic():
            mine = KeptAnswer.objects.filter(name_digest=call.name_digest)
            mine.filter(expires_at__lte=now).delete()
            KeptAnswer.objects.create(
                name_digest=call.name_digest,
                user_id=call.user_id,
                request_digest=call.request_digest,
                expires_at=now + KEPT_FOR,
            )
            made = make()
            mine.update(sealed=call.sealing.encrypt(json.dumps(asdict(made)).encode()).decode())
    except IntegrityError:
        if (known := _known(call, now)) is None:
            raise
        return known
    return made


def forget_answers(*, now: datetime) -> int:
    """Return how many kept answers this pass dropped as their day is over; the next goes on."""
    over = KeptAnswer.objects.filter(expires_at__lte=now).order_by("expires_at", "pk")
    names = list(over.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    # Again by the day: one of these may have been asked anew since.
    return KeptAnswer.objects.filter(pk__in=names, expires_at__lte=now).delete()[0]


def _check_open(user_id: int, now: datetime) -> None:
    """Accept a user who has room for one more row.

    As many calls as arrive at the very same time may go beyond; nobody waits for the others' sake.
    """
    newest = KeptAnswer.objects.filter(user_id=user_id, expires_at__gt=now).order_by("-expires_at")
    # There is room again as soon as this one is over, however many are older.
    last = newest.values_list("expires_at", flat=True)[OPEN_MAX - 1 : OPEN_MAX].first()
    if last is not None:
        raise TooManyKeys(last - now)


def _known(call: Once, now: datetime) -> Made | None:
    kept = KeptAnswer.objects.filter(name_digest=call.name_digest, expires_at__gt=now).first()
    if kept is None:
        return None
    if kept.request_digest != call.request_digest:
        raise KeyUsed
    try:
        return Made(**json.loads(call.sealing.decrypt(kept.sealed.encode())))
    except InvalidToken:
        # The operator changed the site's secret key: it was done, and cannot be told again.
        raise KeyUsed from None
