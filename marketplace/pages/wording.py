"""This will turn numbers into the words that a person reads."""

from datetime import datetime

from marketplace.domain.money import format_usd
from marketplace.domain.starts import Basis

GIB = 1 << 30
TIB = 1 << 40
CENT_MICROUSD = 10_000


def size(size_bytes: int) -> str:
    """Return ``16 GiB``, ``1.5 TiB`` or, below a GiB, ``512 MiB``."""
    if size_bytes >= TIB:
        return f"{_short(size_bytes / TIB)} TiB"
    if size_bytes >= GIB:
        return f"{_short(size_bytes / GIB)} GiB"
    return f"{size_bytes >> 20} MiB"


def count(number: int, singular: str, plural: str = "") -> str:
    """Return ``1 CPU``, ``2 CPUs``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def gpus(number: int, model: str) -> str:
    """Return ``2 × RTX 5090 GPUs``, or ``2 GPUs`` where nobody knows which."""
    units = count(number, "GPU")
    return units.replace(" ", f" × {model} ", 1) if model else units


def duration(milliseconds: int) -> str:
    """Return the two largest units: ``3 min 20 s``, ``2 h 5 min``, ``4 d 1 h``."""
    seconds = max(0, milliseconds) // 1000
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    units = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    shown = [f"{number} {unit}" for number, unit in units]
    first = next((index for index, (number, _) in enumerate(units) if number), len(units) - 1)
    whole = shown[first : first + 2]
    return " ".join(part for part in whole if not part.startswith("0 ")) or "0 s"


def seconds(milliseconds: int) -> str:
    """Return ``0.4 s``, ``12 s`` or, from two minutes on, ``3 min 20 s``."""
    if milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f} s"
    return f"{round(milliseconds / 1000)} s" if milliseconds < 120_000 else duration(milliseconds)


def balance_in_brief(balance_microusd: int) -> str:
    """Return ``$9.99`` of $9.999841: whole cents, never more than is there."""
    return format_usd(balance_microusd // CENT_MICROUSD * CENT_MICROUSD)


def rate(per_second: int) -> str:
    """Return ``1.25 M/s``; a dash where nothing was measured."""
    if not per_second:
        return "–"
    for unit, size_of_unit in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if per_second >= size_of_unit:
            return f"{_short(per_second / size_of_unit)} {unit}/s"
    return f"{per_second}/s"


def points(micro: int) -> str:
    """Return ``33`` of 33,000,000 millionths, ``0.0125`` of 12,500."""
    return f"{micro / 1_000_000:,.6f}".rstrip("0").rstrip(".")


def moment(at: datetime | None) -> str:
    """Return ``21 Nov 2026, 06:15:09 UTC``; a dash where it has not happened."""
    return "–" if at is None else f"{at:%-d %b %Y, %H:%M:%S} UTC"


def ago(at: datetime | None, now: datetime) -> str:
    """Return ``12 s ago``; ``never`` where it has not happened."""
    if at is None:
        return "never"
    return f"{duration(int((now - at).total_seconds() * 1000))} ago"


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") if number < 10 else f"{number:,.0f}"


def percent(ppm: int) -> str:
    """Return ``20 %`` or ``12.5 %``."""
    return f"{ppm / 10_000:.4f}".rstrip("0").rstrip(".") + " %"


def began_where(basis: Basis, gpu_model: str) -> str:
    """Return where the rentals were by which another one's start is told."""
    if basis is Basis.SITE:
        return "on this site"
    if basis is Basis.KIND:
        return f"on machines with {gpu_model}" if gpu_model else "on machines without a GPU"
    return "on this machine"
