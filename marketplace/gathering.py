"""This will let many callers' requests be answered together, by one look at the database."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from marketplace.watch import in_thread

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Gathering(Generic[Item, Outcome]):
    """Answers at most every ``every_s``, so that the first after a quiet while does not wait.

    ``answer`` returns one outcome for each item, in order; an exception is raised to its caller.
    It runs in a thread, and never twice at once in this process. It belongs to one event loop.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Item]], Sequence[Outcome | Exception]],
        *,
        every_s: float,
        at_once_max: int,
    ) -> None:
        self._answer = answer
        self._every_s = every_s
        self._at_once_max = at_once_max
        self._waiting: list[tuple[Item, asyncio.Future[Outcome]]] = []
        self._task: asyncio.Task[None] | None = None
        self._next_s = 0.0

    async def put(self, item: Item) -> Outcome:
        """Return what comes of the item."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            # What another loop left behind has nobody who waits for it.
            self._waiting.clear()
            self._task = asyncio.create_task(self._run())
        self._waiting.append((item, future))
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            # Also where it is due: what came in the same moment goes along.
            await asyncio.sleep(max(0.0, min(self._every_s, self._next_s - loop.time())))
            self._next_s = loop.time() + self._every_s
            some = self._waiting[: self._at_once_max]
            del self._waiting[: len(some)]
            for (_, future), outcome in zip(some, await self._outcomes(some), strict=True):
                # Who waited may have gone: to tell it would end this task, and all others wait.
                if future.done():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    async def _outcomes(
        self, some: Sequence[tuple[Item, "asyncio.Future[Outcome]"]]
    ) -> Sequence[Outcome | Exception]:
        try:
            return await in_thread(self._answer)([item for item, _ in some])
        except Exception as error:
            logger.exception("Nothing answered", extra={"items": len(some)})
            return [error] * len(some)
