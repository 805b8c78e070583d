"""This will read long lists page by page, each page from where the one before ended.

By the row itself and not by its number, so that what is added or removed meanwhile is neither shown
twice nor passed over, and the thousandth page costs what the first does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from marketplace.domain.problem import Refused

Row = TypeVar("Row", bound=Model)


class CursorUnknown(Refused):
    """The page before ended at what is not there any more, or never was."""

    code = "not_found"
    status = 404
    sentence = "There is nothing to go on from; begin with the first page again."


@dataclass(frozen=True, slots=True)
class RowPage(Generic[Row]):
    """Some rows, and from where to go on."""

    items: Sequence[Row]
    #: where the next page begins; None: there is none
    next_id: UUID | None


def newest_first(
    rows: QuerySet[Row], *, at: str, after: UUID | None, rows_max: int
) -> RowPage[Row]:
    """Return a page of the rows, the newest first.

    ``at``: the field of when. ``after``: the last row of the page before; None: the first page.

    :raises CursorUnknown: when there is no such row.
    """
    if after is not None:
        last = rows.filter(pk=after).values_list(at, flat=True).first()
        if last is None:
            raise CursorUnknown
        rows = rows.filter(Q(**{f"{at}__lt": last}) | Q(**{at: last, "pk__gt": after}))
    found = list(rows.order_by(f"-{at}", "pk")[: rows_max + 1])
    page = found[:rows_max]
    return RowPage(page, page[-1].pk if len(found) > rows_max else None)
