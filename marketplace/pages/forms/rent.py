"""This will check what a renter asks of one machine."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms

from marketplace.accounts.models import SshKey
from marketplace.pages.forms.amounts import DollarField, GibField
from protocol.hardware import Resources

HOURS_MAX = 24 * 365


class RentForm(forms.Form):
    """One machine's slice, what runs on it, and what bounds it."""

    image = forms.CharField(
        max_length=300,
        help_text="Any container image. It needs no SSH server: the machine brings the door.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    cpus = forms.IntegerField(label="CPUs", min_value=1, max_value=4096)
    gpus = forms.IntegerField(label="GPUs", min_value=0, max_value=64)
    ram = GibField(label="RAM, GiB")
    disk = GibField(label="Disk, GiB")
    hours = forms.DecimalField(
        label="End after, hours",
        min_value=0,
        max_value=HOURS_MAX,
        decimal_places=3,
        required=False,
        help_text="Empty: only the dollars bound it.",
    )
    cap = DollarField(
        label="Never spend more than, $",
        required=False,
        help_text="Empty: only its end bounds it.",
    )
    ssh_keys = forms.MultipleChoiceField(
        label="SSH keys that may log in", widget=forms.CheckboxSelectMultiple, required=False
    )
    #: the worst total and the price of an hour that the page showed; renting for more asks again
    agreed_microusd = forms.IntegerField(widget=forms.HiddenInput, required=False)
    agreed_hour_microusd = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)
    #: pressing the button twice rents once
    request_key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, keys: Sequence[SshKey], has_gpus: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["hours"].widget.attrs["step"] = "any"
        choices = [(str(key.pk), f"{key.name} {key.fingerprint}") for key in keys]
        self.fields["ssh_keys"].choices = choices  # type: ignore[attr-defined]
        if not has_gpus:
            self.fields["gpus"].widget = forms.HiddenInput()

    def resources(self) -> Resources:
        """Return the slice that a valid form asks for."""
        asked = self.cleaned_data
        return Resources.of(
            cpus=asked["cpus"],
            ram_bytes=asked["ram"],
            disk_bytes=asked["disk"],
            gpus=asked["gpus"],
        )

    def lease_s(self) -> int | None:
        """Return the lease; None: only the cap bounds it."""
        hours = self.cleaned_data["hours"]
        return int(hours * 3600) if hours else None

    def ssh_key_ids(self) -> list[UUID]:
        """Return the chosen keys."""
        return [UUID(key) for key in self.cleaned_data["ssh_keys"]]
