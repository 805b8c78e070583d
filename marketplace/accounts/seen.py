"""This will note where somebody is logged in, for their list of sessions, and not at every request.

The library's own middleware writes a row each time: six statements for each page, where a page that
is live asks for more all the time.
"""

from collections.abc import Callable

from allauth.usersessions.models import UserSession
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

#: between two notes of one session
EVERY_S = 600
KEY = "noted_at_s"


class SeenMiddleware:
    """Keeps when and from where a session was last used, to ten minutes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Note it where it is time to, and go on."""
        session, now_s = request.session, int(timezone.now().timestamp())
        is_due = session.session_key and now_s - session.get(KEY, 0) >= EVERY_S
        if is_due and request.user.is_authenticated:
            UserSession.objects.create_from_request(request)
            session[KEY] = now_s
        return self.get_response(request)
