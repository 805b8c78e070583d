"""This will find an invoice by its number, and take it back and issue it anew."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from marketplace.console.actions.correct_invoice import correct_invoice
from marketplace.domain.oversight import Right
from marketplace.domain.problem import Refused
from marketplace.pages.shown.console import person_url
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, reason, text
from marketplace.pages.views.console.sure import unsure
from marketplace.papers.queries import InvoiceUnknown, correction_of, invoice
from marketplace.papers.shown import shown

PAGE = "/console/invoices/"


@require_safe
@staff_only(Right.MONEY)
def invoices(request: StaffRequest) -> HttpResponse:
    """Show the invoice of a number."""
    number, found = text(request, "number"), None
    if number:
        try:
            found = invoice(number)
        except InvoiceUnknown as refused:
            messages.error(request, refused.detail)
    context: dict[str, object] = {"number": number, "invoice": None}
    if found is not None:
        corrected = correction_of(found)
        context |= {
            "invoice": shown(found),
            "person": found.user.shown,
            "person_url": person_url(found.user_id),
            "taken_back": corrected.number if corrected else "",
        }
    return render(request, "console/invoices.html", context)


@require_POST
@staff_only(Right.MONEY)
def invoice_correct(request: StaffRequest) -> HttpResponse:
    """Take an invoice back and issue it anew."""
    number = request.POST.get("number", "")[:32]
    back = f"{PAGE}?{urlencode({'number': number})}"
    try:
        found = invoice(number)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect(PAGE)
    told = [
        f"A credit note takes all of {found.number} back, with your reason on it.",
        f"A new invoice of the same lines is made out to {found.user.shown} by the billing details"
        " of now.",
        "No money moves. Both papers stay for ever; the invoice can be corrected once.",
    ]
    asks = unsure(
        request, title=f"Correct {found.number}", back=back, told=told, button="Correct it"
    )
    if asks is not None:
        return asks
    done(
        request,
        lambda: correct_invoice(
            by=request.staff, number=number, reason=reason(request), now=timezone.now()
        ),
        f"{found.number} is taken back, and another one issued.",
    )
    return redirect(back)
