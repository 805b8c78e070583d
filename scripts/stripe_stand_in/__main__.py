"""This will run the stand-in for a site: ``python -m scripts.stripe_stand_in --site URL``."""

import argparse
import contextlib
import signal
import time

import aiohttp
from aiohttp import web

from scripts.stripe_stand_in import connect as connected
from scripts.stripe_stand_in.connect import Connect
from scripts.stripe_stand_in.pages import CONNECT, Pages
from scripts.stripe_stand_in.payments import Handler, Stripe, running

TELL_S_MAX = 10


class Both:
    """Payments and Connect behind one address, as Stripe's are."""

    def __init__(self, *, site: str, url: str) -> None:
        self._site = site
        self._connect = Connect(url=url, pages=f"{url}{CONNECT.rstrip('/')}", pays_at_once=True)
        self._pages: Pages | None = None

    def begin(self, stripe: Stripe) -> None:
        """Take the time from this machine's clock, and show pages."""
        stripe.at = None
        self._pages = Pages(stripe=stripe, connect=self._connect, tell=self._tell)

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what Connect is asked, and people's browsers; leave the rest to payments."""
        if connected.is_asked(request.method, request.path, request.headers):
            fields = dict(request.query) | {
                key: str(v) for key, v in (await request.post()).items()
            }
            try:
                status, document = self._connect.answer(
                    request.method, request.path, fields, request.headers
                )
            except connected.Malformed as fault:
                status, document = 400, {"error": {"message": str(fault)}}
            return web.json_response(document, status=status)
        if self._pages is None:
            raise web.HTTPServiceUnavailable
        return await self._pages.answer(request, handler)

    async def _tell(self, kind: str, reference: str) -> None:
        """Tell the site; it asks for itself within the hour where this is lost."""
        body, signature = self._connect.event(kind, reference, at=int(time.time()))
        limit = aiohttp.ClientTimeout(total=TELL_S_MAX)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(timeout=limit) as session:
                await session.post(
                    f"{self._site}/stripe/connect",
                    data=body,
                    headers={"Stripe-Signature": signature},
                )


def main() -> None:
    """Answer on loopback until it is told to end."""
    parser = argparse.ArgumentParser(prog="python -m scripts.stripe_stand_in")
    parser.add_argument("--site", required=True, help="the site that is told of events")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    ending = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    both = Both(site=options.site, url=f"http://127.0.0.1:{options.port}")
    tells = f"{options.site}/stripe/events"
    with running(port=options.port, tells=tells, first=(both.answer,)) as stripe:
        both.begin(stripe)
        signal.sigwait(ending)


if __name__ == "__main__":
    main()
