"""This will say in lines what is wrong with a form, where its fields are not shown again."""

from django import forms


def problems(form: forms.Form) -> list[str]:
    """Return one line for each problem, led by its field's label."""
    lines = []
    for name, sentences in form.errors.items():
        label = f"{form[name].label}: " if name in form.fields else ""
        lines += [f"{label}{sentence}" for sentence in sentences]
    return lines
