"""This will answer with one call what many ask at about the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

#: how long the first of them waits for others, seconds
GATHERED_S = 0.05


class Gathering(Generic[Asked, Answered]):
    """Gathers what is asked, for one call of ``answer`` with up to ``most`` of them.

    ``answer`` returns for each, in order, what it is answered or the error that it is to get; an
    error that it raises is everybody's.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Asked]], Awaitable[Sequence[Answered | Exception]]],
        *,
        most: int,
    ) -> None:
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[Asked, asyncio.Future[Answered]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, one: Asked) -> Answered:
        """Return what ``one`` is answered, with others or alone."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answered] = loop.create_future()
        self._waiting.append((one, answered))
        if len(self._waiting) >= self._most:
            self._call()
        elif self._timer is None:
            self._timer = loop.call_later(GATHERED_S, self._call)
        return await answered

    def _call(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        # Whoever was called off meanwhile waits for nothing.
        asking = [each for each in self._waiting if not each[1].done()]
        self._waiting = []
        if asking:
            call = asyncio.ensure_future(self._answer_all(asking))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _answer_all(self, asking: Sequence[tuple[Asked, asyncio.Future[Answered]]]) -> None:
        found: Sequence[Answered | Exception]
        try:
            found = await self._answer([one for one, _ in asking])
        except Exception as error:
            found = [error] * len(asking)
        for (_, answered), each in zip(asking, found, strict=True):
            if answered.done():
                continue
            if isinstance(each, Exception):
                answered.set_exception(each)
            else:
                answered.set_result(each)
