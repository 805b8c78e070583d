"""This will turn a feature of the site off, and on again."""

from datetime import datetime

from django.db import transaction

from marketplace.console.staff import Staff
from marketplace.domain.features import Feature
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.text import one_line
from marketplace.oversight.models import Switch

WORDS_LENGTH_MAX = 200


def switch(
    *, by: Staff, feature: Feature, on: bool, words: str, reason: str, now: datetime
) -> None:
    """Turn it on or off; ``words`` stand behind the sentence that people read where it is off.

    :raises NotYourRole: when they who ask may not.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when the words show something else than they say.
    """
    by.must(Right.SWITCH)
    told = one_line(" ".join(words.split()))
    with transaction.atomic():
        known = Switch.objects.select_for_update().filter(name=feature.value).first()
        if on is (known is None):
            return
        if on:
            Switch.objects.filter(name=feature.value).delete()
        else:
            Switch.objects.create(name=feature.value, off_at=now, words=told[:WORDS_LENGTH_MAX])
        by.acted(
            ActKind.SWITCH,
            subject=f"feature {feature.value}",
            reason=reason,
            before={feature.value: "off" if on else "on"},
            after={feature.value: "on" if on else "off"},
            now=now,
        )
