"""This will count money: whole micro-USD, never a float."""

import re
from typing import NewType

from marketplace.domain.problem import Refused

MicroUsd = NewType("MicroUsd", int)

MICROUSD_PER_USD = 1_000_000
#: shares, such as a fee, are whole millionths
PPM = 1_000_000
MS_PER_HOUR = 3_600_000
#: one trillion dollars: far above any sum here, far below the 64-bit limit of the database
AMOUNT_MICROUSD_MAX = MicroUsd(10**18)

_USD = re.compile(r"(?P<sign>-?)\$?(?P<whole>[0-9]{1,12})(?:\.(?P<part>[0-9]{1,6}))?")


class AmountMalformed(Refused):
    code = "invalid"
    status = 422
    sentence = "Write an amount of dollars such as 12.50, with at most six decimals."


def usd(text: str) -> MicroUsd:
    """Return the amount that a person wrote in dollars: ``12.5``, ``$0.003``, ``-4``.

    :raises AmountMalformed: when it is anything else, such as ``1e3``, ``1,000`` or seven decimals.
    """
    match = _USD.fullmatch(text.strip())
    if match is None:
        raise AmountMalformed
    part = (match["part"] or "").ljust(6, "0")
    amount = int(match["whole"]) * MICROUSD_PER_USD + int(part)
    return MicroUsd(-amount if match["sign"] else amount)


def format_usd(microusd: int) -> str:
    """Return ``$1,234.56``: exact, with two decimals and as many more, up to six, as are needed."""
    whole, part = divmod(abs(microusd), MICROUSD_PER_USD)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if microusd < 0 else ''}${whole:,}.{decimals}"


def field_usd(microusd: int) -> str:
    """Return ``1234.56``: what a person would write into a form, and ``usd`` reads back."""
    return format_usd(microusd).replace("$", "").replace(",", "")


def charge(price_hour_microusd: int, ms: int) -> MicroUsd:
    """Return what ``ms`` milliseconds at an hourly price cost in all, rounded down.

    Charge a stretch as ``charge(price, until) - charge(price, since)``: then the parts of a rental
    always add up to its whole and rounding never drifts.
    """
    return MicroUsd(price_hour_microusd * ms // MS_PER_HOUR)


def fee_of(charged_microusd: int, fee_ppm: int) -> MicroUsd:
    """Return the site's part of all that was charged, rounded down.

    Take that of a stretch as a difference, as of ``charge``. In SQL it stands in
    metering/charge_sql.py and metering/proven_sql.py.
    """
    return MicroUsd(charged_microusd * fee_ppm // PPM)
