"""This will show which features of the site are on, and turn them off and on."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from marketplace.console.actions.switch import WORDS_LENGTH_MAX, switch
from marketplace.domain.features import MEANING, SENTENCES, Feature
from marketplace.domain.oversight import Right
from marketplace.oversight.models import Switch
from marketplace.pages.shown.moment import Moment
from marketplace.pages.staff import StaffRequest, staff_only
from marketplace.pages.views.console.pages import done, reason


@require_safe
@staff_only(Right.SWITCH)
def features(request: StaffRequest) -> HttpResponse:
    """Show each feature, with what people read where it is off."""
    off = {row.name: row for row in Switch.objects.order_by("name")}
    rows = [
        {
            "name": feature.value,
            "meaning": MEANING[feature],
            "sentence": SENTENCES[feature],
            "off": feature.value in off,
            "since": Moment.of(off[feature.value].off_at) if feature.value in off else None,
            "words": off[feature.value].words if feature.value in off else "",
        }
        for feature in Feature
    ]
    return render(request, "console/features.html", {"features": rows})


@require_POST
@staff_only(Right.SWITCH)
def turn(request: StaffRequest, name: str) -> HttpResponse:
    """Turn one feature off or on."""
    if name not in set(Feature):
        raise Http404("There is no such feature.")
    feature, on = Feature(name), request.POST.get("to") == "on"
    done(
        request,
        lambda: switch(
            by=request.staff,
            feature=feature,
            on=on,
            words=request.POST.get("words", "")[:WORDS_LENGTH_MAX],
            reason=reason(request),
            now=timezone.now(),
        ),
        f"{MEANING[feature].capitalize()}: {'on' if on else 'off'} from now on.",
    )
    return redirect("console-features")
