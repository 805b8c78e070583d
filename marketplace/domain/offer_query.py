"""This will describe a search for offers: filters, order, and the cursor of the next page."""

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from marketplace.domain.matching import Slice
from marketplace.domain.problem import Refused

PAGE_ROWS_MAX = 100


class OfferSort(StrEnum):
    PRICE = "price"
    #: price per measured performance; what was never measured comes last
    VALUE = "value"


class CursorInvalid(Refused):
    """The cursor was not made by this search."""

    code = "invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort key of the last row of a page."""

    key: int
    offer_id: UUID

    def encode(self) -> str:
        """Return the cursor as it stands in an address."""
        text = json.dumps([self.key, self.offer_id.hex])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Return the cursor that ``encode`` wrote.

        :raises CursorInvalid: when it wrote no such text.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            key, offer_id = json.loads(raw)
            if type(key) is not int or abs(key) >= 1 << 63:
                raise ValueError("The key is a 64-bit integer.")
            return cls(key=key, offer_id=UUID(hex=offer_id))
        except (AttributeError, binascii.Error, TypeError, ValueError):
            raise CursorInvalid("This page address is broken; start the search again.") from None


@dataclass(frozen=True, slots=True)
class OfferQuery:
    """What a renter looks for. None and "": any."""

    #: words that must each stand in the GPU's or the CPU's name
    words: tuple[str, ...] = ()
    gpu_model: str = ""
    gpus_min: int | None = None
    vram_bytes_min: int | None = None
    cpus_min: int | None = None
    memory_bytes_min: int | None = None
    disk_bytes_min: int | None = None
    price_hour_microusd_max: int | None = None
    #: False: show unverified machines too
    verified: bool = True
    sort: OfferSort = OfferSort.PRICE
    cursor: Cursor | None = None
    rows_max: int = 50

    @property
    def asked(self) -> Slice | None:
        """Return the slice that is looked for; None: no amount was named."""
        amounts = (self.cpus_min, self.memory_bytes_min, self.disk_bytes_min, self.gpus_min)
        if amounts == (None, None, None, None):
            return None
        return Slice(*(amount or 0 for amount in amounts))

    def __post_init__(self) -> None:
        """Hold the page to its limit."""
        object.__setattr__(self, "rows_max", max(1, min(self.rows_max, PAGE_ROWS_MAX)))
