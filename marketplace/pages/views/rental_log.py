"""This will show the end of what a rental's container said, and ask its machine for a newer one."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.accounts.actions.count_attempt import TooManyAttempts
from marketplace.logs import queries
from marketplace.logs.actions.ask import ask
from marketplace.pages.forms.log import LogForm
from marketplace.pages.shown import log as shown
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals.queries import RentalUnknown


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@never_cache
@members_only
def rental_log(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Ask for the newest lines, or show what came: a part of the rental's page."""
    form, refused = LogForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        refused = _ask(request, rental_id, form.cleaned_data["lines"])
    view = _view(request, rental_id)
    if not getattr(request, "htmx", None):
        if refused:
            messages.error(request, refused)
        return redirect(f"/rentals/{rental_id}/#log")
    if not form.is_valid():
        form = LogForm()
    context = {"log": shown.panel(rental_id, view), "log_form": form, "log_refused": refused}
    return render(request, "rentals/_log.html", context)


@require_safe
@never_cache
@members_only
def rental_log_file(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Send what came as a file."""
    text = shown.as_text(_view(request, rental_id).lines)
    name = f"{str(rental_id)[:8]}-log.txt"
    return HttpResponse(
        text,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _ask(request: MemberRequest, rental_id: UUID, lines: int) -> str:
    """Return why it was refused; empty: it was not."""
    try:
        ask(rental_id=rental_id, renter_id=request.user.pk, lines_most=lines, now=timezone.now())
    except RentalUnknown as refused:
        raise Http404(refused.detail) from None
    except TooManyAttempts as refused:
        return refused.detail
    return ""


def _view(request: MemberRequest, rental_id: UUID) -> queries.LogView:
    try:
        return queries.view(rental_id, request.user.pk, timezone.now())
    except RentalUnknown as refused:
        raise Http404(refused.detail) from None
