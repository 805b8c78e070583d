"""This will find offers by their conditions, page by page, however many there are.

An index in the order of the page is enough while many offers match. It is not when those that match
come late: of a million offers the cheapest 120,000 may be of small GPUs. So a search for GPUs first
asks which kinds of them there are, a few dozen, and on PostgreSQL takes the best of each kind. One
that names countries, and no GPU, takes the best of each country. What is fully rented stands apart
in each index, and whoever asks for it, too, gets the best of both.
Source: docs/decisions/0043-search-by-kinds.md
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from marketplace.accounts import queries as accounts
from marketplace.domain.offer_query import Field, OfferQuery, OfferSort
from marketplace.domain.problem import Refused
from marketplace.offers.conditions import all_vram, hour_of, ordered, says
from marketplace.offers.countries import offered
from marketplace.offers.found import COLUMNS, Found
from marketplace.offers.kinds import Kind, kinds, narrows
from marketplace.offers.models import Guest, Offer

Offers = QuerySet[Offer, tuple[Any, ...]]
#: 1, 0 or both
Said = tuple[int, ...]
#: columns that an index has before the sort's, each with its type and, for each part of the market,
#: its value
Parts = Mapping[str, tuple[str, Sequence[object]]]
#: far longer than any search takes for which there is an index
SEARCH_MS_MAX = 2000
#: a statement that PostgreSQL gave up
CANCELED = "57014"
#: stands for now in statements that are kept
MOMENT = datetime(9000, 1, 1, tzinfo=UTC)
#: rising is better; there is an index of each, for the market and for each kind of GPU
SORTED_BY = {
    OfferSort.PRICE: "price_hour_microusd",
    OfferSort.VALUE: "value_microusd",
    OfferSort.RELIABILITY: "away_ppm",
    OfferSort.START: "start_p50_ms",
}
#: what holds until a search ends
_BOUNDED = (
    f"SELECT set_config('statement_timeout', '{SEARCH_MS_MAX}', true),"
    # Walking in the order of the page ends early, which the planner cannot foresee: it takes
    # conditions on one machine for independent of each other, expects few rows and would rather
    # read all of a kind and sort them.
    " set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', %s, true),"
    # A plan that it was told to avoid counts as so dear that it would be compiled first.
    " set_config('jit', 'off', true); "
)
_OFFERS = Offer.objects.values_list(*COLUMNS)


class SearchTooSlow(Refused):
    """Too many offers would have to be looked through."""

    code = "search_too_slow"
    status = 422
    sentence = "This search looks through too many offers; name a GPU or leave a condition out."


def find(query: OfferQuery, *, now: datetime, viewer_id: int | None) -> list[Found]:
    """Return the offers of one page, and one more where there are more.

    :raises SearchTooSlow: when it takes more than two seconds.
    """
    rooms = _rooms(query)
    if query.countries == frozenset() or not rooms:
        return []
    on_postgresql = connection.vendor == "postgresql"
    asks = query.words or query.conditions or query.cursor or query.rented
    if on_postgresql and not asks and viewer_id is None:
        statement, parameters = _whole_market(query)
        return _answers(statement, [now if one == MOMENT else one for one in parameters])
    column, rows = SORTED_BY[query.sort], query.rows_max + 1
    found = _matching(query, now, viewer_id).order_by(column, "id")
    parts: Parts = {}
    if narrows(query):
        asked = kinds(query)
        if on_postgresql:
            parts = {
                "gpu_model": ("text", [kind.gpu_model for kind in asked]),
                "vram_bytes": ("bigint", [kind.vram_bytes for kind in asked]),
            }
        else:
            found = found.filter(_of(asked))
    elif query.countries is not None and on_postgresql and query.sort is OfferSort.PRICE:
        parts = {"country": ("text", sorted(query.countries.intersection(offered())))}
    if not on_postgresql:
        return [Found(*row) for row in found[:rows]]
    if len(rooms) > 1:
        parts = _by_room(parts)
    try:
        if not parts:
            return _answers(*found[:rows].query.sql_with_params())
        return _answers(*_best_of_each(parts, found, column, rows), sorts=False)
    except EmptyResultSet:
        return []


def seen_by(viewer_id: int | None) -> Q:
    """Return which offers this person may see. None: nobody known."""
    everybody = Q(private=False)
    if viewer_id is None:
        return everybody
    emails = accounts.proven_emails(viewer_id)
    invited = Guest.objects.filter(email__in=emails).values("offer_id")
    return everybody | Q(machine__host_id=viewer_id) | Q(id__in=invited)


@lru_cache(maxsize=50)
def _whole_market(query: OfferQuery) -> tuple[str, Sequence[Any]]:
    """Return the statement of the page that all without a log-in begin with, for MOMENT.

    It is always the same, and to write it anew took Django an eighth of the page.
    """
    found = _matching(query, MOMENT, None).order_by(SORTED_BY[query.sort], "id")
    return found[: query.rows_max + 1].query.sql_with_params()


def _answers(statement: str, parameters: Sequence[Any], *, sorts: bool = True) -> list[Found]:
    """Return what PostgreSQL answers in time; ``sorts``: it may sort what it could walk in order.

    :raises SearchTooSlow: when it does not.
    """
    told = ["on" if sorts else "off", *parameters]
    # What is sent as one is a transaction of its own, and its settings end with it. They may not
    # outlive it where the search is part of another, either.
    within = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with within, connection.cursor() as cursor:
            cursor.execute(_BOUNDED + statement, told)
            cursor.nextset()
            rows = cursor.fetchall()
            if connection.in_atomic_block:
                transaction.set_rollback(True)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == CANCELED:
            raise SearchTooSlow from None
        raise
    return [Found(json.loads(discounts), *others) for discounts, *others in rows]


def _matching(query: OfferQuery, now: datetime, viewer_id: int | None) -> Offers:
    """Return the listed offers of online machines that fulfil all but what is said of kinds."""
    found = _OFFERS
    told = [Q(listed=True, machine__online=True), _open(now), seen_by(viewer_id)]
    unverified = Q(verified_until=None) | Q(verified_until__lte=now)
    verified = (Q(verified_until__gt=now), unverified)
    told += _either(query, Field.VERIFIED, *verified, unsaid=(1,) if query.verified else (0, 1))
    if len(rooms := _rooms(query)) == 1:
        told.append(Q(has_room=rooms[0]))
    if query.countries is not None:
        told.append(Q(country__in=query.countries))
    for word in query.words:
        told.append(Q(gpu_model__icontains=word) | Q(machine__cpu_model__icontains=word))
    for one in query.conditions:
        if one.field is Field.DPH:
            found = found.alias(hour=hour_of(query.asked))
            told.append(ordered("hour", one))
        elif one.field is Field.GPU_TOTAL_RAM:
            found = found.alias(vram=all_vram())
            told.append(ordered("vram", one, unknown=0))
        elif (said := says(one)) is not None:
            told.append(said)
    if query.cursor is not None:
        column = SORTED_BY[query.sort]
        key, last_id = query.cursor.key, query.cursor.offer_id
        told.append(Q(**{f"{column}__gt": key}) | Q(**{column: key, "id__gt": last_id}))
        # It says nothing more, but by it the index is entered at the right place.
        told.append(Q(**{f"{column}__gte": key}))
    return found.filter(*told)


def _rooms(query: OfferQuery) -> list[bool]:
    """Return whether those that are looked for have room: yes, no, or one as well as the other."""
    told = [one.values for one in query.conditions if one.field is Field.RENTED]
    said: Sequence[Collection[object]] = told or [(0, 1) if query.rented else (0,)]
    return [room for room in (True, False) if all(int(not room) in values for values in said)]


def _either(query: OfferQuery, field: Field, so: Q, not_so: Q, *, unsaid: Said) -> Iterator[Q]:
    said = [one.values for one in query.conditions if one.field is field] or [unsaid]
    return (so if 1 in values else not_so for values in said if len(values) == 1)


def _open(now: datetime) -> Q:
    worked_on = Q(maintenance_from__lte=now, maintenance_until__gt=now)
    return (Q(ends_at=None) | Q(ends_at__gt=now)) & (Q(maintenance_from=None) | ~worked_on)


def _of(asked: Collection[Kind]) -> Q:
    nothing = Q(pk__in=[])
    return reduce(
        or_, [Q(gpu_model=one.gpu_model, vram_bytes=one.vram_bytes) for one in asked], nothing
    )


def _by_room(parts: Parts) -> Parts:
    """Return each of the parts twice, with room and without; where there are none, the market."""
    count = max((len(values) for _, values in parts.values()), default=1)
    twice = {name: (type_, [*values, *values]) for name, (type_, values) in parts.items()}
    return twice | {"has_room": ("boolean", [True] * count + [False] * count)}


def _best_of_each(parts: Parts, found: Offers, column: str, rows: int) -> tuple[str, Sequence[Any]]:
    """Return a statement for the best of all offers that were found in these parts."""
    of_part = {name: RawSQL(f"part.{name}", ()) for name in parts}  # noqa: S611
    sql, parameters = found.filter(**of_part)[:rows].query.sql_with_params()
    # The ORM wrote the inner one, with parameters.
    arrays = ", ".join(f"%s::{type_}[]" for type_, _ in parts.values())
    statement = f"""
        SELECT best.* FROM unnest({arrays}) AS part({", ".join(parts)})
        CROSS JOIN LATERAL ({sql}) AS best ORDER BY best.{column}, best.id LIMIT %s
    """  # noqa: S608
    values = [list(told) for _, told in parts.values()]
    return statement, (*values, *parameters, rows)
