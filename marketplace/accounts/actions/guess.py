"""This will bound how often somebody may try a password, without locking its owner out for long.

Whoever fails too often for one e-mail address is stopped at *their* network address. Only when
many network addresses guess at one e-mail address together does its owner wait as well, for what is
left of one window.
"""

from datetime import datetime, timedelta

from marketplace.accounts.actions.count_attempt import Limit, count, give_back

WINDOW = timedelta(minutes=5)
#: for one e-mail address from one network address
PAIR = Limit("guess at an e-mail address from a network address", 10, WINDOW)
#: for one e-mail address from anywhere
EMAIL = Limit("guess at an e-mail address", 50, WINDOW)
#: from one network address, right ones too: each costs us the time of a slow hash
ADDRESS = Limit("try passwords from a network address", 100, WINDOW)


def begin(*, email: str, address: str, now: datetime) -> None:
    """Count a password that is about to be tried.

    :raises TooManyAttempts: when it has to wait; then do not try it.
    """
    count(limit=ADDRESS, subject=address, now=now)
    # Before the e-mail address alone, so that one stranger cannot use up what its owner has.
    count(limit=PAIR, subject=_pair(email, address), now=now)
    count(limit=EMAIL, subject=_known(email), now=now)


def was_right(*, email: str, address: str) -> None:
    """Take it back where the password was right: its owner may log in as often as needed."""
    give_back(limit=PAIR, subject=_pair(email, address))
    give_back(limit=EMAIL, subject=_known(email))


def _pair(email: str, address: str) -> str:
    return f"{address}\n{_known(email)}"


def _known(email: str) -> str:
    return email.strip().lower()
