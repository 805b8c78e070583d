"""This will refuse every request that holds a NUL character, before anything else reads it.

No text column of PostgreSQL takes one, so a view that hands it on would break. JSON bodies are
looked through by the API's parser, which is the first to read them.
"""

from collections.abc import Awaitable, Callable, Iterator

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.template.loader import render_to_string

from marketplace.domain.problem import Refused
from protocol import paths
from protocol.agent import ProblemReply

NUL = "\0"
#: what programs ask: every refusal there has one shape
FOR_PROGRAMS = (paths.API.rsplit("/", 1)[0] + "/", "/stripe/")
Response = HttpResponseBase | Awaitable[HttpResponseBase]


class NulRefused(Refused):
    """A text holds a NUL character."""

    code = "nul_character"
    status = 400
    sentence = "A text may hold no NUL character; take it out and send it again."


class NoNul:
    """Middleware for synchronous and asynchronous views alike, as in ``security``."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Response]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response:
        if not any(NUL in text for text in _texts(request)):
            return self.get_response(request)
        refusal = _refusal(request)
        if iscoroutinefunction(self):
            return _later(refusal)
        return refusal

    def process_view(
        self, request: HttpRequest, view: Callable[..., object], *_: object
    ) -> HttpResponse | None:
        """Look through a form; a view that no token guards reads what it is sent by itself."""
        if getattr(view, "csrf_exempt", False):
            return None
        return _refusal(request) if any(NUL in text for text in _of(request.POST)) else None


async def _later(response: HttpResponseBase) -> HttpResponseBase:
    return response


def _texts(request: HttpRequest) -> Iterator[str]:
    yield request.path
    # A cookie may spell it as ``"\\000"``.
    yield from request.COOKIES.values()
    yield from _of(request.GET)


def _of(form: QueryDict) -> Iterator[str]:
    for name, values in form.lists():
        yield name
        yield from map(str, values)


def _refusal(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(FOR_PROGRAMS):
        refused = NulRefused
        reply = ProblemReply(status=refused.status, code=refused.code, detail=refused.sentence)
        return HttpResponse(
            reply.model_dump_json(), status=refused.status, content_type="application/problem+json"
        )
    page = render_to_string("400.html", {"sentence": NulRefused.sentence})
    return HttpResponse(page, status=NulRefused.status)
