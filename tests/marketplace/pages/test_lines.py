"""What a browser counts as one line end is one, in every field of several lines."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest
from django import forms

from marketplace.pages import forms as package


def many_lined() -> Iterator[tuple[str, forms.Field]]:
    for module in iter_modules(package.__path__):
        for name, found in vars(import_module(f"{package.__name__}.{module.name}")).items():
            if isinstance(found, type) and issubclass(found, forms.Form):
                for field_name, field in found.base_fields.items():
                    if isinstance(field.widget, forms.Textarea):
                        yield f"{name}.{field_name}", field


FIELDS = dict(many_lined())


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_line_end_counts_once(name: str) -> None:
    assert FIELDS[name].to_python("a\r\nb\rc\nd") == "a\nb\nc\nd"


def test_the_fields_are_found() -> None:
    assert {"RentForm.volumes", "BillingForm.address", "TemplateForm.note"} <= set(FIELDS)
