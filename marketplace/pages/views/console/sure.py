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
    sure: str = "yes",
) -> HttpResponse | None:
    """Return the page that asks; None: it was read, and the act is to be done.

    ``told``: what will happen, in sentences. ``stops``: it takes something away.
    ``sure``: what was read of it; where that is something else by now, it is asked anew.
    """
    why = reason(request)
    try:
        request.staff.words(why)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(back)
    read = request.POST.get("sure", "")
    if read == sure:
        return None
    if read:
        messages.warning(request, "What it will do changed meanwhile; read it again.")
    sends = {name: value for name, value in request.POST.items() if name not in OF_THE_FORM}
    context = {
        "title": title,
        "back": back,
        "told": told,
        "reason": why,
        "sends": sends | {"reason": why, "sure": sure},
        "button": button,
        "stops": stops,
    }
    return render(request, "console/sure.html", context)
