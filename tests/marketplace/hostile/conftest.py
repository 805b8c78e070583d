"""A market in which Ada has one of each thing."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.browser.world import World, furnish
from tests.marketplace.hostile.everybody import fill


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> World:
    # However long a test takes, nobody is asked for their password again.
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 86_400
    settings.BLOBS_DIR = str(tmp_path / "blobs")
    return fill(furnish(monkeypatch))
