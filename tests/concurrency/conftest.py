"""This will let calls race on PostgreSQL; scripts/with_postgresql.py is the way to run it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

Race = Callable[[Sequence[Callable[[], object]]], list[object]]


@pytest.fixture(autouse=True)
def _on_postgresql(transactional_db: None) -> None:
    assert connection.vendor == "postgresql", "Run this folder by scripts/with_postgresql.py."


@pytest.fixture
def race() -> Race:
    """Run all calls at the same moment, each on its own connection; return what each did."""

    def run(calls: Sequence[Callable[[], object]]) -> list[object]:
        barrier = Barrier(len(calls))

        def one(call: Callable[[], object]) -> object:
            try:
                connection.ensure_connection()
                barrier.wait(timeout=60)
                return call()
            except Exception as problem:
                return problem
            finally:
                connection.close()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    return run
