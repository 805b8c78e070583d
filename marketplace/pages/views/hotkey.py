"""This will let a host name the hotkey that earns for a machine: ask for a text, then sign it."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from marketplace.domain.problem import Refused
from marketplace.machines.actions import name_hotkey
from marketplace.pages.forms.hotkey import ConsentForm, HotkeyForm
from marketplace.pages.forms.problems import problems
from marketplace.pages.visitor import MemberRequest, members_only


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def hotkey(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    """Show what the hotkey signs, or take its signature."""
    try:
        if request.method == "POST":
            return _take(request, machine_id)
        return _show(request, machine_id)
    except name_hotkey.MachineNotYours as refused:
        raise Http404(refused.detail) from None
    except Refused as refused:
        messages.error(request, refused.detail)
        return _again(request)


def _again(request: MemberRequest) -> HttpResponse:
    """Lead back to a text to sign, for the hotkey that was handed in; else to the host page."""
    form = HotkeyForm(request.POST)
    if form.is_valid():
        return redirect(f"{request.path}?{urlencode({'hotkey': form.cleaned_data['hotkey']})}")
    return redirect("host")


def _show(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    form = HotkeyForm(request.GET)
    if not form.is_valid():
        messages.error(request, " ".join(problems(form)))
        return redirect("host")
    asked = name_hotkey.ask(
        host_id=request.user.pk,
        machine_id=machine_id,
        hotkey=form.cleaned_data["hotkey"],
        now=timezone.now(),
    )
    initial = {"hotkey": asked.hotkey, "signed_at": asked.signed_at.isoformat()}
    context = {
        "text": asked.text(),
        "form": ConsentForm(initial=initial),
        "machine_id": str(machine_id),
        "short_id": str(machine_id)[:8],
    }
    return render(request, "host/hotkey.html", context)


def _take(request: MemberRequest, machine_id: UUID) -> HttpResponse:
    form = ConsentForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(problems(form)))
        return _again(request)
    told = form.cleaned_data
    name_hotkey.name_hotkey(
        host_id=request.user.pk,
        machine_id=machine_id,
        hotkey=told["hotkey"],
        signed_at=told["signed_at"],
        signature=told["signature"].lower().removeprefix("0x"),
        now=timezone.now(),
    )
    messages.success(request, f"{told['hotkey']} earns for this machine from now on.")
    return redirect("host-machine", machine_id=machine_id)
