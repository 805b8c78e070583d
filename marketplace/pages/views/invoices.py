"""This will show people their invoices, receipts and credit notes, and send them as PDF."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.pages.forms.billing import BillingForm
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.papers import queries
from marketplace.papers.actions.set_billing import set_billing
from marketplace.papers.api import reply
from marketplace.papers.content import buyer_now
from marketplace.papers.models import Paper
from marketplace.papers.shown import shown


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def invoices(request: MemberRequest) -> HttpResponse:
    """List all papers, or take in to whom the next ones are made out."""
    kept = buyer_now(request.user.pk)
    present = {
        "name": kept.name,
        "address": kept.address,
        "country": kept.country,
        "vat_id": kept.vat_id,
    }
    form = BillingForm(request.POST if request.method == "POST" else None, initial=present)
    if request.method == "POST" and form.is_valid():
        set_billing(user_id=request.user.pk, details=form.details)
        messages.success(request, "Your next invoices and receipts say so.")
        return redirect("invoices")
    papers = [shown(paper) for paper in queries.papers(request.user.pk)]
    context = {"form": form, "papers": papers}
    return render(request, "money/invoices.html", context, status=422 if form.errors else 200)


@never_cache
@require_safe
@members_only
def invoice(request: MemberRequest, number: str) -> HttpResponse:
    """Show one paper."""
    return render(request, "money/invoice.html", {"paper": shown(_found(request, number))})


@never_cache
@require_safe
@members_only
def invoice_file(request: MemberRequest, number: str) -> HttpResponse:
    """Send one paper as a PDF."""
    return reply(_found(request, number))


def _found(request: MemberRequest, number: str) -> Paper:
    try:
        return queries.find(request.user.pk, number)
    except queries.PaperUnknown as refused:
        raise Http404(refused.detail) from None
