"""This will keep count of the time that proofs have had, and say when it was enough for a day."""

import json
from collections import Counter
from collections.abc import Mapping

HOUR_MS = 3_600_000
#: the present hour and those before it that count against the day
HOURS = 24
#: of the day's time, what one validator may have: the others come too
ONE_OF = 2

#: (hour since 1970, validator's key) -> milliseconds
Spent = Mapping[tuple[int, str], int]


def refusal(spent: Spent, *, key: str, now_ms: int, seconds_a_day: int) -> str:
    """Return why this validator gets no more proofs now; empty: it does."""
    recent = _recent(spent, now_ms)
    own_ms = sum(lasted_ms for (_, whose), lasted_ms in recent.items() if whose == key)
    if sum(recent.values()) >= seconds_a_day * 1000:
        return f"Proofs have had their {seconds_a_day} s of this machine's day; come back later."
    if own_ms * ONE_OF >= seconds_a_day * 1000:
        share = f"{seconds_a_day // ONE_OF} s of this machine's day"
        return f"This validator's proofs have had their {share}; come back later."
    return ""


def total_ms(spent: Spent, *, now_ms: int) -> int:
    """Return what all proofs of the day have had."""
    return sum(_recent(spent, now_ms).values())


def add(spent: Spent, *, key: str, lasted_ms: int, now_ms: int) -> Spent:
    """Return the count with one more proof in it, and without former days."""
    counted = Counter(_recent(spent, now_ms))
    counted[(now_ms // HOUR_MS, key)] += lasted_ms
    return dict(counted)


def write(spent: Spent) -> str:
    """Return the count as a text."""
    return json.dumps([[hour, key, lasted_ms] for (hour, key), lasted_ms in spent.items()])


def read(text: str) -> Spent:
    """Return the count that was written; nothing was counted where the text is empty."""
    return {(hour, key): lasted_ms for hour, key, lasted_ms in json.loads(text or "[]")}


def _recent(spent: Spent, now_ms: int) -> Spent:
    oldest = now_ms // HOUR_MS - HOURS + 1
    return {when: lasted_ms for when, lasted_ms in spent.items() if when[0] >= oldest}
