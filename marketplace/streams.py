"""This will keep whoever reads slowly from holding a connection to the database meanwhile."""

from django.db import close_old_connections
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin


class LetGoOfTheDatabase(MiddlewareMixin):
    """Gives the request's connection back before a stream begins.

    Django does so at the end of the answer, which of an open page or a large file may be minutes
    away; as many of them as a process has connections would stop the whole site.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Return the answer as it is."""
        if response.streaming:
            close_old_connections()
        return response
