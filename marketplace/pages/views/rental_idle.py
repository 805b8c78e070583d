"""This will have a rental stop by itself when it is idle, or no more."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from marketplace.domain.problem import Refused
from marketplace.pages.forms.idle import IdleForm
from marketplace.pages.views.rental import page
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries
from marketplace.rentals.actions.set_idle_rule import remove_idle_rule, set_idle_rule


@require_POST
@members_only
def idle(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Set when the rental stops by itself; without minutes it no longer does."""
    form, now = IdleForm(request.POST), timezone.now()
    try:
        if form.is_valid():
            _set(form, rental_id, request.user.pk)
            stops = form.cleaned_data["after_minutes"]
            done = "It stops when it is idle." if stops else "It runs, idle or not."
            messages.success(request, done)
            return redirect("rental", rental_id)
        view = queries.view(rental_id, request.user.pk, now)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("rental", rental_id)
    return page(request, view, idle_form=form)


def _set(form: IdleForm, rental_id: UUID, renter_id: int) -> None:
    minutes = form.cleaned_data["after_minutes"]
    if minutes is None:
        remove_idle_rule(rental_id=rental_id, renter_id=renter_id)
        return
    set_idle_rule(
        rental_id=rental_id,
        renter_id=renter_id,
        after_s=minutes * 60,
        below_percent=form.cleaned_data["below_percent"],
        now=timezone.now(),
    )
