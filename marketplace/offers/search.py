"""This will find offers by their conditions, page by page, however many there are.

An index in the order of the page is enough while many offers match. It is not when those that match
come late: of a million offers the cheapest 120,000 may be of small GPUs. So a search for GPUs first
asks which kinds of them there are, a few dozen, and on PostgreSQL takes the best of each kind. One
that names countries, and no GPU, takes the best of each country.
Source: docs/decisions/0043-search-by-kinds.md
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import or_

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from marketplace.accounts import queries as accounts
from marketplace.domain.offer_query import Field, OfferQuery, OfferSort
from marketplace.domain.problem import Refused
from marketplace.offers import countries
from marketplace.offers.conditions import hour_of, ordered, says
from marketplace.offers.kinds import Kind, kinds, narrows
from marketplace.offers.models import Guest, Offer

#: far longer than any search takes for which there is an index
SEARCH_MS_MAX = 2000
#: a statement that PostgreSQL gave up
CANCELED = "57014"
#: rising is better
COLUMNS = {
    OfferSort.PRICE: "price_hour_microusd",
    OfferSort.VALUE: "value_microusd",
    OfferSort.RELIABILITY: "away_ppm",
    OfferSort.START: "start_p50_ms",
}
#: there is an index of these for each kind of GPU
BY_KIND = (OfferSort.PRICE, OfferSort.VALUE)
#: of a machine, which no list shows: what it says of its hardware is long, and to make the others
#: of fifty rows is a tenth of the page
UNSHOWN = (
    *("hardware", "machine_key", "address", "control_port", "port_first", "port_last"),
    *("ports_total", "miner_hotkey", "agent_version", "boot_id", "enrolled_at", "last_seen_at"),
    *("sent_at_ms", "uptime_counted_at", "desired_revision", "desired_at"),
)
_OFFERS = Offer.objects.select_related("machine").defer(*(f"machine__{one}" for one in UNSHOWN))


class SearchTooSlow(Refused):
    """Too many offers would have to be looked through."""

    code = "search_too_slow"
    status = 422
    sentence = "This search looks through too many offers; name a GPU or leave a condition out."


def find(query: OfferQuery, *, now: datetime, viewer_id: int | None) -> list[Offer]:
    """Return the offers of one page with their machines, and one more where there are more.

    :raises SearchTooSlow: when it takes more than two seconds.
    """
    if connection.vendor != "postgresql":
        return _find(query, now, viewer_id)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                # Walking in the order of the page ends early, which the planner cannot foresee: it
                # takes conditions on one machine for independent of each other, expects few rows
                # and would rather read all of a kind and sort them.
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true),"
                    " set_config('enable_bitmapscan', 'off', true)",
                    [str(SEARCH_MS_MAX)],
                )
            found = _find(query, now, viewer_id)
            # Nothing was written; so both end here, where the search is part of more, too.
            transaction.set_rollback(True)
            return found
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == CANCELED:
            raise SearchTooSlow from None
        raise


def seen_by(viewer_id: int | None) -> Q:
    """Return which offers this person may see. None: nobody known."""
    everybody = Q(private=False)
    if viewer_id is None:
        return everybody
    emails = accounts.proven_emails(viewer_id)
    invited = Guest.objects.filter(email__in=emails).values("offer_id")
    return everybody | Q(machine__host_id=viewer_id) | Q(id__in=invited)


def _find(query: OfferQuery, now: datetime, viewer_id: int | None) -> list[Offer]:
    if query.countries == frozenset():
        return []
    column, rows = COLUMNS[query.sort], query.rows_max + 1
    found = _matching(query, now).filter(_open(now), seen_by(viewer_id))
    if query.cursor is not None:
        key, last_id = query.cursor.key, query.cursor.offer_id
        after = Q(**{f"{column}__gt": key}) | Q(**{column: key, "id__gt": last_id})
        # The second says nothing more, but by it the index is entered at the right place.
        found = found.filter(after, **{f"{column}__gte": key})
    on_postgresql = connection.vendor == "postgresql"
    if narrows(query):
        asked = kinds(query)
        if on_postgresql and query.sort in BY_KIND:
            parts: Mapping[str, tuple[str, Sequence[object]]] = {
                "gpu_model": ("text", [kind.gpu_model for kind in asked]),
                "vram_bytes": ("bigint", [kind.vram_bytes for kind in asked]),
            }
            found = _OFFERS.filter(_best_of_each(parts, found, column, rows))
        else:
            found = found.filter(_of(asked))
    elif query.countries is not None and on_postgresql and query.sort is OfferSort.PRICE:
        named = {"country": ("text", sorted(query.countries.intersection(countries.offered())))}
        found = _OFFERS.filter(_best_of_each(named, found, column, rows))
    return list(found.order_by(column, "id")[:rows])


def _matching(query: OfferQuery, now: datetime) -> QuerySet[Offer]:
    """Return the listed offers of online machines that fulfil all but what is said of kinds."""
    found = _OFFERS.filter(listed=True, machine__online=True)
    verified = Q(verified_until__gt=now)
    told = [one for one in query.conditions if one.field is Field.VERIFIED]
    if query.verified and not told:
        found = found.filter(verified)
    for one in told:
        unverified = Q(verified_until=None) | Q(verified_until__lte=now)
        found = found.filter(reduce(or_, [verified if said else unverified for said in one.values]))
    if query.countries is not None:
        found = found.filter(country__in=query.countries)
    for word in query.words:
        found = found.filter(Q(gpu_model__icontains=word) | Q(machine__cpu_model__icontains=word))
    for one in query.conditions:
        if one.field is Field.DPH:
            found = found.alias(hour=hour_of(query.asked)).filter(ordered("hour", one))
        elif (said := says(one)) is not None:
            found = found.filter(said)
    return found


def _open(now: datetime) -> Q:
    worked_on = Q(maintenance_from__lte=now, maintenance_until__gt=now)
    return (Q(ends_at=None) | Q(ends_at__gt=now)) & (Q(maintenance_from=None) | ~worked_on)


def _of(asked: Collection[Kind]) -> Q:
    nothing = Q(pk__in=[])
    return reduce(
        or_, [Q(gpu_model=one.gpu_model, vram_bytes=one.vram_bytes) for one in asked], nothing
    )


def _best_of_each(
    parts: Mapping[str, tuple[str, Sequence[object]]],
    found: QuerySet[Offer],
    column: str,
    rows: int,
) -> Q:
    """Return which offers are the best, of all that were found in these parts of the market.

    ``parts``: columns that there is an index of before the sort's, each with its type and, for each
    part, its value.
    """
    of_part = {name: RawSQL(f"part.{name}", ()) for name in parts}  # noqa: S611
    best = found.filter(**of_part).order_by(column, "id").values_list("id", column)[:rows]
    sql, parameters = best.query.sql_with_params()
    # The ORM wrote the inner one, with parameters.
    arrays = ", ".join(f"%s::{type_}[]" for type_, _ in parts.values())
    statement = f"""
        SELECT best.id FROM unnest({arrays}) AS part({", ".join(parts)})
        CROSS JOIN LATERAL ({sql}) AS best(id, key) ORDER BY best.key, best.id LIMIT %s
    """  # noqa: S608
    values = [list(told) for _, told in parts.values()]
    return Q(id__in=RawSQL(statement, (*values, *parameters, rows)))  # noqa: S611
