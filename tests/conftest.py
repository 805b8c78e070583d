"""Fixtures that every program's tests may use."""

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.emptied import empty_by_rows
from tests.migrated import copy_migrated, name_migrated

settings.register_profile(
    "berth",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("berth")
#: of each log, shown beside a failure
LOG_BYTES_SHOWN = 6000
#: of the engine that the tests with containers were lent
ENGINE_LOG = Path(__file__).resolve().parents[1] / ".berth" / "docker" / "dockerd.log"

# Thousands of collected tests and Django's models live as long as the process: the collector need
# not walk over them again for every few hundred new objects.
gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of the garbage collector's way."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failure what the processes that the test drove wrote last."""
    report = yield
    if report.failed:
        driven = getattr(item, "funcargs", {}).values()
        logs = {path for one in driven for path in getattr(one, "logs", ())}
        for path in sorted(logs | {ENGINE_LOG} if logs else ()):
            if path.exists():
                end = path.read_bytes()[-LOG_BYTES_SHOWN:].decode(errors="replace")
                report.sections.append((f"end of {path.name}", end))
    return report


@pytest.fixture
def now() -> datetime:
    """A fixed instant: tests never read the clock."""
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Say whether a migrated database is there already."""
    from django.conf import settings as django_settings

    return django_settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_keepdb: bool,
) -> Iterator[None]:
    """Give each process a database of its own; for SQLite, in a file.

    In memory, threads would share one cache whose locks ignore the timeout; in a file they meet the
    locks that production meets, and two test runs at once do not share a database.
    """
    from django.db import connections

    connection = connections["default"]
    asked = connection.settings_dict["TEST"]
    with tempfile.TemporaryDirectory(prefix="berth-test-") as folder:
        if django_db_keepdb:
            path = Path(folder) / "test.sqlite3"
            copy_migrated(path)
            asked["NAME"] = str(path)
        else:
            asked["TEMPLATE"] = name_migrated(os.environ["BERTH_DATABASE_URL"])
        empty_by_rows(connection)
        yield
