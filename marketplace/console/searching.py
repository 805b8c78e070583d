"""This will read what staff search for, and bound how many rows a page of a list looks at."""

import re
from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from marketplace.accounts.models import User

#: of one page of a list
ROWS_MAX = 50
#: rows that a page looks at, however few of them it finds: the next page goes on behind them
SCANNED_MAX = 10_000
#: whose address begins so
PEOPLE_MAX = 50
_HEX_MIN, _HEX_MAX = 4, 32
_HEX = re.compile("[0-9a-f]+")


def id_range(text: str) -> tuple[UUID, UUID] | None:
    """Return the first and the last id that begin so; None: no id that is named does.

    One index, where a comparison of texts would read every row. Fewer than four digits name none.
    """
    digits = text.strip().lower().replace("-", "")
    if not _HEX_MIN <= len(digits) <= _HEX_MAX or not _HEX.fullmatch(digits):
        return None
    return UUID(digits.ljust(_HEX_MAX, "0")), UUID(digits.ljust(_HEX_MAX, "f"))


def id_begins(text: str) -> Q | None:
    """Return the condition that an id begins so; None: it is no beginning of one."""
    bounds = id_range(text)
    return None if bounds is None else Q(id__gte=bounds[0], id__lte=bounds[1])


def people(text: str) -> Sequence[int]:
    """Return the first people whose address begins so."""
    found = User.objects.filter(email__startswith=text.strip().lower()).order_by("email")
    return tuple(found.values_list("pk", flat=True)[:PEOPLE_MAX])
