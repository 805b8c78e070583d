"""This will let somebody rent one machine, after seeing the most that it can cost."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from marketplace.accounts import queries as accounts
from marketplace.accounts.acting import actor_id
from marketplace.accounts.actions import add_ssh_key
from marketplace.accounts.models import SshKey
from marketplace.accounts.ssh_key import SshKeyMalformed
from marketplace.domain import query_language
from marketplace.domain.matching import Slice
from marketplace.domain.offer_query import OfferQuery
from marketplace.domain.pricing import PriceType
from marketplace.domain.problem import Refused
from marketplace.ledger import queries as ledger
from marketplace.offers import kind_starts
from marketplace.offers import queries as offers
from marketplace.pages.forms.amounts import AskedForm, in_gib
from marketplace.pages.forms.like import another, as_large
from marketplace.pages.forms.rent import RentForm
from marketplace.pages.forms.template import filled
from marketplace.pages.queries import newest_image
from marketplace.pages.shown import offer as shown_offer
from marketplace.pages.shown.quote import Quote, quote
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals import bids
from marketplace.rentals import queries as rentals
from marketplace.rentals.actions import rent as renting
from marketplace.rentals.rental_view import RentalView
from marketplace.templates import queries as templates

HOURS = 1
#: of those to choose from at once; the page of templates has all
TEMPLATES_SHOWN = 8
GONE = "That machine is not for rent now. These are."
CHANGED = "The most that it can cost is now {total}. Rent again if that is fine."


@require_http_methods(["GET", "POST"])
@members_only
def rent(request: MemberRequest, offer_id: UUID) -> HttpResponse:
    """Show the form, price it again, or start the rental."""
    try:
        offer = _offer(request, offer_id)
    except Http404:
        if not request.GET.get("like"):
            raise
        messages.info(request, GONE)
        # Of the live quote htmx would put the list where the quote was.
        if getattr(request, "htmx", None):
            return HttpResponseClientRedirect(reverse("offers"))
        return redirect("offers")
    form, shown = _form(request, offer)
    if request.method == "POST" and request.POST.get("intent") == "quote":
        if getattr(request, "htmx", None):
            return render(request, "offers/_priced.html", {"form": form, "quote": shown})
    elif request.method == "POST" and form.is_valid():
        problem, field = _disagreement(form, shown), None
        if not problem:
            try:
                return redirect(_start(request, offer_id, form))
            except Refused as refused:
                problem = refused.detail
                field = "public_key" if isinstance(refused, SshKeyMalformed) else None
                # Its host may have changed it since it was read above: show what holds now.
                offer = _offer(request, offer_id)
                shown = _quote(request, form, offer)
        form.add_error(field, problem)
    context = {
        "form": form,
        "quote": shown,
        "offer": shown_offer.line(offer),
        "wrong": [field for field in form.visible_fields() if field.errors],
        "opened": form.opened(bids=request.GET.get("price_type") == PriceType.INTERRUPTIBLE),
        "templates": templates.at_hand(request.user.pk)[:TEMPLATES_SHOWN],
        "template": request.GET.get("template", ""),
        "like": request.GET.get("like", "")[:8],
        "has_keys": bool(form.fields["ssh_keys"].choices),  # type: ignore[attr-defined]
    }
    return render(
        request, "offers/rent.html", context, status=422 if request.POST and form.errors else 200
    )


def _offer(request: MemberRequest, offer_id: UUID) -> offers.OfferRow:
    try:
        return offers.row(offer_id, now=timezone.now(), viewer_id=request.user.pk)
    except offers.OfferUnknown as refused:
        raise Http404(refused.detail) from None


def _form(request: MemberRequest, offer: offers.OfferRow) -> tuple[RentForm, Quote]:
    keys = accounts.ssh_keys(request.user.pk)
    options: dict[str, Any] = {"keys": keys, "offer": offer}
    if request.method == "POST":
        form = RentForm(request.POST, **options)
    else:
        form = RentForm(_first_guess(request, offer, keys), **options)
    return form, _quote(request, form, offer)


def _quote(request: MemberRequest, form: RentForm, offer: offers.OfferRow) -> Quote:
    least = None
    if offer.bid_floor_microusd is not None and form.is_valid():
        least = bids.of_offer(offer.id, Slice.of(form.resources()))
    balance = ledger.balance(request.user.pk)
    return quote(
        form,
        offer,
        balance_microusd=balance,
        kinds=kind_starts.by_kind,
        back_url=request.get_full_path(),
        bids_from=least,
    )


def _first_guess(
    request: MemberRequest, offer: offers.OfferRow, keys: Sequence[SshKey]
) -> dict[str, Any]:
    """Return what the form starts with: what was looked for and its share of the rest."""
    chosen, like = _template(request), _like(request)
    amount = _amount(request, offer, chosen)
    runs = filled(chosen) if chosen else {"image": newest_image(request.user.pk)}
    if like is not None:
        runs = another(like)
    return {
        **runs,
        "image": runs["image"] or settings.DEFAULT_IMAGE,
        "cpus": amount.cpus,
        "gpus": amount.gpus,
        "ram": in_gib(amount.memory_bytes),
        "disk": in_gib(amount.disk_bytes),
        **_how_long(request, offer),
        "failover": True,
        "ssh_keys": [str(key.pk) for key in keys],
        "request_key": uuid4().hex,
        **(as_large(like, offer) if like is not None else {}),
    }


def _amount(
    request: MemberRequest, offer: offers.OfferRow, template: templates.Known | None
) -> Slice:
    """Return how much of the machine is proposed to whoever came from a search or a template."""
    asked = AskedForm(request.GET).asked()
    if asked is None and template is not None:
        asked = OfferQuery(conditions=query_language.parse(template.needs).conditions).asked
    return offer.proposed(asked)


def _how_long(request: MemberRequest, offer: offers.OfferRow) -> dict[str, Any]:
    """Return the term that the form starts with; a reservation is as long as its host wants it."""
    hours = HOURS
    reserves = request.GET.get("price_type") == PriceType.RESERVED and bool(offer.discounts)
    if reserves:
        hours = offer.discounts[0].days * 24
    return {
        "hours": min(hours, offer.longest_term_s / 3600),
        "price_type": PriceType.RESERVED if reserves else PriceType.ON_DEMAND,
    }


def _like(request: MemberRequest) -> RentalView | None:
    """Return the renter's rental that the new one shall be like; None: none was named."""
    named = request.GET.get("like", "")
    if not named:
        return None
    try:
        return rentals.view(UUID(named), request.user.pk, timezone.now())
    except (ValueError, rentals.RentalUnknown):
        raise Http404("You have no such rental.") from None


def _template(request: MemberRequest) -> templates.Known | None:
    reference = request.GET.get("template", "")
    try:
        return templates.template(reference, request.user.pk) if reference else None
    except templates.TemplateUnknown as refused:
        raise Http404(refused.detail) from None


def _disagreement(form: RentForm, shown: Quote) -> str:
    """Return what to say when the page showed less than this would cost; empty: all is agreed."""
    agreed = form.cleaned_data["agreed_microusd"]
    total = shown.worst_total_microusd
    priced = form.cleaned_data["agreed_hour_microusd"] is not None
    if total is None or (priced and agreed is not None and total <= agreed):
        return ""
    return CHANGED.format(total=shown.worst_total)


def _start(request: MemberRequest, offer_id: UUID, form: RentForm) -> str:
    rental = renting.rent(
        renter_id=request.user.pk,
        offer_id=offer_id,
        parts={
            "image": form.cleaned_data["image"],
            "environment": form.cleaned_data["environment"],
            "command": form.runs(),
            "ports": form.cleaned_data["ports"],
        },
        volumes=form.cleaned_data["volumes"],
        registry_login=form.registry_login(),
        resources=form.resources(),
        lease_s=form.lease_s(),
        cap_microusd=form.cleaned_data["cap"],
        bid_microusd=form.bid_microusd(),
        ssh_key_ids=_key_ids(request, form),
        price_hour_microusd_max=form.cleaned_data["agreed_hour_microusd"],
        price_type=form.paid_by(),
        traffic_bytes_max=form.traffic_bytes_max(),
        funding=form.funded(),
        failover_microusd=form.failover_microusd(form.cleaned_data["agreed_hour_microusd"] or 0),
        name=form.cleaned_data["name"],
        idempotency_key=f"page:{form.cleaned_data['request_key']}",
        now=timezone.now(),
    )
    return f"/rentals/{rental.id}/"


def _key_ids(request: MemberRequest, form: RentForm) -> list[UUID]:
    """Return the keys that open the rental; one that was pasted here is kept first."""
    pasted = form.cleaned_data["public_key"]
    if not pasted:
        return form.ssh_key_ids()
    key = add_ssh_key.add(
        user_id=request.user.pk,
        name="",
        public_key=pasted,
        added_by_id=actor_id(request),
        now=timezone.now(),
    )
    return [*form.ssh_key_ids(), key.pk]
