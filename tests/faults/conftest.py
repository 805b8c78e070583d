"""Settings that the simulated market is played with."""

import logging
from collections.abc import Iterator

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def simulated(settings: Settings, db: None) -> Iterator[None]:
    """Fix what a site chooses for itself, and keep a day's log lines to ourselves."""
    settings.SECRET_KEY = "simulated"
    settings.TEST_PAYMENTS = True
    settings.FEE_PPM = 50_000
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)
