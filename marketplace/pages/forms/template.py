"""This will check a template that somebody keeps."""

from typing import Any

from django import forms

from marketplace.domain import query_language
from marketplace.pages.forms.environment import EnvironmentField
from marketplace.pages.forms.lines import LinesField
from marketplace.pages.forms.workload import PLAIN, HasCommand, PortsField, written
from marketplace.placements.workload import Parts
from marketplace.templates.actions.save import NOTE_MAX
from marketplace.templates.queries import Known


class TemplateForm(HasCommand):
    """A name and what runs under it; the action says what cannot be kept."""

    name = forms.CharField(
        max_length=40, help_text="Such as my-env.", widget=forms.TextInput(attrs=PLAIN)
    )
    image = forms.CharField(max_length=500, widget=forms.TextInput(attrs=PLAIN))
    ports = PortsField(label="Ports to publish")
    environment = EnvironmentField(label="Environment variables", required=False)
    needs = forms.CharField(
        label="Needs",
        max_length=query_language.TEXT_MAX,
        required=False,
        help_text=(
            "A search as on the page of offers, such as num_gpus>=1 gpu_ram>=24: whoever begins"
            " with it sees only machines that fulfil it. Empty: any machine."
        ),
        widget=forms.TextInput(attrs=PLAIN),
    )
    note = LinesField(
        label="What it is for",
        max_length=NOTE_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    public = forms.BooleanField(
        label="Everybody may use it",
        required=False,
        help_text="Then everybody reads its variables, command and script: keep passwords out.",
    )

    field_order = ("name", "image", "command", "on_start")

    def parts(self) -> Parts:
        """Return what a valid form asks to run."""
        asked = self.cleaned_data
        return Parts(
            image=asked["image"],
            command=self.runs(),
            environment=asked["environment"],
            ports=asked["ports"],
        )


def filled(known: Known) -> dict[str, Any]:
    """Return what the fields of a form say of the template."""
    return {
        "image": known.image,
        **written(known.command),
        "ports": ", ".join(str(port) for port in known.ports),
        "environment": "\n".join(f"{name}={value}" for name, value in known.environment.items()),
    }
