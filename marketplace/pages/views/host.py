"""This will let people become hosts, and show hosts how their machines do."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from marketplace.domain.money import format_usd
from marketplace.domain.problem import Refused
from marketplace.ledger.queries import earned
from marketplace.machines.actions.issue_token import EnrolmentTokensMany, issue_token
from marketplace.machines.actions.name_hotkey import MachineNotYours
from marketplace.machines.api import enrol_command, install_command
from marketplace.offers.actions import set_terms as setting_terms
from marketplace.offers.queries import OfferUnknown
from marketplace.pages import host_table, wording
from marketplace.pages.forms.problems import problems
from marketplace.pages.forms.terms import TermsForm
from marketplace.pages.host_table import Place, Sort
from marketplace.pages.shown import host_table as shown_table
from marketplace.pages.shown import usage, verification
from marketplace.pages.shown.moment import Moment
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.rentals.actions import propose_prices as proposing
from marketplace.telemetry.queries import incidents_of_machines
from marketplace.verification.actions import appeal as appealing
from marketplace.verification.history import events


@require_safe
def host(request: HttpRequest) -> HttpResponse:
    """Explain hosting to everybody; show hosts their machines."""
    if not request.user.is_authenticated:
        return render(request, "host/host.html", {})
    asked = request.GET.get("sort", "")
    sort = Sort(asked) if asked in set(Sort) else Sort.ENROLLED
    after = Place.decode(request.GET.get("after", ""))
    return render(request, "host/host.html", _context(request.user.pk, sort, after))


@never_cache
@require_POST
@members_only
def issue_enrolment_token(request: MemberRequest) -> HttpResponse:
    """Show the one line that enrols a machine; its token is shown this once."""
    try:
        issued = issue_token(host_id=request.user.pk, now=timezone.now())
    except EnrolmentTokensMany as refused:
        messages.error(request, refused.detail)
        return redirect("host")
    context = _context(request.user.pk) | {
        "command": install_command(issued.token),
        "enrol_command": enrol_command(issued.token),
        "expires": Moment.of(issued.expires_at),
    }
    return render(request, "host/host.html", context)


@require_POST
@members_only
def set_terms(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    """Set a machine's prices and whether it is on the market."""
    form = TermsForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(problems(form)))
        return redirect("host-machine", machine_id=machine_id)
    terms = form.cleaned_data
    try:
        setting_terms.set_terms(
            host_id=request.user.pk,
            machine_id=machine_id,
            now=timezone.now(),
            price_cpu_hour_microusd=terms["price_cpu_hour"],
            price_gpu_hour_microusd=terms["price_gpu_hour"],
            bid_floor_microusd=terms["bid_floor"],
            discounts=terms["discounts"],
            storage_price_microusd=terms["storage_price"],
            network_price_microusd=terms["network_price"],
            longest_term_s=form.longest_term_s(),
            cpus_min=terms["cpus_min"],
            gpus_min=terms["gpus_min"],
            country=terms["country"],
            ends_at=terms["ends_at"],
            guests=terms["guests"],
            listed=terms["listed"],
        )
    except OfferUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, "The new terms hold for rentals that start from now on.")
    return redirect("host-machine", machine_id=machine_id)


@require_POST
@members_only
def propose_prices(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    """Ask the machine's present price of what runs on it."""
    try:
        done = proposing.propose_prices(
            host_id=request.user.pk, machine_id=machine_id, now=timezone.now()
        )
    except OfferUnknown as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        lowered = wording.count(done.lowered, "rental")
        asked = wording.count(done.asked, "renter")
        messages.success(request, f"{lowered} cost less now, and {asked} were asked for more.")
    return redirect("host-machine", machine_id=machine_id)


@require_POST
@members_only
def appeal(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    """Take a host's word against what its machine stands as."""
    try:
        appealing.appeal(
            host_id=request.user.pk,
            machine_id=machine_id,
            text=request.POST.get("text", ""),
            now=timezone.now(),
        )
    except MachineNotYours as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, "Your appeal waits for the operator’s answer, here.")
    return redirect("host-machine", machine_id=machine_id)


def _context(
    host_id: int, sort: Sort = Sort.ENROLLED, after: Place | None = None
) -> dict[str, object]:
    now = timezone.now()
    found = host_table.table(host_id, sort=sort, after=after, now=now)
    ids = [row.offer.machine_id for row in found.rows]
    return {
        "table": shown_table.page(found, sort, now) if found.machines else None,
        "changes": [verification.change(one) for one in events(ids)],
        "incidents": [usage.incident_line(one) for one in incidents_of_machines(ids)],
        "earned": format_usd(earned(host_id)),
    }
