"""Fixtures that every program's tests may use."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "berth",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("berth")


@pytest.fixture
def now() -> datetime:
    """A fixed instant: tests never read the clock."""
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[None]:
    """Give each process a database of its own; for SQLite, in a file.

    In memory, threads would share one cache whose locks ignore the timeout; in a file they meet the
    locks that production meets, and two test runs at once do not share a database.
    """
    from django.conf import settings as django_settings
    from django.db import connections

    with tempfile.TemporaryDirectory(prefix="berth-test-") as folder:
        if django_settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
            name = str(Path(folder) / "test.sqlite3")
            connections["default"].settings_dict["TEST"]["NAME"] = name
        yield
