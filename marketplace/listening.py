"""This will let the passes know, as long as this server runs, that machines can reach it."""

import asyncio
import logging
from datetime import UTC, datetime

from django.db import Error

from marketplace.machines.actions.attend import EVERY_S, SITE, attend
from marketplace.watch import in_thread

logger = logging.getLogger(__name__)


async def listen() -> None:
    """Say so every few seconds until cancelled."""
    while True:
        try:
            await in_thread(attend)(name=SITE, now=datetime.now(tz=UTC))
        except Error:
            # A database that does not answer now is told the next time.
            logger.warning("Attendance not noted", exc_info=True)
        await asyncio.sleep(EVERY_S)
