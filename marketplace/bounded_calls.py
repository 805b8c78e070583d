"""This will say whose call of the API it is, and refuse it where they made too many.

The library counts by keeping the time of each call in the cache, which is a list of thousands for
each caller, and two of its processes lose each other's; call_limits.py counts instead.
"""

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.throttling import BaseThrottle

from marketplace.accounts.bearer import caller_key, viewer_id
from marketplace.accounts.client_address import client_address
from marketplace.call_limits import WINDOW_S, calls
from marketplace.domain.problem import Refused
from marketplace.machines.actions.authenticate import Sender


class TooManyCalls(Refused):
    """More calls than one may make in ten seconds."""

    code = "rate_limited"
    status = 429

    def __init__(self, wait_s: int) -> None:
        self.retry_after_s = wait_s
        super().__init__(f"Too many calls; go on in {wait_s} s.")


class Bounded(BaseThrottle):
    """What the library asks of each operation once it knows who calls."""

    def allow_request(self, request: HttpRequest) -> bool:
        """Say whether the call may go on."""
        request.calls_wait_s = wait_s = _take(request)  # type: ignore[attr-defined]
        return not wait_s

    def wait(self) -> float | None:
        """Return None: it is one object for all threads, so the request keeps how long."""
        return None


def is_counted(request: HttpRequest) -> bool:
    """Say whether the call was counted; one that nobody was let in with was not yet."""
    return hasattr(request, "calls_wait_s")


def wait_s_of(request: HttpRequest) -> int:
    """Return how many seconds a refused caller has to wait."""
    return getattr(request, "calls_wait_s", WINDOW_S)


def take_unknown(request: HttpRequest) -> int:
    """Count a call of nobody who is known and return 0, or how many seconds to wait.

    An address that nobody told, as on a Unix socket, is not counted: it would be everybody's.
    """
    address = client_address(request)
    if not address:
        return 0
    return calls.take(f"address {address}", settings.ADDRESS_CALLS_A_MINUTE, timezone.now())


def _take(request: HttpRequest) -> int:
    known: object = getattr(request, "auth", None)
    if (key_id := caller_key(request)) is not None:
        return _take_by_key(key_id)
    if isinstance(known, Sender):
        return _take_by_program(f"machine {known.machine_id}")
    if isinstance(known, str):
        return _take_by_program(f"validator {known}")
    wait_s = take_unknown(request)
    # Where anybody may look, it is asked for a key only once all others of the address, such as a
    # whole office's, have used it up: looking keys up costs more than counting.
    if wait_s and _has_key(request):
        return _take_by_key(caller_key(request))
    return wait_s


def _has_key(request: HttpRequest) -> bool:
    try:
        return viewer_id(request) is not None
    except Refused:
        return False


def _take_by_key(key_id: object) -> int:
    return calls.take(f"key {key_id}", settings.KEY_CALLS_A_MINUTE, timezone.now())


def _take_by_program(subject: str) -> int:
    return calls.take(subject, settings.PROGRAM_CALLS_A_MINUTE, timezone.now())
