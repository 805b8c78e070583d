"""This will check when a rental is to stop by itself as nobody uses it."""

from django import forms

from marketplace.domain.idle import AFTER_S_MAX, AFTER_S_MIN


class IdleForm(forms.Form):
    """How long below how much use; no minutes: it runs, idle or not."""

    after_minutes = forms.IntegerField(
        label="Stop after so many idle minutes",
        min_value=AFTER_S_MIN // 60,
        max_value=AFTER_S_MAX // 60,
        required=False,
    )
    below_percent = forms.IntegerField(
        label="Idle is below, %", min_value=1, max_value=100, initial=5
    )
