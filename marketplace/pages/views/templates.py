"""This will show templates, keep one's own, and delete them."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from marketplace.domain.problem import Refused
from marketplace.pages.forms.template import TemplateForm, filled
from marketplace.pages.visitor import MemberRequest, members_only
from marketplace.templates import queries
from marketplace.templates.actions.delete import delete
from marketplace.templates.actions.save import save


@require_http_methods(["GET", "POST"])
@members_only
def templates(request: MemberRequest) -> HttpResponse:
    """Show all that may be used, with a form for one more or a newer version, or keep it."""
    editing = _edited(request)
    first = filled(editing) if editing else {}
    if editing:
        first |= {
            "name": editing.name,
            "needs": editing.needs,
            "note": editing.note,
            "public": editing.public,
        }
    form = TemplateForm(request.POST or None, initial=first)
    if request.method == "POST" and form.is_valid():
        try:
            kept = save(
                owner_id=request.user.pk,
                name=form.cleaned_data["name"],
                parts=form.parts(),
                needs=form.cleaned_data["needs"],
                note=form.cleaned_data["note"],
                public=form.cleaned_data["public"],
                now=timezone.now(),
            )
        except Refused as refused:
            form.add_error(None, refused.detail)
        else:
            messages.success(request, f"{kept.name} is kept as version {kept.version}.")
            return redirect("templates")
    context = {
        "templates": queries.templates(request.user.pk),
        "form": form,
        "editing": editing.name if editing else "",
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "templates/list.html", context, status=status)


@require_POST
@members_only
def delete_template(request: MemberRequest, name: str) -> HttpResponse:
    """Delete one's own."""
    try:
        delete(owner_id=request.user.pk, name=name, now=timezone.now())
    except queries.TemplateUnknown as refused:
        raise Http404(refused.detail) from None
    messages.success(request, f"{name} is deleted. What was rented by it goes on.")
    return redirect("templates")


def _edited(request: MemberRequest) -> queries.Known | None:
    name = request.GET.get("edit", "")
    if not name:
        return None
    try:
        known = queries.template(name, request.user.pk)
    except queries.TemplateUnknown as refused:
        raise Http404(refused.detail) from None
    return known if known.yours else None
