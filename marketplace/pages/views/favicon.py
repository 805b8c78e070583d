"""This will give the site's mark to whoever asks for it where browsers look first."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Send a page that names no icon, such as the API's answers, to the mark."""
    return redirect(static("mark.svg"))
