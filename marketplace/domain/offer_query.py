"""This will describe a search for offers: conditions, order, and the cursor of the next page."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from marketplace.domain.country import IN_REGION, NAMES, Region
from marketplace.domain.matching import Slice
from marketplace.domain.problem import Refused

PAGE_ROWS_MAX = 100
#: of a cursor; those that are made are shorter by far
CURSOR_MAX = 200


class OfferSort(StrEnum):
    PRICE = "price"
    #: price per measured performance; what was never measured comes last
    VALUE = "value"
    #: the most reliable first
    RELIABILITY = "reliability"
    #: the quickest to start first; what nobody ever started comes last
    START = "start"


class Field(StrEnum):
    """What a condition may speak of, by its name in the query language."""

    #: of the offer, its machine, and its host as a number; ids are the 8 to 32 hex digits
    #: that they begin with
    ID = "id"
    MACHINE_ID = "machine_id"
    HOST_ID = "host_id"
    GPU_NAME = "gpu_name"
    CPU_NAME = "cpu_name"
    #: how much can be rented at once; bytes where it is memory or disk
    NUM_GPUS = "num_gpus"
    CPU_CORES = "cpu_cores"
    CPU_RAM = "cpu_ram"
    DISK_SPACE = "disk_space"
    #: of one GPU, and of all of the machine's, bytes
    GPU_RAM = "gpu_ram"
    GPU_TOTAL_RAM = "gpu_total_ram"
    #: an hour of all that is asked for, micro-USD
    DPH = "dph"
    #: an hour of one GPU, or of one CPU where there is no GPU, micro-USD
    UNIT_PRICE = "unit_price"
    #: of an hour of one GPU or CPU, micro-USD
    MIN_BID = "min_bid"
    #: of a GB and 30 days while it is stopped, micro-USD
    STORAGE_COST = "storage_cost"
    #: of a GB, micro-USD
    INET_COST = "inet_cost"
    #: the share of the last 30 days that it was there, millionths
    RELIABILITY = "reliability"
    #: the longest that a rental may run, seconds
    DURATION = "duration"
    #: the newest CUDA that its driver runs, as 1000 x major + minor
    CUDA_VERS = "cuda_vers"
    #: measured, of one GPU: 10^9 int8 operations and 10^6 bytes a second
    TOPS = "tops"
    GPU_MEM_BW = "gpu_mem_bw"
    #: half of the rentals that began there answered within it, milliseconds
    START_TIME = "start_time"
    #: measured, to the machine and from it, 10^6 bits a second: it has no less
    INET_DOWN = "inet_down"
    INET_UP = "inet_up"
    #: the country that its host says, two letters
    GEOLOCATION = "geolocation"
    #: the continent that this country is on, two letters
    REGION = "region"
    #: 1 or 0
    VERIFIED = "verified"
    #: 1 or 0: no GPU of it can be rented now, or without GPUs no CPU
    RENTED = "rented"
    #: 1 or 0: it takes bids, and it takes something off for reservations
    INTERRUPTIBLE = "interruptible"
    RESERVED = "reserved"


#: fields that name whose machine it is, or which
NAMING = frozenset({Field.ID, Field.MACHINE_ID, Field.HOST_ID})


class Relation(StrEnum):
    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "in"
    NOT_IN = "notin"
    #: a part of the name
    CONTAINS = "~"


@dataclass(frozen=True, slots=True)
class Condition:
    field: Field
    relation: Relation
    #: one; for "in" and "notin" one or more
    values: tuple[int, ...] | tuple[str, ...]

    @property
    def least(self) -> int | None:
        """Return the smallest amount that fulfils it. None: it asks for none in particular."""
        numbers = [value for value in self.values if isinstance(value, int)]
        if not numbers or self.relation not in (Relation.EQ, Relation.GE, Relation.GT, Relation.IN):
            return None
        return min(numbers) + (self.relation is Relation.GT)


class CursorInvalid(Refused):
    """The cursor was not made by this search."""

    code = "cursor_invalid"
    status = 422
    sentence = "This page address is broken; start the search again."


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
            if len(text) > CURSOR_MAX:
                raise ValueError("No such text is made; it may be nested deeper than can be read.")
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            key, offer_id = json.loads(raw)
            if type(key) is not int or abs(key) >= 1 << 63:
                raise ValueError("The key is a 64-bit integer.")
            return cls(key=key, offer_id=UUID(hex=offer_id))
        except (AttributeError, binascii.Error, TypeError, ValueError):
            raise CursorInvalid from None


@dataclass(frozen=True, slots=True)
class OfferQuery:
    """What a renter looks for."""

    #: words that must each stand in the GPU's or the CPU's name
    words: tuple[str, ...] = ()
    #: all of them hold
    conditions: tuple[Condition, ...] = ()
    #: False: show unverified machines too
    verified: bool = True
    #: True: show fully rented machines, too
    rented: bool = False
    sort: OfferSort = OfferSort.PRICE
    cursor: Cursor | None = None
    rows_max: int = 50

    @property
    def asked(self) -> Slice | None:
        """Return the slice that is looked for; None: no amount was named."""
        amounts = [
            self._most(field)
            for field in (Field.CPU_CORES, Field.CPU_RAM, Field.DISK_SPACE, Field.NUM_GPUS)
        ]
        if amounts == [None] * len(amounts):
            return None
        return Slice(*(amount or 0 for amount in amounts))

    @property
    def countries(self) -> frozenset[str] | None:
        """Return those where it may be; None: anywhere, and where its host says nothing, too."""
        told = [one for one in self.conditions if one.field in (Field.GEOLOCATION, Field.REGION)]
        if not told:
            return None
        return frozenset(NAMES).intersection(*map(_countries, told))

    def _most(self, field: Field) -> int | None:
        named = [one.least for one in self.conditions if one.field is field]
        return max((amount for amount in named if amount is not None), default=None)

    def __post_init__(self) -> None:
        """Hold the page to its limit."""
        object.__setattr__(self, "rows_max", max(1, min(self.rows_max, PAGE_ROWS_MAX)))


def _countries(one: Condition) -> frozenset[str]:
    named = frozenset(map(str, one.values))
    if one.field is Field.REGION:
        named = frozenset().union(*(IN_REGION[Region(region)] for region in named))
    among = one.relation in (Relation.EQ, Relation.IN)
    return named if among else frozenset(NAMES) - named


def wanted(
    *,
    gpu_model: str = "",
    gpus_min: int | None = None,
    vram_bytes_min: int | None = None,
    cpus_min: int | None = None,
    memory_bytes_min: int | None = None,
    disk_bytes_min: int | None = None,
    price_hour_microusd_max: int | None = None,
    country: str = "",
    region: str = "",
    network_down_mbit_s_min: int | None = None,
    network_up_mbit_s_min: int | None = None,
    reliability_ppm_min: int | None = None,
    lease_s_min: int | None = None,
    cuda_min: int | None = None,
    interruptible: bool = False,
    reserved: bool = False,
) -> tuple[Condition, ...]:
    """Return the conditions of a form's filters. None, "" and False: any.

    The price is of one unit; countries and regions are codes; CUDA is 1000 x major + minor.
    """

    def named() -> Iterator[Condition]:
        if gpu_model.strip():
            yield Condition(Field.GPU_NAME, Relation.CONTAINS, (gpu_model,))
        least = {
            Field.NUM_GPUS: gpus_min,
            Field.GPU_RAM: vram_bytes_min,
            Field.CPU_CORES: cpus_min,
            Field.CPU_RAM: memory_bytes_min,
            Field.DISK_SPACE: disk_bytes_min,
            Field.INET_DOWN: network_down_mbit_s_min,
            Field.INET_UP: network_up_mbit_s_min,
            Field.RELIABILITY: reliability_ppm_min,
            Field.DURATION: lease_s_min,
            Field.CUDA_VERS: cuda_min,
        }
        for field, amount in least.items():
            if amount is not None:
                yield Condition(field, Relation.GE, (amount,))
        if price_hour_microusd_max is not None:
            yield Condition(Field.UNIT_PRICE, Relation.LE, (price_hour_microusd_max,))
        for place, code in ((Field.GEOLOCATION, country), (Field.REGION, region)):
            if code:
                yield Condition(place, Relation.EQ, (code,))
        for kind, only in ((Field.INTERRUPTIBLE, interruptible), (Field.RESERVED, reserved)):
            if only:
                yield Condition(kind, Relation.EQ, (1,))

    return tuple(named())
