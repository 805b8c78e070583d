"""This will find machines, show one with what settles a dispute, and ban it."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from marketplace.console import machines as queries
from marketplace.console.actions.ban_machine import ban_machine, end_there, lift_machine
from marketplace.console.machines import Presence
from marketplace.domain.oversight import Right
from marketplace.domain.standing import StandingState
from marketplace.pages.shown import console
from marketplace.pages.shown import console_machine as shown
from marketplace.pages.shown.machine import STATES
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, identifier, reason, text
from marketplace.verification.history import MachineNotThere

CHOICES = [(Presence.ONLINE.value, "Online"), (Presence.AWAY.value, "Away")] + [
    (state.value, label) for state, (label, _) in STATES.items()
]


@require_safe
@staff_only(Right.SEE)
def machines(request: StaffRequest) -> HttpResponse:
    """Show machines as asked for."""
    asked = {name: text(request, name) for name in ("q", "gpu", "state")}
    found = queries.machines(
        begins=asked["q"],
        gpu=asked["gpu"],
        state=asked["state"],
        after=identifier(request, "after"),
    )
    context = {
        **asked,
        "states": CHOICES,
        "machines": [console.machine_line(machine) for machine in found.machines],
        "more": urlencode(asked | {"after": str(found.after)}) if found.after else "",
    }
    return render(request, "console/machines.html", context)


@require_safe
@staff_only(Right.SEE)
def machine(request: StaffRequest, machine_id: UUID) -> HttpResponse:
    """Show one machine."""
    now = timezone.now()
    try:
        found = queries.case(machine_id, now=now)
    except MachineNotThere as unknown:
        raise Http404(unknown.detail) from None
    mine = found.history.machine.host_id == request.staff.user_id
    context = {
        **shown.page(found, now),
        "may_intervene": Right.INTERVENE in request.staff.rights and not mine,
        "by_validators": found.history.standing.state is StandingState.BANNED
        and not found.history.standing.noted.ban_reason,
    }
    return render(request, "console/machine.html", context)


@require_POST
@staff_only(Right.INTERVENE)
def machine_ban(request: StaffRequest, machine_id: UUID) -> HttpResponse:
    """Ban it."""
    sentence = "It is banned: nothing new begins there, and its host was told why."
    return _act(request, machine_id, ban_machine, sentence)


@require_POST
@staff_only(Right.INTERVENE)
def machine_lift(request: StaffRequest, machine_id: UUID) -> HttpResponse:
    """Lift a ban by staff."""
    return _act(request, machine_id, lift_machine, "The ban is lifted, and its host was told so.")


@require_POST
@staff_only(Right.INTERVENE)
def machine_end(request: StaffRequest, machine_id: UUID) -> HttpResponse:
    """End what runs there."""
    return _act(request, machine_id, end_there, "What ran there ends now.")


def _act(
    request: StaffRequest, machine_id: UUID, act: Callable[..., object], sentence: str
) -> HttpResponse:
    asked = partial(
        act, by=request.staff, machine_id=machine_id, reason=reason(request), now=timezone.now()
    )
    done(request, asked, sentence)
    return redirect("console-machine", machine_id)
