"""This will read what shall run from a form: ports, a command, volumes, a registry login."""

import re
import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms

from marketplace.pages.forms.environment import EnvironmentField
from marketplace.pages.forms.lines import LinesField
from marketplace.pages.wording import GIB
from marketplace.placements.workload import Parts
from marketplace.volumes.actions.claim import Asked
from marketplace.volumes.models import NAME
from protocol.agent import PASSWORD_MOST, RegistryLogin
from protocol.workload import COMMAND_WORD_MOST, PORTS_MOST, SHELL, VOLUMES_MOST

#: of a command line, and of all that names volumes
LINE_MOST = 4096
PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class PortsField(forms.CharField):
    """TCP ports with commas or blanks between them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_length=200,
            required=False,
            widget=forms.TextInput(attrs=PLAIN | {"placeholder": "8080, 9090"}),
            **options,
        )

    def clean(self, value: Any) -> tuple[int, ...]:
        """Return the numbers."""
        words = re.split(r"[,\s]+", super().clean(value).strip())
        found = [word for word in words if word]
        if not all(word.isascii() and word.isdigit() and len(word) <= 5 for word in found):
            raise forms.ValidationError("Write port numbers such as 8080, with commas between.")
        if len(found) > PORTS_MOST:
            raise forms.ValidationError(f"Write at most {PORTS_MOST} ports.")
        return tuple(int(word) for word in found)


class CommandField(forms.CharField):
    """A command line, as a shell reads it."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs=PLAIN | {"placeholder": "the image’s own"})
        super().__init__(max_length=LINE_MOST, required=False, widget=widget, **options)

    def clean(self, value: Any) -> tuple[str, ...]:
        """Return its words."""
        try:
            return tuple(shlex.split(super().clean(value)))
        except ValueError:
            raise forms.ValidationError("A quotation mark is missing.") from None


class ScriptField(LinesField):
    """A script with the line ends that a shell knows; what is sent back as it was is the same."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, required=False, **options)

    def to_python(self, value: Any) -> str:
        """Return it whole, or nothing of blanks alone."""
        script = super().to_python(value)
        return script if script.strip() else ""


class HasCommand(forms.Form):
    """What runs in place of the image's own command: a command line, or a script."""

    command = CommandField(label="Command")
    on_start = ScriptField(
        label="On-start script",
        max_length=COMMAND_WORD_MOST,
        widget=forms.Textarea(
            attrs=PLAIN | {"rows": 3, "placeholder": "pip install vllm\nexec python serve.py"}
        ),
        help_text=(
            "Run by <code>/bin/sh</code> in place of the command, at each start."
            " The rental stays when it ends. Keep passwords in variables: whoever sees the rental"
            " reads the script."
        ),
    )

    def clean(self) -> dict[str, Any]:
        """Take one of the two."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("command") and cleaned.get("on_start"):
            self.add_error(
                "on_start", "Write a command or a script; a script may end with the command."
            )
        return cleaned

    def runs(self) -> tuple[str, ...]:
        """Return the command of a valid form; empty: the image's own."""
        script: str = self.cleaned_data["on_start"]
        words: tuple[str, ...] = self.cleaned_data["command"]
        return (*SHELL, script) if script else words


def written(command: Sequence[str]) -> Mapping[str, str]:
    """Return what the two fields say of a command."""
    if tuple(command[:-1]) == SHELL and command[-1].strip():
        return {"command": "", "on_start": command[-1]}
    return {"command": shlex.join(command), "on_start": ""}


class VolumesField(LinesField):
    """``NAME:/PATH`` or ``NAME:/PATH:GIB`` lines."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs=PLAIN | {"rows": 2, "placeholder": "data:/data:10"})
        super().__init__(max_length=LINE_MOST, required=False, widget=widget, **options)

    def clean(self, value: Any) -> tuple[Asked, ...]:
        """Return the volumes."""
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        if len(lines) > VOLUMES_MOST:
            raise forms.ValidationError(f"Write at most {VOLUMES_MOST} volumes.")
        return tuple(_volume(line) for line in lines)


class WorkloadFields(HasCommand):
    """What a rental may be asked to run beside its image."""

    environment = EnvironmentField(
        label="Environment variables", required=False, help_text="One a line."
    )
    ports = PortsField(
        label="Ports to publish", help_text="TCP, beside SSH. The page of the rental says where."
    )
    registry_user = forms.CharField(
        label="User of a private registry",
        max_length=255,
        required=False,
        widget=forms.TextInput(attrs=PLAIN),
    )
    registry_password = forms.CharField(
        label="Its password",
        max_length=PASSWORD_MOST,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Kept encrypted until the image is on the machine, then deleted.",
    )

    def clean(self) -> dict[str, Any]:
        """Hold user and password together."""
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("registry_user")) is not bool(cleaned.get("registry_password")):
            self.add_error("registry_password", "Write both the user and the password, or none.")
        return cleaned

    def registry_login(self) -> RegistryLogin | None:
        """Return who may fetch the image; None: everybody may."""
        username = self.cleaned_data["registry_user"]
        password = self.cleaned_data["registry_password"]
        return RegistryLogin(username=username, password=password) if username else None


class ChangeForm(WorkloadFields):
    """What a running rental runs from now on."""

    image = forms.CharField(max_length=300, widget=forms.TextInput(attrs=PLAIN))

    field_order = ("image", "ports", "command", "on_start", "environment")

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id="id_change_%s", **options)
        self.fields["image"].help_text = "Another image begins with fresh files; volumes stay."
        self.fields["environment"].help_text = "One a line, all of them. Empty: as they are."

    def parts(self) -> Parts:
        """Return what a valid form asks for."""
        asked = self.cleaned_data
        parts = Parts(image=asked["image"], ports=asked["ports"], command=self.runs())
        if asked["environment"]:
            parts["environment"] = asked["environment"]
        return parts


def _volume(line: str) -> Asked:
    name, _, rest = line.partition(":")
    path, colon, amount = rest.partition(":")
    wrong = forms.ValidationError(f"“{line[:60]}” is not NAME:/PATH or NAME:/PATH:GIB.")
    if not re.fullmatch(NAME, name) or not path.startswith("/"):
        raise wrong
    if not colon:
        return Asked(name=name, path=path)
    try:
        size_bytes = int(Decimal(amount.strip()) * GIB)
    except (InvalidOperation, ValueError, OverflowError):
        raise wrong from None
    return Asked(name=name, path=path, size_bytes=min(max(size_bytes, 0), 1 << 50))
