"""The people of the tests: Alice rents, Bob may not touch what is hers, Charlie hosts."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from django.core.cache import cache
from django.db import connections
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.call_limits import calls
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.oversight import announcements
from tests.fakestripe.fixtures import stripe, stripe_server, with_card

__all__ = ["stripe", "stripe_server", "with_card"]

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    """Hash passwords in no time: a safe hash is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _files_when_asked(settings: Settings) -> None:
    """Look for a file of static/ when it is asked for: each new client would list all of them."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Let no test be refused what another one asked for: the library counts in the cache.

    A process has looked at what is announced, as every one has whose first page is over.
    """
    cache.clear()
    calls.forget()
    cache.set(announcements.KEY, (), announcements.KEPT_S)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice@example.com", PASSWORD)


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob@example.com", PASSWORD)


@pytest.fixture
def charlie(db: None) -> User:
    return User.objects.create_user("charlie@example.com", PASSWORD)


@pytest.fixture
def give(now: datetime) -> Callable[..., None]:
    """Give a person money to spend, as if a card had paid: ``give(alice, 5_000_000)``."""

    def _give(user: User, amount_microusd: int) -> None:
        wallet = open_account.wallet(user_id=user.pk)
        post(
            debit=open_account.outside(),
            credit=wallet,
            amount_microusd=MicroUsd(amount_microusd),
            kind=TransferKind.TOP_UP,
            cause=f"gift:{user.pk}:{wallet.credits_posted}",
            now=now,
        )

    return _give


@pytest.fixture
def at_once() -> Callable[[Sequence[Callable[[], object]]], list[object]]:
    """Run calls in threads that all start together; return each one's result or exception."""

    def _at_once(calls: Sequence[Callable[[], object]]) -> list[object]:
        gate = threading.Barrier(len(calls))

        def run(call: Callable[[], object]) -> object:
            try:
                gate.wait(timeout=60)
                return call()
            except Exception as error:
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(run, calls))

    return _at_once
