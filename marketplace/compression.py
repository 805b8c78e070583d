"""This will send pages and their files packed, so that a slow line shows them sooner.

What is streamed as it happens is left alone: whoever packs holds back the first lines of it.
"""

from http import HTTPStatus

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware

#: fonts and pictures are packed already
PACKED_TYPES = frozenset(
    {
        "application/json",
        "application/problem+json",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)


class Compression(GZipMiddleware):
    """Packs for whoever takes gzip; collectstatic's own packed files go out as they are."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Return the answer, packed where that makes it smaller."""
        if response.headers.get("Content-Type", "").partition(";")[0] not in PACKED_TYPES:
            return response
        if response.streaming:
            # A part of a file is counted in bytes of the file, not of what it was packed to.
            if not isinstance(response, FileResponse) or response.status_code != HTTPStatus.OK:
                return response
            response = _whole(response)
        return super().process_response(request, response)


def _whole(file: FileResponse) -> HttpResponse:
    """Return the file as one piece: those of the site are small."""
    answer = HttpResponse(file.getvalue(), headers=file.headers)
    file.close()
    return answer
