"""This will keep a rental's page equal to the rental, by server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from marketplace.accounts.acting import actor_id
from marketplace.accounts.teams import RoleMissing, TeamUnknown, acting
from marketplace.domain.scope import Scope
from marketplace.pages import watch
from marketplace.pages.shown.rental import RentalPanel, panel
from marketplace.rentals import queries
from marketplace.streams import let_go

#: a comment this often keeps proxies from closing a quiet stream
HEARTBEAT_S = 15
#: then the stream ends and the browser opens the next one, so that none is held for ever
STREAM_S_MAX = 300
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def rental_events(request: HttpRequest, rental_id: UUID) -> HttpResponseBase:
    """Stream the panel each time that it changes, until the rental has ended."""
    if request.method != "GET":
        return HttpResponse(status=405, headers={"Allow": "GET"})
    user = await request.auser()
    # The look takes a connection of its own: requests that each held one while they waited for
    # another would all wait, once there are as many as connections.
    await sync_to_async(let_go)()
    if user.pk is None:
        return HttpResponse(status=403)
    person_id = actor_id(request) or user.pk
    if watch.of_this_process().full(person_id):
        return HttpResponse(status=503)
    try:
        await _look(rental_id, user.pk, person_id)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    return StreamingHttpResponse(
        _stream(request, rental_id, user.pk, person_id),
        content_type="text/event-stream",
        headers=HEADERS,
    )


async def _stream(
    request: HttpRequest, rental_id: UUID, renter_id: int, person_id: int
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    until = loop.time() + STREAM_S_MAX
    shown: RentalPanel | None = None
    yield "retry: 1000\n\n"
    if watch.of_this_process().full(person_id):
        # Many streams were asked for at once, before any of them began to count.
        return
    with watch.of_this_process().watching(rental_id, person_id) as changed:
        while loop.time() < until:
            # Cleared before the look, so that a change during the look is not lost.
            changed.clear()
            try:
                seen = await _look(rental_id, renter_id, person_id)
            except (queries.RentalUnknown, TeamUnknown, RoleMissing):
                return
            if seen != shown:
                shown = seen
                yield await watch.in_thread(_event)(request, seen)
            if not seen.live:
                yield "event: settled\ndata: \n\n"
                return
            if not await _woken(changed):
                yield ": still here\n\n"


async def _woken(changed: asyncio.Event) -> bool:
    # Not wait_for: before Python 3.12 it drops a cancellation that meets the end of the wait.
    try:
        async with asyncio.timeout(HEARTBEAT_S):
            await changed.wait()
    except TimeoutError:
        return False
    return True


async def _look(rental_id: UUID, renter_id: int, person_id: int) -> RentalPanel:
    return panel(await watch.in_thread(_view)(rental_id, renter_id, person_id))


def _view(rental_id: UUID, renter_id: int, person_id: int) -> queries.RentalView:
    if person_id != renter_id:
        # Whoever was let go from the team sees no more of it, in a stream that is open too.
        acting(person_id, renter_id).must(Scope.RENTALS_READ)
    return queries.view(rental_id, renter_id, timezone.now())


def _event(request: HttpRequest, seen: RentalPanel) -> str:
    html = render_to_string("rentals/_panel.html", {"rental": seen}, request=request)
    lines = "\n".join(f"data: {line}" for line in html.splitlines() if line.strip())
    return f"event: rental\n{lines}\n\n"
