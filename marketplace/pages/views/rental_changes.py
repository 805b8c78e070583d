"""This will stop, start, restart, reset and change a rental without ending it."""

import re
from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from marketplace.accounts import queries as accounts
from marketplace.domain.problem import Refused
from marketplace.pages.forms.rental_keys import KeysForm
from marketplace.pages.forms.rentals import NameForm
from marketplace.pages.forms.workload import ChangeForm
from marketplace.pages.views.rental import own, page
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import queries
from marketplace.rentals.actions import answer_price as answering
from marketplace.rentals.actions import change as changing
from marketplace.rentals.actions import rename as renaming
from marketplace.rentals.actions import reset as resetting
from marketplace.rentals.actions import restart as restarting
from marketplace.rentals.actions import set_keys as setting_keys
from marketplace.rentals.actions import start as starting
from marketplace.rentals.actions import stop as stopping


@require_POST
@members_only
def stop(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Stop the rental and keep its files; from this moment on nothing is charged."""
    act = partial(stopping.stop, renter_id=request.user.pk, now=timezone.now())
    return _do(request, rental_id, act)


@require_POST
@members_only
def start(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Start a stopped rental again."""
    act = partial(starting.start, renter_id=request.user.pk, now=timezone.now())
    return _do(request, rental_id, act)


@require_POST
@members_only
def restart(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Start its container anew; its files stay."""
    return _do(request, rental_id, partial(restarting.restart, renter_id=request.user.pk))


@require_POST
@members_only
def reset(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Throw its files away, but for its volumes, and begin with its image again."""
    return _do(request, rental_id, partial(resetting.reset, renter_id=request.user.pk))


@require_POST
@members_only
def set_keys(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Let other keys open the rental."""
    form = KeysForm(request.POST, keys=accounts.ssh_keys(request.user.pk))
    if not form.is_valid():
        messages.error(request, "Choose at least one of your SSH keys.")
        return redirect("rental", rental_id)
    ids = form.ssh_key_ids()
    act = partial(setting_keys.set_keys, renter_id=request.user.pk, ssh_key_ids=ids)
    return _do(request, rental_id, act, done="These keys open the rental from now on.")


@require_POST
@members_only
def name(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Call the rental something else, or nothing, whatever it does."""
    form = NameForm(request.POST, auto_id="id_name_%s")
    if not form.is_valid():
        return page(request, own(request, rental_id), name_form=form)
    told = form.cleaned_data["name"]
    act = partial(renaming.rename, renter_id=request.user.pk, name=told)
    return _do(request, rental_id, act, done="It has its name." if told else "It has no name.")


@require_POST
@members_only
def answer_price(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Accept or decline the higher price that the host asks."""
    asked = request.POST.get("price_hour_microusd", "")
    if not re.fullmatch(r"[0-9]{1,15}", asked):
        raise Http404("There is no such price.")
    accept = request.POST.get("answer") == "accept"
    act = partial(
        answering.answer_price,
        renter_id=request.user.pk,
        price_hour_microusd=int(asked),
        accept=accept,
        now=timezone.now(),
    )
    done = "You pay the new price from its moment on." if accept else "The old price stays."
    return _do(request, rental_id, act, done=done)


@require_POST
@members_only
def change(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Change what the rental runs."""
    form = ChangeForm(request.POST)
    if form.is_valid():
        try:
            changing.change(
                rental_id=rental_id,
                renter_id=request.user.pk,
                parts=form.parts(),
                registry_login=form.registry_login(),
            )
        except queries.RentalUnknown as refused:
            raise Http404(refused.detail) from None
        except Refused as refused:
            form.add_error(None, refused.detail)
        else:
            messages.success(request, "What runs now goes on until the change does.")
            return redirect("rental", rental_id)
    return page(request, own(request, rental_id), change_form=form)


def _do(
    request: MemberRequest, rental_id: UUID, act: Callable[..., None], *, done: str = ""
) -> HttpResponse:
    try:
        act(rental_id=rental_id)
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        if done:
            messages.success(request, done)
    return redirect("rental", rental_id)
