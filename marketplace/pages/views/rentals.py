"""This will list a renter's rentals."""

from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.accounts import queries as accounts
from marketplace.domain.rental import LIVE as RUNNING
from marketplace.ledger import queries as ledger
from marketplace.pages.forms.rentals import FilterForm
from marketplace.pages.shown.rental_list import line
from marketplace.pages.shown.start import start
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import filters, queries

LIVE, OVER = filters.in_state(filters.Group.LIVE), filters.in_state(filters.Group.OVER)


@require_safe
@vary_on_headers("HX-Request")
@members_only
def rentals(request: MemberRequest) -> HttpResponse:
    """Show what runs first, then what ended, the newest of it or a page of what is older."""
    form, after = FilterForm(request.GET), _after(request)
    wanted = form.wanted() if form.is_valid() else None
    if wanted is not None:
        return _found(request, form, wanted, after)
    now = timezone.now()
    ended = _page(request, OVER, after=after)
    live = _page(request, LIVE) if after is None else queries.Views((), None)
    context: dict[str, object] = {
        "form": form,
        "asks": "/rentals/",
        "live": [line(view, now) for view in live.items],
        "watched": bool(live.items),
        "live_cut": live.next_id is not None,
        "ended": [line(view, now) for view in ended.items],
        "older": urlencode({"after": str(ended.next_id)}) if ended.next_id else "",
    }
    if not live.items and not ended.items and after is None:
        keys = len(accounts.ssh_keys(request.user.pk))
        context["start"] = start(keys=keys, balance_microusd=ledger.balance(request.user.pk))
    return _shown(request, context)


def _found(request: MemberRequest, form: FilterForm, wanted: Q, after: UUID | None) -> HttpResponse:
    """Show what was looked for, running or not, in one list."""
    found, now = _page(request, wanted, after=after), timezone.now()
    named = {name: value for name, value in form.cleaned_data.items() if value}
    older = {**named, "after": str(found.next_id)}
    context: dict[str, object] = {
        "form": form,
        "asks": f"/rentals/?{urlencode(named)}",
        "found": [line(view, now) for view in found.items],
        "filtered": True,
        "watched": after is None and any(view.state in RUNNING for view in found.items),
        "older": urlencode(older) if found.next_id else "",
    }
    return _shown(request, context)


def _shown(request: MemberRequest, context: dict[str, object]) -> HttpResponse:
    if getattr(request, "htmx", None):
        return render(request, "rentals/_list.html", context)
    context["asked_for_proof"] = accounts.is_asked_for_proof(request.user)
    return render(request, "rentals/list.html", context)


def _after(request: MemberRequest) -> UUID | None:
    """Return the rental that the page begins behind; None: it begins at the newest."""
    try:
        return UUID(request.GET.get("after", ""))
    except ValueError:
        return None


def _page(request: MemberRequest, wanted: Q, *, after: UUID | None = None) -> queries.Views:
    try:
        return queries.views(request.user.pk, wanted=wanted, after=after, now=timezone.now())
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
