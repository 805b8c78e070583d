"""This will check how a VAT id is written and say what tax a paper tells of.

Whether an id is in use only its tax office knows; a shape just catches slips of the pen.
Source: European Commission, VIES, "VAT identification number structure", as known in 2025.
"""

import re
from dataclasses import dataclass

from marketplace.domain.money import PPM, MicroUsd
from marketplace.domain.problem import Refused
from marketplace.domain.tax import ADDRESS_LENGTH_MAX, BETWEEN, NAME_LENGTH_MAX

#: by the prefix; Greece writes EL
SHAPES = {
    "AT": r"U[0-9]{8}",
    "BE": r"[01][0-9]{9}",
    "BG": r"[0-9]{9,10}",
    "CH": r"E[0-9]{9}(MWST|TVA|IVA)?",
    "CY": r"[0-9]{8}[A-Z]",
    "CZ": r"[0-9]{8,10}",
    "DE": r"[0-9]{9}",
    "DK": r"[0-9]{8}",
    "EE": r"[0-9]{9}",
    "EL": r"[0-9]{9}",
    "ES": r"[0-9A-Z][0-9]{7}[0-9A-Z]",
    "FI": r"[0-9]{8}",
    "FR": r"[0-9A-Z]{2}[0-9]{9}",
    "GB": r"[0-9]{9}|[0-9]{12}|(GD|HA)[0-9]{3}",
    "HR": r"[0-9]{11}",
    "HU": r"[0-9]{8}",
    "IE": r"[0-9][0-9A-Z+*][0-9]{5}[A-Z]{1,2}",
    "IT": r"[0-9]{11}",
    "LT": r"[0-9]{9}|[0-9]{12}",
    "LU": r"[0-9]{8}",
    "LV": r"[0-9]{11}",
    "MT": r"[0-9]{8}",
    "NL": r"[0-9A-Z+*]{10}[0-9]{2}",
    "NO": r"[0-9]{9}(MVA)?",
    "PL": r"[0-9]{10}",
    "PT": r"[0-9]{9}",
    "RO": r"[0-9]{2,10}",
    "SE": r"[0-9]{12}",
    "SI": r"[0-9]{8}",
    "SK": r"[0-9]{10}",
    "XI": r"[0-9]{9}|[0-9]{12}|(GD|HA)[0-9]{3}",
}
#: where the prefix is not the country's code
PREFIXES = {"GR": ("EL",), "GB": ("GB", "XI")}
COUNTRY = re.compile(r"[A-Z]{2}")

NET = "No VAT was charged: prices are net."
REVERSED = "Reverse charge: the recipient of the service owes the VAT."


class BillingRefused(Refused):
    """A billing detail is missing or not as its country writes it."""

    code = "billing_details_invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class Party:
    """Who sells or buys, as a paper names them; any text may be empty."""

    name: str = ""
    address: str = ""
    #: two capital letters
    country: str = ""
    vat_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Vat:
    """The tax that is a part of a sum."""

    rate_ppm: int
    microusd: MicroUsd
    #: what the paper says of it
    sentence: str


def party(*, name: str, address: str, country: str, vat_id: str) -> Party:
    """Return a buyer's details as they are kept; all may be empty, a VAT id needs its country.

    :raises BillingRefused: with the sentence of the first that is wrong.
    """
    who, where = " ".join(name.split()), country.strip().upper()
    number = BETWEEN.sub("", vat_id).upper()
    lines = "\n".join(" ".join(line.split()) for line in address.strip().splitlines())
    if len(who) > NAME_LENGTH_MAX or not who.isprintable():
        raise BillingRefused(f"Write a name of at most {NAME_LENGTH_MAX} letters on one line.")
    if len(lines) > ADDRESS_LENGTH_MAX or not lines.replace("\n", "").isprintable():
        raise BillingRefused(f"Write an address of at most {ADDRESS_LENGTH_MAX} letters.")
    if where and COUNTRY.fullmatch(where) is None:
        raise BillingRefused("Write the country as two letters, such as DE.")
    if number:
        _check(number, where)
    return Party(who, lines, where, number)


def _check(number: str, country: str) -> None:
    if not country:
        raise BillingRefused("Choose the country of the VAT id.")
    prefixes = PREFIXES.get(country, (country,))
    shape = SHAPES.get(number[:2])
    if shape is None or number[:2] not in prefixes:
        wanted = " or ".join(prefixes)
        if prefixes[0] not in SHAPES:
            raise BillingRefused(f"No VAT id of {country} is known here; leave it empty.")
        raise BillingRefused(f"A VAT id of {country} begins with {wanted}.")
    if re.fullmatch(shape, number[2:]) is None:
        raise BillingRefused(f"This is no VAT id of {country}; write it as your papers do.")


def vat(total: MicroUsd, *, seller: Party, buyer: Party, rate_ppm: int, may_reverse: bool) -> Vat:
    """Return the tax within a total that was paid.

    The ledger charged the total and nothing on top of it, so a rate says what part of it is tax.
    """
    if may_reverse and buyer.vat_id and seller.country and buyer.country != seller.country:
        return Vat(0, MicroUsd(0), REVERSED)
    if not rate_ppm:
        return Vat(0, MicroUsd(0), NET)
    # Half a micro-dollar is rounded away from zero, so that a correction is its exact opposite.
    part = (2 * abs(total) * rate_ppm + PPM + rate_ppm) // (2 * (PPM + rate_ppm))
    sentence = f"The total holds VAT of {percent(rate_ppm)}."
    return Vat(rate_ppm, MicroUsd(-part if total < 0 else part), sentence)


def percent(ppm: int) -> str:
    """Return millionths as ``19 %`` or ``8.1 %``."""
    whole, part = divmod(ppm, 10_000)
    return f"{whole}.{part:04d}".rstrip("0").rstrip(".") + " %"
