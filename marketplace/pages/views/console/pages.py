"""This will read where a page of a list begins, and do one act of a console's form."""

import re
from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest

from marketplace.domain.problem import Refused

TEXT_LENGTH_MAX = 254
NUMBER = re.compile("[0-9]{1,18}")


def number(request: HttpRequest, name: str) -> int | None:
    """Return a whole number of the query; None: there is none, or it is something else."""
    text = request.GET.get(name, "")
    return int(text) if NUMBER.fullmatch(text) else None


def text(request: HttpRequest, name: str) -> str:
    """Return what was asked for in the query, cut to what is searched for."""
    return request.GET.get(name, "").strip()[:TEXT_LENGTH_MAX]


def reason(request: HttpRequest) -> str:
    """Return why an act is done, in the words of whoever does it; the act says what of it fits."""
    return request.POST.get("reason", "")


def identifier(request: HttpRequest, name: str) -> UUID | None:
    """Return an id of the query; None: there is none, or it is something else."""
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None


def done(request: HttpRequest, act: Callable[[], object], sentence: str) -> bool:
    """Do it and say so, or say why it was refused; return whether it was done.

    :raises Http404: when what it is about is not there.
    """
    try:
        act()
    except Refused as refused:
        if refused.status == 404:
            raise Http404(refused.detail) from None
        messages.error(request, refused.detail)
        return False
    messages.success(request, sentence)
    return True
