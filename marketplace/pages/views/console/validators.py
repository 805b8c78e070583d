"""This will show who validates, admit somebody, and let somebody's word count no more."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.console import validators as queries
from marketplace.console.actions.validators import admit, expel
from marketplace.domain.oversight import Right
from marketplace.pages.shown.moment import Moment
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import NUMBER, done, reason
from marketplace.pages.views.console.sure import unsure

#: longer than any ss58 address
HOTKEY_LENGTH_MAX = 64
BACK = "/console/validators/"
HOTKEY_MISSING = "Write the validator’s hotkey, its ss58 address."


@require_safe
@staff_only(Right.VALIDATORS)
def validators(request: StaffRequest) -> HttpResponse:
    """Show validators, those whose word counts first."""
    found = [
        {
            "hotkey": one.hotkey,
            "field": f"expel-{one.pk}",
            "name": one.name,
            "stake": f"{one.stake:,}",
            "admitted": one.admitted,
            "spoke": Moment.of(one.spoke_at),
        }
        for one in queries.validators()
    ]
    return render(request, "console/validators.html", {"validators": found})


@require_POST
@staff_only(Right.VALIDATORS)
def validator_admit(request: StaffRequest) -> HttpResponse:
    """Let somebody's word count."""
    hotkey, stake = _hotkey(request), request.POST.get("stake", "").strip()
    name = request.POST.get("name", "")
    if not hotkey:
        messages.error(request, HOTKEY_MISSING)
        return redirect(BACK)
    if stake and not NUMBER.fullmatch(stake):
        messages.error(request, "A stake is a whole number; leave it empty for 1, or as before.")
        return redirect(BACK)
    weight = f"with a stake of {int(stake):,}" if stake else "with a stake of 1, or as before"
    told = [
        f"Verdicts and scores signed by {hotkey} count from now on, {weight}.",
        "Machines let its SSH key in once it has registered one. It can be expelled at any time.",
    ]
    asks = unsure(
        request, title="Admit a validator", back=BACK, told=told, button="Admit it", stops=False
    )
    if asks is not None:
        return asks
    done(
        request,
        lambda: admit(
            by=request.staff,
            hotkey=hotkey,
            name=name,
            stake=int(stake) if stake else None,
            reason=reason(request),
            now=timezone.now(),
        ),
        "It is admitted.",
    )
    return redirect(BACK)


@require_POST
@staff_only(Right.VALIDATORS)
def validator_expel(request: StaffRequest) -> HttpResponse:
    """Let a validator's word count no more."""
    hotkey = _hotkey(request)
    if not hotkey:
        messages.error(request, HOTKEY_MISSING)
        return redirect(BACK)
    told = [
        f"Nothing that {hotkey} signed or signs counts any more; what it said stays published.",
        "Machines that only it vouched for leave the market until another one has looked. Machines"
        " shut its SSH key out at their next sync.",
    ]
    asks = unsure(request, title="Expel a validator", back=BACK, told=told, button="Expel it")
    if asks is not None:
        return asks
    done(
        request,
        lambda: expel(by=request.staff, hotkey=hotkey, reason=reason(request), now=timezone.now()),
        "It counts for nothing any more.",
    )
    return redirect(BACK)


def _hotkey(request: StaffRequest) -> str:
    return request.POST.get("hotkey", "").strip()[:HOTKEY_LENGTH_MAX]
