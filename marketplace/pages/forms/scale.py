"""This will read how many replicas an endpoint shall have."""

from django import forms

from marketplace.domain.endpoint import REPLICAS_MAX


class ScaleForm(forms.Form):
    """Zero stops it."""

    replicas = forms.IntegerField(min_value=0, max_value=REPLICAS_MAX)
