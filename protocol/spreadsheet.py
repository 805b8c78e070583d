"""This will say how texts and amounts stand in a file that spreadsheets open."""

#: a cell that begins so is computed instead of shown; what others wrote must never be
COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula.

    Source: OWASP, CSV Injection, read 2026-11-21.
    """
    return f"'{text}" if text.lstrip(" ").startswith(COMPUTED) else text


def dollars(microusd: int) -> str:
    """Return ``-1.230000``: all six decimals and no sign of dollars, so that it can be summed."""
    whole, part = divmod(abs(microusd), 1_000_000)
    return f"{'-' if microusd < 0 else ''}{whole}.{part:06d}"
