"""This will let a renter choose which of their SSH keys open a rental."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms

from marketplace.accounts.models import SshKey


def choices_of(keys: Sequence[SshKey]) -> list[tuple[str, str]]:
    """Return each key's id and what a person knows it by."""
    return [(str(key.pk), f"{key.name} ({key.fingerprint[:19]}…)") for key in keys]


class KeysForm(forms.Form):
    """Which keys open a rental."""

    ssh_keys = forms.MultipleChoiceField(
        label="These keys, and no others, open it", widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any = None, *, keys: Sequence[SshKey], **options: Any) -> None:
        super().__init__(data, auto_id="id_keys_%s", **options)
        self.fields["ssh_keys"].choices = choices_of(keys)  # type: ignore[attr-defined]

    def ssh_key_ids(self) -> list[UUID]:
        """Return the chosen keys."""
        return [UUID(key) for key in self.cleaned_data["ssh_keys"]]
