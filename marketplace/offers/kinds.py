"""This will say which kinds of GPUs are offered, and which of them a search asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from marketplace.domain import gpu_name
from marketplace.domain.offer_query import Condition, Field, OfferQuery, Relation

#: Hosts may make kinds up; those beyond are found by searches that ask for no kind. No more than
#: these of each: of what validators vouch for nobody makes up many, nor hides any behind others.
KINDS_MAX = 500
GIB = 1 << 30
#: of which offers the kinds are; there is an index for each
LISTED = "listed"
VOUCHED = "listed AND verified_until IS NOT NULL"
#: a step through the index for each kind, where DISTINCT would read the whole of it
_KNOWN = """\
WITH RECURSIVE kind(gpu_model, vram_bytes) AS (
    SELECT * FROM (
        SELECT gpu_model, vram_bytes FROM offers_offer WHERE {those}
        ORDER BY gpu_model, vram_bytes LIMIT 1
    ) AS first_kind
    UNION ALL
    SELECT
        (SELECT gpu_model FROM offers_offer
         WHERE {those} AND (gpu_model, vram_bytes) > (kind.gpu_model, kind.vram_bytes)
         ORDER BY gpu_model, vram_bytes LIMIT 1),
        (SELECT vram_bytes FROM offers_offer
         WHERE {those} AND (gpu_model, vram_bytes) > (kind.gpu_model, kind.vram_bytes)
         ORDER BY gpu_model, vram_bytes LIMIT 1)
    FROM kind WHERE kind.gpu_model IS NOT NULL
)
SELECT gpu_model, vram_bytes FROM kind WHERE gpu_model IS NOT NULL LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """GPUs alike; no model: machines without one."""

    gpu_model: str
    vram_bytes: int


def narrows(query: OfferQuery) -> bool:
    """Say whether the search asks for some kinds only."""
    return any(_narrows(one) for one in query.conditions)


def kinds(query: OfferQuery) -> list[Kind]:
    """Return the kinds of the listed offers that the search asks for."""
    asked = [one for one in query.conditions if _narrows(one)]
    known = _known(VOUCHED)
    if shows_unverified(query):
        known |= _known(LISTED)
    return [kind for kind in known if all(_is_of(kind, one) for one in asked)]


def shows_unverified(query: OfferQuery) -> bool:
    """Say whether the search may find what no validator vouches for."""
    told = [one for one in query.conditions if one.field is Field.VERIFIED]
    return all(0 in one.values for one in told) if told else not query.verified


def _known(those: str) -> dict[Kind, None]:
    """Return the kinds of those offers, in order and each once."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN.format(those=those), [KINDS_MAX])
        return {Kind(*row): None for row in cursor.fetchall()}


def _narrows(one: Condition) -> bool:
    if one.field is Field.NUM_GPUS:
        return bool(one.least)
    return one.field in (Field.GPU_NAME, Field.GPU_RAM)


def _is_of(kind: Kind, one: Condition) -> bool:
    if one.field is Field.GPU_NAME:
        return _is_named(kind.gpu_model, one)
    if one.field is Field.GPU_RAM:
        # A card that is sold with 24 GB tells of a little less than 24 GiB.
        asked = [_whole_gib(int(value)) for value in one.values]
        return _compares(_whole_gib(kind.vram_bytes), one.relation, asked)
    return kind.gpu_model != ""


def _is_named(gpu_model: str, one: Condition) -> bool:
    names = [str(value) for value in one.values]
    if one.relation is Relation.CONTAINS:
        return any(gpu_name.contains(gpu_model, name) for name in names)
    is_one = any(gpu_name.is_called(gpu_model, name) for name in names)
    return is_one is (one.relation in (Relation.EQ, Relation.IN))


def _whole_gib(size_bytes: int) -> int:
    return -(-size_bytes // GIB)


def _compares(size: int, relation: Relation, asked: Sequence[int]) -> bool:
    first = asked[0]
    return {
        Relation.LT: size < first,
        Relation.LE: size <= first,
        Relation.GT: size > first,
        Relation.GE: size >= first,
        Relation.EQ: size == first,
        Relation.IN: size in asked,
        Relation.NE: size != first,
        Relation.NOT_IN: size not in asked,
    }[relation]
