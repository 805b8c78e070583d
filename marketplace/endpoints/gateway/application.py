"""This will pass each caller's request to a replica and its answer back, as both come."""

import asyncio
import hmac
import logging

from marketplace.domain.problem import Refused
from marketplace.endpoints.gateway import headers
from marketplace.endpoints.gateway.caller import (
    Caller,
    CallerLeft,
    CallerUnknown,
    EndpointNotFound,
    Receive,
    Scope,
    Send,
)
from marketplace.endpoints.gateway.exchange import Exchange
from marketplace.endpoints.gateway.machines import Broken
from marketplace.endpoints.gateway.pool import Pool
from marketplace.endpoints.gateway.routes import Route

logger = logging.getLogger(__name__)
#: until an answer begins, between two parts of it, and for all of a request
FIRST_S, SILENCE_S, ALL_S = 600.0, 300.0, 3600.0


class ReplicaBroke(Refused):
    """The replica took the request and gave no answer; it may have done what was asked."""

    code = "replica_failed"
    status = 502
    sentence = "The replica broke off without an answer; ask again if that does no harm."


class ReplicaSlow(Refused):
    """The replica gave no answer in time."""

    code = "replica_slow"
    status = 504
    sentence = "The replica gave no answer in time."


class Gateway:
    """The ASGI application."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lane = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        caller = Caller(scope, receive, send)
        try:
            try:
                await self._serve(caller)
            except Refused as refused:
                if not caller.begun:
                    await caller.refuse(refused)
                # Else the server below ends the connection, so that a part is not taken for all.
        except CallerLeft:
            return

    async def _serve(self, caller: Caller) -> None:
        route = self._admit(caller)
        try:
            async with self._pool.stream(route) as stream:
                await _pass_on(caller, Exchange(stream, lane=self._lane))
        except Broken as error:
            logger.info("Replica broke off", extra={"problem": str(error)})
            raise ReplicaBroke from error

    def _admit(self, caller: Caller) -> Route:
        route = self._pool.route(caller.endpoint_id)
        if route is None:
            raise EndpointNotFound
        if not hmac.compare_digest(caller.key_digest(), route.key_digest):
            raise CallerUnknown
        caller.check()
        return route


async def _pass_on(caller: Caller, exchange: Exchange) -> None:
    """Carry both ways at once: a replica may answer before it has heard all."""
    asking = asyncio.create_task(_ask(caller, exchange))
    answering = asyncio.create_task(_answer(caller, exchange))
    both = (asking, answering)
    try:
        async with asyncio.timeout(ALL_S):
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        # Where the request failed, or nobody waits for the answer any more, it says so.
        (answering if answering.done() else asking).result()
    except TimeoutError as error:
        raise ReplicaSlow from error
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _ask(caller: Caller, exchange: Exchange) -> None:
    """Pass the request on, then wait until nobody waits for the answer any more."""
    try:
        asked = headers.asked(caller.headers, has_body=caller.has_body)
        await exchange.ask(method=caller.method, target=caller.target, headers=asked)
        async for content in caller.body():
            await exchange.say(content)
        await exchange.finish()
    except Broken:
        # It may have answered before it stopped to listen: who waits for that says which.
        logger.debug("Replica stopped to listen")
    await caller.leave()
    raise CallerLeft


async def _answer(caller: Caller, exchange: Exchange) -> None:
    async with asyncio.timeout(FIRST_S):
        response = await exchange.answer()
    await caller.start(response.status_code, headers.answered(response.headers))
    content = exchange.content()
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                part = await anext(content)
        except StopAsyncIteration:
            break
        await caller.give(part)
    await caller.give(b"", more=False)
