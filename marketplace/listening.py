"""This will let the passes know, as long as this server runs, that machines can reach it."""

import asyncio
import logging
from datetime import UTC, datetime

from marketplace.machines.actions.attend import EVERY_S, SITE, attend
from marketplace.watch import in_thread

logger = logging.getLogger(__name__)


async def listen() -> None:
    """Say so every few seconds until cancelled."""
    while True:
        try:
            await in_thread(attend)(name=SITE, now=datetime.now(tz=UTC))
        except Exception:
            # Told the next time, whatever it was: if this ended, nothing would go offline any more.
            logger.exception("Attendance not noted")
        await asyncio.sleep(EVERY_S)
