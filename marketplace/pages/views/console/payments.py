"""This will show one payment with what became of it, and send of it back to its card."""

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from marketplace.console.actions.send_refund import send_refund
from marketplace.domain.money import field_usd, format_usd
from marketplace.domain.oversight import Right
from marketplace.domain.problem import Refused
from marketplace.pages.forms.console import RefundForm
from marketplace.pages.shown import console
from marketplace.pages.shown import payment as shown
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.payments import queries
from marketplace.payments.models import Refund, RefundState, TopUp


@require_http_methods(["GET", "POST"])
@staff_only(Right.SEE)
def payment(request: StaffRequest, top_up_id: UUID) -> HttpResponse:
    """Show the payment, or send some of it back."""
    paid = TopUp.objects.select_related("user").filter(pk=top_up_id).first()
    if paid is None:
        raise Http404("There is no such payment.")
    if request.method == "POST":
        request.staff.must(Right.MONEY)
    most = queries.most_back(paid)
    fresh = {"request_key": uuid4().hex, "amount": field_usd(most)}
    form = RefundForm(request.POST or None, initial=fresh)
    if request.method == "POST" and form.is_valid():
        try:
            sent = _send(request, paid, form)
        except Refused as refused:
            form.add_error("amount" if refused.code == "refund_refused" else None, refused.detail)
        else:
            _tell(request, sent)
            return redirect("console-payment", paid.pk)
    context = {
        "payment": console.payment_line(paid),
        "person": console.person_line(paid.user),
        "reference": paid.reference,
        "rows": shown.rows(queries.of_payment(paid)),
        "most": format_usd(most),
        "form": form if most and Right.MONEY in request.staff.rights else None,
    }
    return render(request, "console/payment.html", context, status=422 if form.errors else 200)


def _send(request: StaffRequest, paid: TopUp, form: RefundForm) -> Refund:
    return send_refund(
        by=request.staff,
        top_up_id=paid.pk,
        amount_microusd=form.cleaned_data["amount"],
        reason=form.cleaned_data["reason"],
        request_key=form.cleaned_data["request_key"],
        now=timezone.now(),
    )


def _tell(request: StaffRequest, sent: Refund) -> None:
    amount = format_usd(sent.amount_microusd)
    if sent.state == RefundState.FAILED:
        messages.error(request, f"{amount} did not go back: {sent.reason}")
    elif sent.state == RefundState.DONE:
        messages.success(request, f"{amount} goes back to the card.")
    else:
        messages.info(request, f"{amount} is on its way; the processor has not answered yet.")
