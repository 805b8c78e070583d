"""The site starts with safe settings, or says what to set."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connection
from pytest_django.fixtures import Settings

from marketplace import secret_key

ROOT = Path(__file__).resolve().parents[2]


ABOUT = (
    "import marketplace.settings as s;"
    "print(s.EMBEDDED, s.TEST_PAYMENTS, s.DEBUG, s.DATABASES['default']['ENGINE'])"
)


def loaded(code: str = ABOUT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a fresh process with only these BERTH_ variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BERTH_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=kept | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_any_setting_the_site_is_embedded(tmp_path: Path) -> None:
    done = loaded(BERTH_DATA_DIR=str(tmp_path / "new"))
    assert done.stdout == "True True False django.db.backends.sqlite3\n", done.stderr
    assert stat.S_IMODE((tmp_path / "new/secret_key").stat().st_mode) == 0o600


def test_with_postgresql_the_site_is_in_production(tmp_path: Path) -> None:
    done = loaded(
        BERTH_DATA_DIR=str(tmp_path),
        BERTH_DATABASE_URL="postgres://db/berth",
        BERTH_SECRET_KEY="x" * 40,
    )
    assert done.stdout == "False False False django.db.backends.postgresql\n", done.stderr
    assert not (tmp_path / "secret_key").exists()


def test_production_needs_its_own_secret_key(tmp_path: Path) -> None:
    done = loaded(BERTH_DATA_DIR=str(tmp_path), BERTH_DATABASE_URL="postgres://db/berth")
    assert done.returncode != 0
    assert "Set BERTH_SECRET_KEY" in done.stderr


def test_a_proof_by_letter_is_required_only_where_letters_are_sent(tmp_path: Path) -> None:
    told = {
        "BERTH_DATABASE_URL": "postgresql://berth@127.0.0.1/berth",
        "BERTH_DATA_DIR": str(tmp_path),
        "BERTH_SECRET_KEY": "x" * 50,
        "BERTH_REQUIRE_PROVEN_EMAIL": "1",
    }
    refused = loaded(**told)
    assert "needs BERTH_EMAIL_URL" in refused.stderr
    code = "import marketplace.settings as s; print(s.ACCOUNT_EMAIL_VERIFICATION)"
    allowed = loaded(code, **told, BERTH_EMAIL_URL="smtp://127.0.0.1:25")
    assert allowed.stdout == "mandatory\n"


def test_the_secret_key_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    first = secret_key.load_or_create(path)
    assert len(first) >= 48
    assert secret_key.load_or_create(path) == first
    assert [child.name for child in tmp_path.iterdir()] == ["secret_key"]


def test_the_checks_pass_as_it_stands() -> None:
    assert run_checks() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"EMBEDDED": False, "DATABASE_URL": ""}, "berth.E001"),
        ({"SECRET_KEY": "short"}, "berth.E002"),
        ({"FEE_PPM": -1}, "berth.E003"),
        ({"FEE_PPM": 1_000_001}, "berth.E003"),
        ({"OUTBID_NOTICE_S": 0}, "berth.E013"),
        ({"OUTBID_NOTICE_S": 91}, "berth.E013"),
        ({"CONTACT": "mailto:ops@berth.example"}, "berth.E014"),
        ({"CONTACT": "javascript://%0aalert(1)"}, "berth.E014"),
        ({"SOURCE_URL": "ops@berth.example"}, "berth.E014"),
        ({"STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_API_URL": "http://127.0.0.1:1"}, "berth.E005"),
        # A restricted key takes live money too.
        ({"STRIPE_SECRET_KEY": "rk_live_1", "STRIPE_API_URL": "http://127.0.0.1:1"}, "berth.E005"),
        ({"STRIPE_SECRET_KEY": "sk_live_1", "TEST_PAYMENTS": True}, "berth.E006"),
        ({"STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRET": ""}, "berth.W004"),
        ({"EMBEDDED": False, "TEST_PAYMENTS": True}, "berth.W001"),
        ({"EMBEDDED": False, "STRIPE_SECRET_KEY": "sk_test_1"}, "berth.W005"),
        ({"EMBEDDED": False, "STRIPE_SECRET_KEY": "rk_test_1"}, "berth.W005"),
        ({"BEHIND_TLS_PROXY": True, "TRUSTED_PROXIES": 0}, "berth.W002"),
    ],
)
def test_a_dangerous_setting_is_reported(
    settings: Settings, changes: dict[str, object], code: str
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert code in {problem.id for problem in run_checks()}


def test_a_missing_mail_server_is_told_by_check_deploy_and_no_other_command(
    settings: Settings,
) -> None:
    settings.SENDS_MAIL = False
    assert run_checks() == []
    assert "berth.W003" in {found.id for found in run_checks(include_deployment_checks=True)}


def test_sqlite_writes_ahead_and_waits_for_locks(db: None) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)
            cursor.execute("PRAGMA busy_timeout")
            assert cursor.fetchone() == (20_000,)
    else:
        assert connection.vendor == "postgresql"


def test_sqlite_maps_no_file_or_it_loses_what_was_committed(db: None) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA mmap_size")
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "True console berth@127.0.0.1"),
        ({"BERTH_EMAIL_URL": "smtp://mail.example"}, "True smtp berth@127.0.0.1"),
        ({"BERTH_EMAIL_URL": "smtps://mail.example?from=a@b.c"}, "True smtp a@b.c"),
        ({"BERTH_EMBEDDED": "0", "BERTH_SECRET_KEY": "x" * 40}, "False console berth@127.0.0.1"),
    ],
)
def test_letters_go_to_a_mail_server_or_nowhere(
    tmp_path: Path, variables: dict[str, str], told: str
) -> None:
    code = (
        "import marketplace.settings as s;"
        "print(s.SENDS_MAIL, s.EMAIL_BACKEND.split('.')[-2], s.DEFAULT_FROM_EMAIL)"
    )
    done = loaded(code, BERTH_DATA_DIR=str(tmp_path), **variables)
    assert done.stdout == f"{told}\n", done.stderr
