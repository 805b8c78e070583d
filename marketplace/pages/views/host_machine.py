"""This will show a host one machine: what was found, what it could earn, and what to change."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.domain.money import PPM, AmountMalformed, usd
from marketplace.domain.problem import Refused
from marketplace.metering import market
from marketplace.offers import machine_record, machine_remedies
from marketplace.offers.actions import set_terms as setting_terms
from marketplace.offers.actions.set_terms import PRICE_HOUR_MICROUSD_MAX
from marketplace.offers.queries import OfferUnknown
from marketplace.pages import queries
from marketplace.pages.forms.maintenance import MaintenanceForm
from marketplace.pages.forms.problems import problems
from marketplace.pages.shown import host_machine as shown
from marketplace.pages.shown import machine, usage, verification
from marketplace.pages.shown import market as shown_market
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.telemetry.queries import incidents_of_machines
from marketplace.verification.history import events

PRICED = "The new price holds for rentals that start from now on."
#: of a machine that is not on the market
PRICED_UNLISTED = f"{PRICED} Under “Change the terms”, tick “On the market”, and it can be rented."


@require_safe
@members_only
def host_machine(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    """Show one of the host's machines."""
    now, host_id = timezone.now(), request.user.pk
    try:
        found = queries.host_machine(host_id, machine_id, now)
        where = market.of_machine(machine_id, host_id=host_id, now=now)
    except OfferUnknown as refused:
        raise Http404(refused.detail) from None
    facts = machine_record.of_machine(machine_id, now=now, viewer_id=host_id)
    rentals = queries.live_placements(machine_id)
    incidents = list(incidents_of_machines([machine_id]))
    context = {
        "machine": machine.line(found, now),
        "page_url": f"/host/machines/{machine_id}/",
        "market": shown_market.panel(where, _price(request)),
        "reliability": f"{facts.uptime_ppm / PPM:.4f}",
        "remedies": machine_remedies.remedies(facts),
        "score": shown.score(facts),
        "maintenance": shown.maintenance(found.offer, rentals, now),
        "changes": [verification.change(one) for one in events([machine_id])],
        "incidents": [usage.incident_line(one) for one in incidents],
    }
    return render(request, "host/machine.html", context)


@require_POST
@members_only
def set_price(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    """Set the machine's price of an hour of one unit, and nothing else."""
    host_id, now = request.user.pk, timezone.now()
    try:
        price = usd(request.POST.get("price", ""))
        found = queries.host_machine(host_id, machine_id, now)
        name = "gpu" if found.offer.machine.gpus_total else "cpu"
        terms: setting_terms.Terms = (
            {"price_gpu_hour_microusd": price}
            if name == "gpu"
            else {"price_cpu_hour_microusd": price}
        )
        setting_terms.set_terms(host_id=host_id, machine_id=machine_id, now=now, **terms)
    except OfferUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, PRICED if found.offer.listed else PRICED_UNLISTED)
    return redirect("host-machine", machine_id=machine_id)


@require_POST
@members_only
def set_maintenance(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    """Announce when the host works on the machine, or call it off."""
    withdrawn = request.POST.get("withdraw") == "yes"
    form = MaintenanceForm(request.POST)
    if not withdrawn and not form.is_valid():
        messages.error(request, " ".join(problems(form)))
        return redirect("host-machine", machine_id=machine_id)
    begins, ends = (
        (None, None)
        if withdrawn
        else (form.cleaned_data["begins_at"], form.cleaned_data["ends_at"])
    )
    try:
        setting_terms.set_terms(
            host_id=request.user.pk,
            machine_id=machine_id,
            now=timezone.now(),
            maintenance_from=begins,
            maintenance_until=ends,
        )
    except OfferUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        said = "No work is announced any more." if begins is None else "It is announced."
        messages.success(request, f"{said} Who has a rental there is told.")
    return redirect("host-machine", machine_id=machine_id)


def _price(request: HttpRequest) -> int | None:
    """Return the price that the host thinks of; None: none, or none that may be asked."""
    try:
        price = usd(request.GET.get("price", ""))
    except AmountMalformed:
        return None
    return price if 1 <= price <= PRICE_HOUR_MICROUSD_MAX else None
