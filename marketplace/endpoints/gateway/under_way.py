"""This will bound how many requests are under way: for one endpoint, for one renter, and in all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from marketplace.domain.problem import Refused
from marketplace.endpoints.gateway.routes import Route

#: here, at one gateway; in all well below the connections that its server takes, so that there is
#: room for those who are refused
ENDPOINT_MAX, RENTER_MAX, ALL_MAX = 256, 512, 3072


class EndpointBusy(Refused):
    """Too many requests to one endpoint are under way."""

    code = "endpoint_busy"
    status = 429
    sentence = "Too many requests to this endpoint are under way; try again in a moment."
    retry_after_s = 1


class RenterBusy(Refused):
    """Too many requests to all endpoints of one renter are under way."""

    code = "renter_busy"
    status = 429
    sentence = "Too many requests to this renter's endpoints are under way; try again in a moment."
    retry_after_s = 1


class GatewayBusy(Refused):
    """Too many requests are under way at all."""

    code = "gateway_busy"
    status = 503
    sentence = "This gateway has too many requests under way; try again in a moment."
    retry_after_s = 2


class UnderWay:
    """The requests that are under way at one gateway."""

    def __init__(self) -> None:
        self._requests: Counter[object] = Counter()

    @contextmanager
    def one_more(self, route: Route) -> Iterator[None]:
        """Count a request while it lasts.

        :raises Refused: when there are too many already.
        """
        bounds = (
            (route.endpoint_id, ENDPOINT_MAX, EndpointBusy),
            (route.renter_id, RENTER_MAX, RenterBusy),
            (None, ALL_MAX, GatewayBusy),
        )
        for whose, most, refused in bounds:
            if self._requests[whose] >= most:
                raise refused
        for whose, _, _ in bounds:
            self._requests[whose] += 1
        try:
            yield
        finally:
            for whose, _, _ in bounds:
                self._requests[whose] -= 1
                if not self._requests[whose]:
                    del self._requests[whose]
