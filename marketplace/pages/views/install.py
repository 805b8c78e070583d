"""This will hand the agent to hosts' machines: a script that anybody can read, and what it fetches.

Neither is anybody's: no session is looked at, and the enrolment token never comes here in an
address (decision 55).
"""

import shlex

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketplace.accounts.client_address import client_address
from marketplace.call_limits import calls
from marketplace.machines.agent_bundle import BYTES_MAX, bundle

TEXT = "text/plain; charset=utf-8"
#: its address names its content
FOR_EVER = "public, max-age=31536000, immutable"


@require_safe
def install_script(request: HttpRequest) -> HttpResponse:
    """Return the script that installs this site's agent, names its digest, and enrols."""
    if refused := _too_many(request):
        return refused
    packed = bundle()
    if packed is None:
        return _none()
    told = {
        "site": settings.PUBLIC_URL,
        "bundle": f"{settings.PUBLIC_URL}{reverse('install-bundle', args=[packed.sha256])}",
        "sha256": packed.sha256,
        "wheel": packed.wheel,
    }
    context = {name: shlex.quote(text) for name, text in told.items()} | {
        "shown": settings.PUBLIC_URL,
        "bytes_max": BYTES_MAX,
        "public_only": not settings.PRIVATE_MACHINES,
    }
    reply = HttpResponse(render_to_string("host/install.sh", context), content_type=TEXT)
    # A kept one would name a bundle that the site no longer has.
    reply.headers["Cache-Control"] = "no-cache"
    return reply


@require_safe
def install_bundle(request: HttpRequest, sha256: str) -> HttpResponse:
    """Return what the script fetches; of an older release there is nothing any more."""
    if refused := _too_many(request):
        return refused
    packed = bundle()
    if packed is None:
        return _none()
    if sha256 != packed.sha256:
        return HttpResponse("This site has another release now.\n", content_type=TEXT, status=404)
    reply = HttpResponse(packed.content, content_type="application/gzip")
    reply.headers["Cache-Control"] = FOR_EVER
    return reply


def _none() -> HttpResponse:
    sentence = "This site could not pack its agent when it started; tell its operator.\n"
    return HttpResponse(sentence, content_type=TEXT, status=503)


def _too_many(request: HttpRequest) -> HttpResponse | None:
    """Count the request among the calls of its address; return what it is refused with, if it is.

    An address that nobody told, as on a Unix socket, is not counted: it would be everybody's.
    """
    address = client_address(request)
    a_minute = settings.ADDRESS_CALLS_A_MINUTE if address else 0
    wait_s = calls.take(f"address {address}", a_minute, timezone.now())
    if not wait_s:
        return None
    sentence = f"Too many calls; go on in {wait_s} s.\n"
    reply = HttpResponse(sentence, content_type=TEXT, status=429)
    reply.headers["Retry-After"] = str(wait_s)
    return reply
