"""This will keep whoever reads slowly from holding a connection to the database meanwhile."""

from django.db import connections
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin


class LetGoOfTheDatabase(MiddlewareMixin):
    """Gives the request's connection back before a stream begins.

    Django does so at the end of the answer, which of a large file may be minutes away; as many of
    them as a process has connections would stop the whole site.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Return the answer as it is."""
        if response.streaming:
            let_go()
        return response


def let_go() -> None:
    """Give back the connections of this thread that have no transaction open."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
