"""This will fetch the images that the host expects to be wanted, while nothing starts."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from miner_agent.engine import EngineRefused, EngineUnavailable
from miner_agent.images import ImagePullFailed, Images, ImageUnknown

#: what they are kept for, instead of a placement
PREPULLS = UUID(int=0)
LOOK_S = 5.0
RETRY_S = 600.0
PROGRESS_EVERY_S = 10.0

logger = logging.getLogger(__name__)


class Leaving(Exception):
    """The agent ends; the next one goes on."""


class Prepull:
    """One image after the other; a tag is looked up anew by every agent that starts."""

    def __init__(
        self,
        *,
        images: Images,
        references: Sequence[str],
        is_idle: Callable[[], bool],
        is_leaving: Callable[[], bool],
    ) -> None:
        self._images = images
        self._waiting = list(references)
        self._is_idle = is_idle
        self._is_leaving = is_leaving

    async def run(self) -> None:
        """Run until everything is here; what fails is tried again later."""
        await asyncio.to_thread(self.begin)
        while self._waiting:
            pause_s = LOOK_S
            try:
                if self._is_idle() and not await asyncio.to_thread(self.fetch_next):
                    pause_s = RETRY_S
            except Exception:
                # What is only convenient must not end what renters pay for.
                logger.exception("image prepull crashed")
                pause_s = RETRY_S
            await asyncio.sleep(pause_s if self._waiting else 0)

    def begin(self) -> None:
        """Let go of what an earlier agent fetched so, unless it is fetched again."""
        self._images.let_go(PREPULLS)

    def fetch_next(self) -> bool:
        """Fetch one image and say whether it is here; a failed one waits behind the others."""
        reference = self._waiting.pop(0)
        try:
            self._images.image(
                reference, placement_id=PREPULLS, progress=self._progress_of(reference)
            )
        except Leaving:
            return False
        except (ImageUnknown, ImagePullFailed, EngineRefused, EngineUnavailable) as error:
            logger.warning("image not prepulled", extra={"image": reference, "error": str(error)})
            self._waiting.append(reference)
            return False
        logger.info("image prepulled", extra={"image": reference})
        return True

    def _progress_of(self, reference: str) -> Callable[[str], None]:
        logged_at: float | None = None

        def progress(text: str) -> None:
            nonlocal logged_at
            if self._is_leaving():
                raise Leaving
            now_s = time.monotonic()
            if logged_at is None or now_s - logged_at >= PROGRESS_EVERY_S:
                logged_at = now_s
                logger.info("image prepull goes on", extra={"image": reference, "progress": text})

        return progress
