"""This will read and write sizes, durations and money as people type them. Pure."""

import re
from decimal import Decimal, InvalidOperation

BYTES_MAX = 1 << 50
DURATION_S_MAX = 366 * 86_400
MICROUSD_MAX = 10**12
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)B?$", re.IGNORECASE)
_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class UnitMalformed(ValueError):
    """What was typed is not a size, a duration or an amount of money."""


def parse_size(text: str) -> int:
    """Return the bytes of ``1GiB``, ``512M``, ``10GB`` or ``4096``.

    A bare K, M, G, T is binary, as Docker reads it; KB, MB, GB, TB are decimal.

    :raises UnitMalformed: when it is none of these, zero, or more than 1 PiB.
    """
    match = _SIZE.match(text.strip())
    if match is None:
        raise UnitMalformed(f"{text!r} is not a size. Write it like 1GiB, 512MiB or 10GB.")
    number, letter, binary = match.groups()
    decimal = letter and not binary and text.strip()[-1] in "bB"
    step = 1000 if decimal else 1024
    size = Decimal(number) * step ** _POWERS[letter.lower()]
    if size != int(size) or not 0 < size <= BYTES_MAX:
        raise UnitMalformed(f"{text!r} is not a whole number of bytes between 1 and 1 PiB.")
    return int(size)


def parse_duration(text: str) -> int:
    """Return the seconds of ``90m``, ``1h30m``, ``2d`` or ``45s``.

    :raises UnitMalformed: when it is none of these, zero, or more than 366 days.
    """
    match = _DURATION.match(text.strip().lower())
    if match is None or not any(match.groups()):
        raise UnitMalformed(f"{text!r} is not a duration. Write it like 90m, 1h30m or 2d.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total_s = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    if not 0 < total_s <= DURATION_S_MAX:
        raise UnitMalformed(f"{text!r} is not between 1 second and 366 days.")
    return total_s


def parse_usd(text: str, *, microusd_min: int = 1) -> int:
    """Return the micro-USD of ``2.50`` or ``$2.50``.

    :raises UnitMalformed: when it is no amount, less than the least, more than a million dollars,
        or finer than a millionth of a dollar.
    """
    try:
        microusd = Decimal(text.strip().removeprefix("$")) * 1_000_000
    except InvalidOperation:
        raise UnitMalformed(f"{text!r} is not an amount. Write it in dollars, like 2.50.") from None
    is_whole = microusd.is_finite() and microusd == int(microusd)
    if not is_whole or not microusd_min <= microusd <= MICROUSD_MAX:
        least = format_usd(microusd_min)
        raise UnitMalformed(f"{text!r} is not an amount between {least} and $1,000,000.")
    return int(microusd)


def parse_share(text: str) -> int:
    """Return the millionths of ``0.99`` or ``99%``.

    :raises UnitMalformed: when it is neither, or more than all.
    """
    percent = text.strip().endswith("%")
    try:
        share = Decimal(text.strip().removesuffix("%")) * (10_000 if percent else 1_000_000)
    except InvalidOperation:
        raise UnitMalformed(f"{text!r} is no share. Write it like 0.99 or 99%.") from None
    if not share.is_finite() or not 0 <= share <= 1_000_000:
        raise UnitMalformed(f"{text!r} is not between 0 and 1. Write it like 0.99 or 99%.")
    return int(share)


def format_usd(microusd: int) -> str:
    """Return ``$1.23``, with more digits only where there is more to say."""
    sign = "-" if microusd < 0 else ""
    dollars, fraction = divmod(abs(microusd), 1_000_000)
    digits = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}${dollars:,}.{digits}"


def format_points(micro: int) -> str:
    """Return ``33`` of 33,000,000 millionths, ``0.000037`` of 37."""
    return f"{micro / 1_000_000:,.6f}".rstrip("0").rstrip(".")


def format_size(size: int) -> str:
    """Return ``1 GiB``, ``1.5 GiB`` or ``0 B``: one decimal at most."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.4g} {unit}" if value == int(value) else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.4g} TiB" if value == int(value) else f"{value:.1f} TiB"


def format_duration(ms: int) -> str:
    """Return ``1 h 30 m``, ``2 m 5 s`` or ``0.8 s``: the two largest parts."""
    if ms < 10_000:
        return f"{ms / 1000:.1f} s"
    seconds = ms // 1000
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
