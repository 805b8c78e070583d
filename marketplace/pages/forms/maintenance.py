"""This will check when a host announces to work on a machine."""

from typing import Any

from django import forms

from marketplace.pages.forms.terms import MomentField


class MaintenanceForm(forms.Form):
    """From when to when; both are needed."""

    begins_at = MomentField(
        label="From, UTC", help_text="At least an hour ahead while somebody has anything there."
    )
    ends_at = MomentField(label="Until, UTC")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Left empty they would call off what is announced.
        for field in self.fields.values():
            field.required = True
