"""This will say in SQL what each condition of a search asks of an offer and its machine."""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import BigIntegerField, F, FloatField, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Ceil, Coalesce, Greatest, NullIf

from marketplace.domain.matching import Slice
from marketplace.domain.money import PPM
from marketplace.domain.offer_query import Condition, Field, Relation
from marketplace.offers.models import UNMEASURED

#: far above what a float gets wrong of a price, far below a micro-dollar
ROUNDING_MICROUSD = 0.001
GIB = 1 << 30
_TURNED = {
    Relation.LT: Relation.GT,
    Relation.LE: Relation.GE,
    Relation.GT: Relation.LT,
    Relation.GE: Relation.LE,
}


def says(one: Condition) -> Q | None:
    """Return what the condition asks. None: it is of the kind of GPUs, or of more than one row."""
    say = _SAYS.get(one.field)
    return say(one) if say else None


def ordered(column: str, one: Condition, *, unknown: int | None = None) -> Q:
    """Return what a condition asks of a number; ``unknown``: its value where nobody measured."""
    first = one.values[0]
    told = {
        Relation.EQ: Q(**{column: first}),
        Relation.IN: Q(**{f"{column}__in": one.values}),
        Relation.NE: ~Q(**{column: first}),
        Relation.NOT_IN: ~Q(**{f"{column}__in": one.values}),
        Relation.LT: Q(**{f"{column}__lt": first}),
        Relation.LE: Q(**{f"{column}__lte": first}),
        Relation.GT: Q(**{f"{column}__gt": first}),
        Relation.GE: Q(**{f"{column}__gte": first}),
    }[one.relation]
    known = Q(**{f"{column}__isnull": False}) if unknown is None else ~Q(**{column: unknown})
    return told & known


def hour_of(asked: Slice | None) -> Combinable:
    """Return the price of an hour of what is asked for, as ``domain.pricing.price_hour`` has it."""
    unit = F("price_hour_microusd")
    if asked is None:
        return unit
    parts: Mapping[str, int] = {
        "gpus": asked.gpus,
        "cpus": asked.cpus,
        "memory_bytes": asked.memory_bytes,
        "disk_bytes": asked.disk_bytes,
    }
    shares = [
        Coalesce(Value(part, FloatField()) / NullIf(_all_of(name), 0.0), 0.0)
        for name, part in parts.items()
    ]
    units = Coalesce(NullIf(_all_of("gpus"), 0.0), _all_of("cpus"))
    exact = Cast(unit, FloatField()) * units * Greatest(*shares)
    return Cast(Ceil(exact - ROUNDING_MICROUSD), BigIntegerField())


def all_vram() -> Combinable:
    """Return the memory of all GPUs of the machine, bytes; 0: it has none.

    Of each it is what its maker prints on it, of which a little is never free (see ``kinds``).
    """
    printed = Ceil(Cast(F("vram_bytes"), FloatField()) / float(GIB)) * float(GIB)
    return Cast(printed * _all_of("gpus"), BigIntegerField())


def _all_of(name: str) -> Cast:
    return Cast(F(f"machine__{name}_total"), FloatField())


def _amount(name: str, *, least: str = "") -> Callable[[Condition], Q]:
    """Return what is said of an amount to rent: so much is free, and the host rents so little."""

    def enough(amount: int) -> Q:
        # Whoever bids goes for whoever does not; but a disk is never taken from anybody.
        taken = 0 if name == "disk_bytes" else F(f"machine__{name}_interruptible")
        return Q(**{f"machine__{name}_free__gte": Value(amount) - taken})

    def small(amount: int) -> Q:
        return Q(**{f"{least}__lte": amount}) if least else Q()

    def say(one: Condition) -> Q:
        amounts = [int(value) for value in one.values]
        if one.relation in (Relation.GE, Relation.GT):
            return enough(amounts[0] + (one.relation is Relation.GT))
        if one.relation in (Relation.LT, Relation.LE):
            return small(amounts[0] - (one.relation is Relation.LT))
        return reduce(or_, [enough(amount) & small(amount) for amount in amounts])

    return say


def _gpus(one: Condition) -> Q:
    """Return what is said of GPUs, of which none at all means a machine without any."""
    some = tuple(int(value) for value in one.values if value)
    among = one.relation in (Relation.EQ, Relation.IN)
    told = _amount("gpus", least="gpus_min")
    if not among or len(some) == len(one.values):
        return told(one)
    none = Q(machine__gpus_total=0)
    return none | told(Condition(one.field, Relation.IN, some)) if some else none


def _reliability(one: Condition) -> Q:
    """Return what is said of the share that it was there, of which the rest is kept."""
    away = tuple(PPM - int(value) for value in one.values)
    relation = _TURNED.get(one.relation, one.relation)
    return ordered("away_ppm", Condition(one.field, relation, away))


def _cpu_name(one: Condition) -> Q:
    told = Q()
    for word in str(one.values[0]).replace("_", " ").split():
        told &= Q(machine__cpu_model__icontains=word)
    return told


def _reserved(one: Condition) -> Q:
    none = Q(discounts=[])
    return ~none if one.values[0] else none


def _interruptible(one: Condition) -> Q:
    return Q(bid_floor_microusd__isnull=not one.values[0])


def _beginning(name: str) -> Callable[[Condition], Q]:
    """Return what is said of an id, of which a condition has the first digits."""

    def say(one: Condition) -> Q:
        ranges = [
            Q(
                **{
                    f"{name}__gte": UUID(digits.ljust(32, "0")),
                    f"{name}__lte": UUID(digits.ljust(32, "f")),
                }
            )
            for digits in map(str, one.values)
        ]
        among = reduce(or_, ranges)
        return among if one.relation in (Relation.EQ, Relation.IN) else ~among

    return say


def _column(name: str, *, unknown: int | None = None) -> Callable[[Condition], Q]:
    return lambda one: ordered(name, one, unknown=unknown)


_SAYS: Mapping[Field, Callable[[Condition], Q]] = {
    Field.ID: _beginning("id"),
    Field.MACHINE_ID: _beginning("machine_id"),
    Field.HOST_ID: _column("machine__host_id"),
    Field.CPU_NAME: _cpu_name,
    Field.NUM_GPUS: _gpus,
    Field.CPU_CORES: _amount("cpus", least="cpus_min"),
    Field.CPU_RAM: _amount("memory_bytes"),
    Field.DISK_SPACE: _amount("disk_bytes"),
    Field.UNIT_PRICE: _column("price_hour_microusd"),
    Field.MIN_BID: _column("bid_floor_microusd"),
    Field.STORAGE_COST: _column("storage_price_microusd"),
    Field.INET_COST: _column("network_price_microusd"),
    Field.RELIABILITY: _reliability,
    Field.DURATION: _column("longest_term_s"),
    Field.CUDA_VERS: _column("cuda", unknown=0),
    Field.TOPS: _column("int8_gops"),
    Field.GPU_MEM_BW: _column("bandwidth_mb_s"),
    Field.START_TIME: _column("start_p50_ms", unknown=UNMEASURED),
    Field.INET_DOWN: _column("network_down_mbit_s"),
    Field.INET_UP: _column("network_up_mbit_s"),
    Field.INTERRUPTIBLE: _interruptible,
    Field.RESERVED: _reserved,
}
