"""This will show the page with a terminal in a rental; its WebSocket is served beside Django."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.pages.shown.rental import panel
from marketplace.pages.views.rental import own
from marketplace.pages.visitor import MemberRequest, members_only


@require_safe
@members_only
def rental_terminal(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show the terminal, or why there is none now."""
    return render(request, "rentals/terminal.html", {"rental": panel(own(request, rental_id))})
