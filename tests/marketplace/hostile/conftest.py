"""A market in which Ada has one of each thing."""

import pytest
from pytest_django.fixtures import Settings

from tests.browser.world import World, furnish
from tests.marketplace.hostile.everybody import fill


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> World:
    # However long a test takes, nobody is asked for their password again.
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 86_400
    return fill(furnish(monkeypatch))
