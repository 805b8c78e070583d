"""This will keep a rental's page equal to the rental, by server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from marketplace.pages.shown.rental import RentalPanel, panel
from marketplace.rentals import queries

TICK_S = 0.5
#: a comment this often keeps proxies from closing a quiet stream
HEARTBEAT_TICKS = 30
#: then the stream ends and the browser opens the next one, so that none is held for ever
TICKS_MAX = 600
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Watched:
    rental_id: UUID
    renter_id: int


async def rental_events(request: HttpRequest, rental_id: UUID) -> HttpResponseBase:
    """Stream the panel each time that it changes, until the rental has ended."""
    if request.method != "GET":
        return HttpResponse(status=405, headers={"Allow": "GET"})
    user = await request.auser()
    if user.pk is None:
        return HttpResponse(status=403)
    watched = Watched(rental_id, user.pk)
    try:
        await _look(watched)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    return StreamingHttpResponse(
        _stream(request, watched), content_type="text/event-stream", headers=HEADERS
    )


async def _stream(request: HttpRequest, watched: Watched) -> AsyncIterator[str]:
    shown: RentalPanel | None = None
    yield "retry: 1000\n\n"
    for tick in range(TICKS_MAX):
        try:
            seen = await _look(watched)
        except queries.RentalUnknown:
            return
        if seen != shown:
            shown = seen
            yield await _event(request, seen)
        elif tick % HEARTBEAT_TICKS == 0:
            yield ": still here\n\n"
        if not seen.live:
            yield "event: settled\ndata: \n\n"
            return
        await asyncio.sleep(TICK_S)


@sync_to_async
def _look(watched: Watched) -> RentalPanel:
    return panel(queries.view(watched.rental_id, watched.renter_id, timezone.now()))


@sync_to_async
def _event(request: HttpRequest, seen: RentalPanel) -> str:
    html = render_to_string("rentals/_panel.html", {"rental": seen}, request=request)
    lines = "\n".join(f"data: {line}" for line in html.splitlines() if line.strip())
    return f"event: rental\n{lines}\n\n"
