"""This will count attempts in the database, so that all processes know of them together."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from marketplace.accounts.models import AttemptCount
from marketplace.domain.problem import Refused


class TooManyAttempts(Refused):
    """One more attempt has to wait."""

    code = "rate_limited"
    status = 429

    def __init__(self, wait: timedelta) -> None:
        self.retry_after_s = max(1, -(-wait // timedelta(seconds=1)))
        super().__init__(f"Too many attempts; try again in {_in_words(self.retry_after_s)}.")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many attempts of one subject, or what they weigh, counted from the first of them on."""

    name: str
    attempts_max: int
    window: timedelta


def count(*, limit: Limit, subject: str, now: datetime, weight: int = 1) -> None:
    """Count one attempt of the subject: an e-mail address, a network address, or both.

    ``weight``: as how many it counts; the last one may go beyond.

    Each step is one statement that decides by itself, so that a hundred attempts at once count as a
    hundred (tests/concurrency/test_attempts.py).

    :raises TooManyAttempts: when it has made as many as it may; then this one is not counted.
    """
    mine = AttemptCount.objects.filter(key=_key(limit, subject))
    first = {"attempts": weight, "resets_at": now + limit.window}
    # Twice: what another process makes or empties between two steps is found by the second round.
    for _ in range(2):
        open_ones = mine.filter(resets_at__gt=now, attempts__lt=limit.attempts_max)
        if open_ones.update(attempts=F("attempts") + weight):
            return
        if mine.filter(resets_at__lte=now).update(**first):
            return
        if AttemptCount.objects.get_or_create(key=_key(limit, subject), defaults=first)[1]:
            return
    resets_at = mine.values_list("resets_at", flat=True).first() or now
    raise TooManyAttempts(resets_at - now)


def check(*, limit: Limit, subject: str, now: datetime) -> None:
    """Accept a subject that may make one more attempt, which is not counted.

    :raises TooManyAttempts: when it has made as many as it may.
    """
    used_up = AttemptCount.objects.filter(
        key=_key(limit, subject), resets_at__gt=now, attempts__gte=limit.attempts_max
    )
    resets_at = used_up.values_list("resets_at", flat=True).first()
    if resets_at is not None:
        raise TooManyAttempts(resets_at - now)


def give_back(*, limit: Limit, subject: str) -> None:
    """Take one counted attempt back: it was no guess."""
    mine = AttemptCount.objects.filter(key=_key(limit, subject), attempts__gt=0)
    mine.update(attempts=F("attempts") - 1)


def forget_attempts(*, now: datetime) -> int:
    """Return how many counts were dropped because their window is over."""
    dropped, _ = AttemptCount.objects.filter(resets_at__lte=now).delete()
    return dropped


def _key(limit: Limit, subject: str) -> str:
    # Hashed: the table needs no list of who was guessed at from where.
    return hashlib.sha256(f"{limit.name}\n{subject}".encode()).hexdigest()


def _in_words(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    if minutes > 120:
        return f"{-(-minutes // 60)} hours"
    return f"{minutes} minutes" if minutes > 1 else "a minute"
