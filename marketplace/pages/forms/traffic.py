"""This will check how much traffic of a rental may be charged."""

from django import forms

from marketplace.domain.upkeep import GB


class TrafficForm(forms.Form):
    """In all since the rental's start, both ways together."""

    traffic_gb = forms.IntegerField(
        label="Traffic that you pay for at most, GB", min_value=1, max_value=1_000_000
    )

    def traffic_bytes(self) -> int:
        """Return it in bytes; the form must be valid."""
        gigabytes: int = self.cleaned_data["traffic_gb"]
        return gigabytes * GB
