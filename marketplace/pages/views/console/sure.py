"""This will say what an act will do, and have staff say once more that they want it."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from marketplace.domain.problem import Refused
from marketplace.pages.staff import StaffRequest
from marketplace.pages.views.console.pages import reason

#: what a form says of itself, and no act needs
OF_THE_FORM = frozenset({"csrfmiddlewaretoken", "sure", "reason"})


def unsure(
    request: StaffRequest,
    *,
    title: str,
    back: str,
    told: Sequence[str],
    button: str,
    stops: bool = True,
) -> HttpResponse | None:
    """Return the page that asks; None: it was read, and the act is to be done.

    ``told``: what will happen, in sentences. ``stops``: it takes something away.
    """
    why = reason(request)
    try:
        request.staff.words(why)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(back)
    if request.POST.get("sure"):
        return None
    sends = {name: value for name, value in request.POST.items() if name not in OF_THE_FORM}
    context = {
        "title": title,
        "back": back,
        "told": told,
        "reason": why,
        "sends": sends | {"reason": why, "sure": "yes"},
        "button": button,
        "stops": stops,
    }
    return render(request, "console/sure.html", context)
