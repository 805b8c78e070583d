"""This will show one rental and do what its renter asks: end, extend, forget."""

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts import queries as accounts
from marketplace.domain.problem import Refused
from marketplace.live import queries as live
from marketplace.logs import queries as logs
from marketplace.pages.forms import like
from marketplace.pages.forms.bid import BidForm
from marketplace.pages.forms.extend import ExtendForm
from marketplace.pages.forms.idle import IdleForm
from marketplace.pages.forms.log import LogForm
from marketplace.pages.forms.rental_keys import KeysForm
from marketplace.pages.forms.rentals import NameForm
from marketplace.pages.forms.traffic import TrafficForm
from marketplace.pages.forms.workload import ChangeForm
from marketplace.pages.shown import log, rental_proof
from marketplace.pages.shown.connect import opens
from marketplace.pages.shown.rental import RentalPanel, panel
from marketplace.pages.shown.usage_spans import choices
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import notebooks, proof_queries, queries
from marketplace.rentals.actions import end as ending
from marketplace.rentals.actions import extend as extending
from marketplace.rentals.actions import forget as forgetting
from marketplace.rentals.rental_view import RentalView


@require_safe
@members_only
def rental(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show the rental; its panel stays live."""
    # Before what is shown is read: what changes in between is shown twice, and never missed.
    version = live.version(rental_id)
    return page(request, own(request, rental_id), version=version)


@require_safe
@never_cache
@members_only
def rental_panel(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Show just the panel, as open pages ask for it when it changed."""
    context = {"rental": _panel(request, rental_id)}
    return render(request, "rentals/_panel.html", context, using="jinja2")


@require_POST
@members_only
def end(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """End the rental; from this moment on nothing is charged."""
    try:
        ending.end(rental_id=rental_id, renter_id=request.user.pk, now=timezone.now())
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    return redirect("rental", rental_id)


@require_POST
@members_only
def extend(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Give the rental more time or a higher limit."""
    view = own(request, rental_id)
    form = ExtendForm(request.POST)
    if form.is_valid():
        asked = extending.Asked(more_s=form.seconds_more(), cap_microusd=form.cleaned_data["cap"])
        try:
            extending.extend(
                rental_id=rental_id,
                renter_id=request.user.pk,
                asked=asked,
                idempotency_key=f"page:{form.cleaned_data['request_key']}",
                now=timezone.now(),
            )
        except Refused as refused:
            form.add_error(None, refused.detail)
        else:
            messages.success(request, "The rental has its new end.")
            return redirect("rental", rental_id)
    return page(request, view, extend_form=form)


@require_POST
@members_only
def forget(request: MemberRequest, rental_id: UUID) -> HttpResponse:
    """Take an ended rental off the list."""
    try:
        forgetting.forget(rental_id=rental_id, renter_id=request.user.pk, now=timezone.now())
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("rental", rental_id)
    return redirect("rentals")


def page(
    request: MemberRequest,
    view: RentalView,
    *,
    version: str = "",
    extend_form: ExtendForm | None = None,
    change_form: ChangeForm | None = None,
    bid_form: BidForm | None = None,
    idle_form: IdleForm | None = None,
    traffic_form: TrafficForm | None = None,
    name_form: NameForm | None = None,
) -> HttpResponse:
    """Return the rental's page; a form that is given was refused and says why.

    ``version``: of the rental as it is shown; empty: the page asks for its panel at once.
    """
    keys = accounts.ssh_keys(request.user.pk)
    opening = [str(key.pk) for key in keys if key.fingerprint in view.ssh_keys]
    context = {
        "rental": _shown(request, view),
        "spans": choices(),
        "version": version,
        "extend_form": extend_form or ExtendForm(initial={"request_key": uuid4().hex}),
        "change_form": change_form or like.change_form(view),
        "bid_form": bid_form or BidForm(),
        "idle_form": idle_form or like.idle_form(view),
        "traffic_form": traffic_form or TrafficForm(),
        "name_form": name_form or NameForm(initial={"name": view.name}, auto_id="id_name_%s"),
        "log": log.panel(view.id, logs.view(view.id, request.user.pk, timezone.now())),
        "log_form": LogForm(),
        "keys_form": KeysForm(initial={"ssh_keys": opening}, keys=keys),
        "proof": rental_proof.card(
            view,
            proof_queries.proofs(view.id, request.user.pk),
            listed=proof_queries.listed(view.id),
        ),
    }
    refused = (extend_form, change_form, bid_form, idle_form, traffic_form, name_form)
    status = 422 if any(refused) else 200
    reply = render(request, "rentals/rental.html", context, status=status)
    # A notebook's token stands there: no browser keeps it, for going back either.
    add_never_cache_headers(reply)
    return reply


def own(request: MemberRequest, rental_id: UUID) -> RentalView:
    """Return a rental of the person who asks; others see no page."""
    try:
        return queries.view(rental_id, request.user.pk, timezone.now())
    except queries.RentalUnknown as refused:
        raise Http404(refused.detail) from None


def _panel(request: MemberRequest, rental_id: UUID) -> RentalPanel:
    return _shown(request, own(request, rental_id))


def _shown(request: MemberRequest, view: RentalView) -> RentalPanel:
    token = notebooks.token(view.id, request.user.pk) if opens(view) else ""
    return panel(view, token)
