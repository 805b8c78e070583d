"""This will be where staff begin: what waits for them, and what they decide of it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.console import reports
from marketplace.console.actions.answer_appeal import answer_appeal
from marketplace.console.actions.read_evidence import DisputeUnknown, read_evidence
from marketplace.console.actions.rule import rule
from marketplace.console.health import passes
from marketplace.console.waiting import waiting
from marketplace.domain.oversight import Right
from marketplace.pages.shown import console_report
from marketplace.pages.shown import waiting as shown
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, identifier, reason


@require_safe
@staff_only(Right.SEE)
def console(request: StaffRequest) -> HttpResponse:
    """Show what somebody has to decide."""
    now = timezone.now()
    context = {
        **shown.page(waiting(now=now), passes(now=now), now),
        **console_report.waiting(reports.waiting(after=identifier(request, "reports"))),
        "roles": sorted(role.value for role in request.staff.roles),
        "may_settle": Right.SETTLE in request.staff.rights,
    }
    return render(request, "console/home.html", context)


@require_POST
@staff_only(Right.SETTLE)
def settle(request: StaffRequest, proof_id: UUID) -> HttpResponse:
    """Settle a dispute about what was delivered."""
    for_renter = request.POST.get("for") == "renter"
    done(
        request,
        lambda: rule(
            by=request.staff,
            proof_id=proof_id,
            for_renter=for_renter,
            reason=reason(request),
            now=timezone.now(),
        ),
        f"It is settled for the {'renter' if for_renter else 'host'}, and both were told.",
    )
    return redirect("console")


@require_POST
@staff_only(Right.SETTLE)
def appeal(request: StaffRequest, machine_id: UUID) -> HttpResponse:
    """Answer a host's appeal."""
    granted = request.POST.get("answer") == "grant"
    done(
        request,
        lambda: answer_appeal(
            by=request.staff,
            machine_id=machine_id,
            granted=granted,
            reason=reason(request),
            now=timezone.now(),
        ),
        f"The appeal is {'granted' if granted else 'refused'}, and its host was told.",
    )
    return redirect("console")


@require_safe
@staff_only(Right.SEE)
def evidence(request: StaffRequest, dispute_id: str) -> HttpResponse:
    """Hand out, as plain text, what to tell the bank about a disputed payment."""
    try:
        told = read_evidence(by=request.staff, dispute_id=dispute_id, now=timezone.now())
    except DisputeUnknown as unknown:
        raise Http404(unknown.detail) from None
    return HttpResponse(told, content_type="text/plain; charset=utf-8")
