"""This will check who a host is for the tax office, and hide what a page need not show."""

import re
from dataclasses import dataclass

from marketplace.domain.problem import Refused

NAME_LENGTH_MAX = 120
ADDRESS_LENGTH_MAX = 300
SHOWN_LAST = 4
#: ISO 3166-1 alpha-2 of the countries that a form offers; the processor has the last word
COUNTRIES = {
    "AE": "United Arab Emirates",
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BG": "Bulgaria",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "CY": "Cyprus",
    "CZ": "Czechia",
    "DE": "Germany",
    "DK": "Denmark",
    "EE": "Estonia",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "GI": "Gibraltar",
    "GR": "Greece",
    "HK": "Hong Kong",
    "HR": "Croatia",
    "HU": "Hungary",
    "IE": "Ireland",
    "IT": "Italy",
    "JP": "Japan",
    "LI": "Liechtenstein",
    "LT": "Lithuania",
    "LU": "Luxembourg",
    "LV": "Latvia",
    "MT": "Malta",
    "MX": "Mexico",
    "MY": "Malaysia",
    "NL": "Netherlands",
    "NO": "Norway",
    "NZ": "New Zealand",
    "PL": "Poland",
    "PT": "Portugal",
    "RO": "Romania",
    "SE": "Sweden",
    "SG": "Singapore",
    "SI": "Slovenia",
    "SK": "Slovakia",
    "TH": "Thailand",
    "US": "United States",
}
#: how a tax number looks without blanks, dots and dashes: loose, as it is to catch slips of the pen
SHAPES = {
    "US": re.compile(r"[0-9]{9}"),
    "DE": re.compile(r"(DE)?[0-9]{9}|[0-9]{10,13}"),
    "FR": re.compile(r"(FR)?[0-9A-Z]{2}[0-9]{9}|[0-9]{13}"),
    "NL": re.compile(r"(NL)?[0-9]{9}(B[0-9]{2})?"),
    "GB": re.compile(r"(GB)?([0-9]{9}|[0-9]{12}|[0-9]{10})|[A-Z]{2}[0-9]{6}[A-D]"),
}
ANY_SHAPE = re.compile(r"[0-9A-Z]{5,20}")
BETWEEN = re.compile(r"[\s./-]")


class TaxDetailsRefused(Refused):
    """A tax detail is missing or not as its country writes it."""

    code = "tax_details_invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class TaxDetails:
    """Who earns: a person or a company."""

    legal_name: str
    #: two capital letters
    country: str
    #: capital letters and digits alone
    tax_id: str
    #: street, place and code, on one or more lines
    address: str


def tax_details(*, legal_name: str, country: str, tax_id: str, address: str) -> TaxDetails:
    """Return the details as they are kept.

    :raises TaxDetailsRefused: with the sentence of the first that is wrong.
    """
    name, where = " ".join(legal_name.split()), country.strip().upper()
    number = BETWEEN.sub("", tax_id).upper()
    lines = "\n".join(" ".join(line.split()) for line in address.strip().splitlines())
    if not 2 <= len(name) <= NAME_LENGTH_MAX or not _is_printable(name):
        raise TaxDetailsRefused("Write the full legal name of the person or company that earns.")
    if where not in COUNTRIES:
        raise TaxDetailsRefused(
            "Choose a country that payouts go to; elsewhere choose emission on chain only."
        )
    if SHAPES.get(where, ANY_SHAPE).fullmatch(number) is None:
        raise TaxDetailsRefused(f"This is no tax number of {where}; write it as your papers do.")
    if not 5 <= len(lines) <= ADDRESS_LENGTH_MAX or not _is_printable(lines):
        raise TaxDetailsRefused("Write the address: street, place and code.")
    return TaxDetails(name, where, number, lines)


def masked(number: str) -> str:
    """Return the number with only its last characters: ``•••••6789``."""
    shown = number[-SHOWN_LAST:] if len(number) > 2 * SHOWN_LAST else number[-2:]
    return "•" * (len(number) - len(shown)) + shown


def _is_printable(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)
