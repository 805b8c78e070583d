"""This will let people bound what their account spends in a day and in a month."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from marketplace.accounts.asked_again import ask
from marketplace.domain.money import field_usd
from marketplace.domain.spending import Period
from marketplace.ledger.actions import spend_limit
from marketplace.pages.forms.limits import LimitsForm
from marketplace.pages.shown.limits import line
from marketplace.pages.visitor import MemberRequest, members_only

FIELDS = {"day": Period.DAY, "month": Period.MONTH}


@require_http_methods(["GET", "POST"])
@members_only
def limits(request: MemberRequest) -> HttpResponse:
    """Show both limits with what is counted, or set them."""
    now, user_id = timezone.now(), request.user.pk
    rows = spend_limit.limits(user_id, now)
    present = {row.period: field_usd(row.limit_microusd or 0) for row in rows}
    form = LimitsForm(request.POST or None, initial=present)
    if request.method == "POST" and form.is_valid():
        wanted = {period: form.cleaned_data[field] for field, period in FIELDS.items()}
        if any(_is_looser(wanted[Period(row.period)], row.limit_microusd) for row in rows):
            ask(request)
        with transaction.atomic():
            for period, limit in wanted.items():
                spend_limit.set_limit(user_id=user_id, period=period, limit_microusd=limit, now=now)
        messages.success(request, "That holds from now on. What runs already goes on.")
        return redirect("limits")
    context = {"form": form, "limits": [line(row) for row in rows]}
    return render(request, "money/limits.html", context, status=422 if form.errors else 200)


def _is_looser(wanted: int | None, present: int | None) -> bool:
    """Say whether more could be spent: a lower limit is set without a question."""
    return present is not None and (wanted is None or wanted > present)
