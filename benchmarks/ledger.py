"""This will measure transfers a second, to one hot account and to many, against bare SQL.

Run it with ``python -m benchmarks.ledger --transfers 1000 --rounds 5``. Both write the same rows
from as many threads of one process, one transfer a commit; and once more a hundred in a commit.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.cloning import clone, database, named, vacuum

CLIENTS, ACCOUNTS, FUND = 32, 2000, 10**12
NOW = datetime(2026, 3, 1, tzinfo=UTC)
BARE = """
WITH one AS (
  INSERT INTO ledger_transfer (debit_id, credit_id, amount_microusd, kind, cause, note, at)
  VALUES (%(debit)s, %(credit)s, 1, 'refund', %(cause)s, '', %(at)s)
), gone AS (
  UPDATE ledger_account SET debits_posted = debits_posted + 1
  WHERE id = %(debit)s AND credits_posted > debits_posted
) UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE id = %(credit)s
"""
_causes = count()


def main() -> None:
    """Print transfers a second, ratios and their spread as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--transfers", type=int, default=1000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with database() as url:
        _fill()
        print(json.dumps(_measure(url, options.transfers, options.rounds), indent=2))


def _fill() -> None:
    """Give many people a wallet with as much as they ever need."""
    from marketplace.accounts.models import User
    from marketplace.domain.ledger import TransferKind
    from marketplace.domain.money import MicroUsd
    from marketplace.ledger.actions import open_account
    from marketplace.ledger.actions.post import post
    from marketplace.ledger.models import Account

    user = User.objects.create_user("payer0@example.org")
    clone(user, ACCOUNTS, email="'payer' || i || '@example.org'", username="'payer' || i")
    outside, wallet = open_account.outside(), open_account.wallet(user_id=user.pk)
    first = post(
        debit=outside,
        credit=wallet,
        amount_microusd=MicroUsd(FUND),
        kind=TransferKind.TOP_UP,
        cause="fund0",
        now=NOW,
    )
    wallet.refresh_from_db()
    clone(wallet, ACCOUNTS, id=named("wallet"), user_id=f"{user.pk} + i")
    clone(first, ACCOUNTS, credit_id=named("wallet"), cause="'fund' || i")
    Account.objects.filter(pk=outside.pk).update(debits_posted=FUND * (ACCOUNTS + 1))


def _measure(url: str, transfers: int, rounds: int) -> dict[str, Any]:
    from marketplace.ledger.audit import audit
    from marketplace.ledger.models import Account

    wallets = list(Account.objects.filter(kind="wallet").order_by("id"))
    ways: dict[str, Callable[..., float]] = {
        "ours": lambda pairs: _at_once(_post, pairs),
        "bare": lambda pairs: _bare(url, pairs),
        "ours_in_sets": lambda pairs: _in_sets(pairs),
    }
    seen: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for shape in ("spread", "hot"):
            for name in list(ways) if number % 2 else list(ways)[::-1]:
                pairs = [
                    (
                        wallets[(7 * one + number) % 1000],
                        wallets[-1] if shape == "hot" else wallets[1000 + one % 900],
                    )
                    for one in range(transfers)
                ]
                vacuum()
                rate = transfers / ways[name](pairs)
                seen.setdefault((shape, name), []).append(rate)
    assert audit() == []
    found: dict[str, Any] = {"transfers": transfers, "rounds": rounds, "clients": CLIENTS}
    for shape in ("spread", "hot"):
        for name in ways:
            found[f"{shape}_{name}_a_second"] = round(statistics.median(seen[shape, name]))
        for name in ("ours", "ours_in_sets"):
            pairs_ = zip(seen[shape, name], seen[shape, "bare"], strict=True)
            ratios = [ours / bare for ours, bare in pairs_]
            found[f"{shape}_{name}_ratio"] = [
                round(one, 2) for one in (statistics.median(ratios), min(ratios), max(ratios))
            ]
    for name in ("ours", "bare"):
        hot = zip(seen["hot", name], seen["spread", name], strict=True)
        of_spread = statistics.median(one / other for one, other in hot)
        found[f"{name}_hot_of_spread"] = round(of_spread, 2)
    return found


def _post(debit: Any, credit: Any) -> None:
    from marketplace.domain.ledger import TransferKind
    from marketplace.domain.money import MicroUsd
    from marketplace.ledger.actions.post import post

    post(
        debit=debit,
        credit=credit,
        amount_microusd=MicroUsd(1),
        kind=TransferKind.REFUND,
        cause=f"ours:{next(_causes)}",
        now=NOW,
    )


def _at_once(do: Callable[..., None], pairs: list[tuple[Any, Any]]) -> float:
    from django.db import connection

    def work(some: list[tuple[Any, Any]]) -> None:
        for debit, credit in some:
            do(debit, credit)
        connection.close()

    return _timed(work, pairs)


def _bare(url: str, pairs: list[tuple[Any, Any]]) -> float:
    def work(some: list[tuple[Any, Any]]) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for debit, credit in some:
                told: dict[str, UUID | str | datetime] = {
                    "debit": debit.pk,
                    "credit": credit.pk,
                    "cause": f"bare:{next(_causes)}",
                    "at": NOW,
                }
                connection.execute(BARE, told)

    return _timed(work, pairs)


def _in_sets(pairs: list[tuple[Any, Any]]) -> float:
    """Post a hundred in one transaction, as who has many to post does."""
    from marketplace.domain.ledger import TransferKind
    from marketplace.domain.money import MicroUsd
    from marketplace.ledger.actions.post import Entry, post_together

    began = time.perf_counter()
    for first in range(0, len(pairs), 100):
        entries = [
            Entry(debit, credit, MicroUsd(1), TransferKind.REFUND, f"set:{next(_causes)}")
            for debit, credit in pairs[first : first + 100]
        ]
        post_together(entries=entries, now=NOW)
    return time.perf_counter() - began


def _timed(work: Callable[..., None], pairs: list[tuple[Any, Any]]) -> float:
    with ThreadPoolExecutor(CLIENTS) as pool:
        began = time.perf_counter()
        list(pool.map(work, [pairs[number::CLIENTS] for number in range(CLIENTS)]))
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
