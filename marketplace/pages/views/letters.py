"""This will let people choose of what they get letters."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from marketplace.domain.notices import LETTERS
from marketplace.notices import queries
from marketplace.notices.actions.set_letters import set_letters
from marketplace.pages.forms.letters import LettersForm
from marketplace.pages.visitor import MemberRequest, members_only


@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def letters(request: MemberRequest) -> HttpResponse:
    """Show the kinds, or take in which of them are wanted."""
    off = queries.letters_off(request.user.pk)
    wanted = {"kinds": [kind for kind in LETTERS if kind not in off]}
    form = LettersForm(request.POST if request.method == "POST" else None, initial=wanted)
    if request.method == "POST" and form.is_valid():
        set_letters(user_id=request.user.pk, on=form.cleaned_data["kinds"])
        messages.success(request, "Your letters are as you chose.")
        return redirect("letters")
    context = {"form": form, "mails": settings.MAILS_NOTICES}
    return render(request, "notices/letters.html", context, status=422 if form.errors else 200)
