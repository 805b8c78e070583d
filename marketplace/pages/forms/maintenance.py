"""This will check when a host announces to work on a machine."""

from django import forms

from marketplace.pages.forms.terms import MomentField


class MaintenanceForm(forms.Form):
    """From when to when; both are needed."""

    begins_at = MomentField(
        label="From, UTC", help_text="At least an hour ahead while somebody has anything there."
    )
    ends_at = MomentField(label="Until, UTC")
