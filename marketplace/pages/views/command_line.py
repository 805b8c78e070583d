"""This will say how to get the renter's terminal, and what its first commands are."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.payments import configured_gateway


@require_safe
def command_line(request: HttpRequest) -> HttpResponse:
    """Show the commands with the address of this site."""
    context = {
        "url": settings.PUBLIC_URL,
        "cards": configured_gateway.takes_cards(),
        "takes_money": configured_gateway.is_there(),
    }
    return render(request, "pages/command_line.html", context)
