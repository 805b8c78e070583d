"""This will add the headers that keep foreign code out of the pages."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

#: No inline script or style anywhere: htmx must be told ``includeIndicatorStyles: false``.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=()"

Response = HttpResponseBase | Awaitable[HttpResponseBase]


class SecurityHeaders:
    """Middleware for synchronous and asynchronous views alike, so that live pages stay async."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Response]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response:
        response = self.get_response(request)
        if isinstance(response, HttpResponseBase):
            return _marked(response)
        return _marked_later(response)


async def _marked_later(response: Awaitable[HttpResponseBase]) -> HttpResponseBase:
    return _marked(await response)


def _marked(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    return response
