"""This will take in of what kinds of notices a person gets letters."""

from django import forms

from marketplace.domain.notices import LETTERS


class LettersForm(forms.Form):
    """The kinds that are wanted."""

    kinds = forms.MultipleChoiceField(
        label="Send me a letter when",
        choices=list(LETTERS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
