"""This will say what a rental may be called, and what its renter knows it by.

Two may have the same name: another machine takes one over together with its name, and who rents
the same each day need not think of a new one.
"""

from uuid import UUID

from marketplace.domain.text import one_line

NAME_LENGTH_MAX = 60


def cleaned(name: str) -> str:
    """Return the name as it is kept; empty: none.

    :raises TextRefused: when it is more than one line, or a character cannot be seen.
    """
    return one_line(name)


def called(rental_id: UUID, name: str) -> str:
    """Return ``train (3f2a9c10)``, or the beginning of the id where it has no name."""
    short = str(rental_id)[:8]
    return f"{name} ({short})" if name else short
