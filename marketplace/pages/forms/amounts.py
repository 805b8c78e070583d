"""This will read dollars and GiB from a form as whole micro-USD and bytes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms

from marketplace.domain.matching import Slice
from marketplace.domain.money import MicroUsd, usd
from marketplace.domain.problem import Refused
from marketplace.pages.wording import GIB

GIB_MAX = 1 << 20


class DollarField(forms.CharField):
    """Dollars as a person writes them; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        attributes = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(widget=forms.TextInput(attrs=attributes), max_length=24, **options)

    def clean(self, value: Any) -> MicroUsd | None:
        """Return micro-USD above zero."""
        text = super().clean(value)
        if not text:
            return None
        try:
            amount = usd(text)
        except Refused as refused:
            raise forms.ValidationError(refused.detail) from None
        if amount <= 0:
            raise forms.ValidationError("Write an amount above zero.")
        return amount


class GibField(forms.DecimalField):
    """GiB as a person writes them, with fractions; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            min_value=Decimal("0.0625"), max_value=GIB_MAX, decimal_places=4, **options
        )
        self.widget.attrs["step"] = "any"

    def clean(self, value: Any) -> Any:
        """Return bytes."""
        gib = super().clean(value)
        return None if gib is None else int(gib * GIB)


def in_gib(size_bytes: int) -> str:
    """Return what the field of a size starts with."""
    return f"{size_bytes / GIB:.4f}".rstrip("0").rstrip(".")


class AskedForm(forms.Form):
    """How much a search asked for, as the address of the page that rents names it."""

    cpus = forms.IntegerField(min_value=0, max_value=4096, required=False)
    ram = GibField(required=False)
    disk = GibField(required=False)
    gpus = forms.IntegerField(min_value=0, max_value=64, required=False)

    def asked(self) -> Slice | None:
        """Return what was named; None: nothing, or nothing that can be read."""
        if not self.is_valid():
            return None
        named = {name: self.cleaned_data[name] or 0 for name in self.fields}
        if not any(named.values()):
            return None
        return Slice(named["cpus"], named["ram"], named["disk"], named["gpus"])


def told(asked: Slice | None) -> Mapping[str, str]:
    """Return what ``AskedForm`` reads."""
    if asked is None:
        return {}
    named = {
        "cpus": str(asked.cpus),
        "ram": in_gib(asked.memory_bytes),
        "disk": in_gib(asked.disk_bytes),
        "gpus": str(asked.gpus),
    }
    return {name: amount for name, amount in named.items() if amount not in ("", "0")}
