"""This will set amounts so that a column of them is read at a glance."""

import re

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

#: up to whole cents, and what is below one
AMOUNT = re.compile(r"(.*\.[0-9]{2})([0-9]+)")


@register.filter
def cents(amount: str) -> str | SafeString:
    """Return an amount with what is below a cent set apart; the style sheet lines up the cents."""
    match = AMOUNT.fullmatch(amount)
    if match is None:
        return amount
    parts = '<span class="cents">{}<span class="below-cent">{}</span></span>'
    return format_html(parts, *match.groups())
