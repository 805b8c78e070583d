"""This will say in which countries something is offered, as hosts say."""

from django.db import connection

#: a step through the index for each country, where DISTINCT would read the whole of it
_OFFERED = """\
WITH RECURSIVE offered(country) AS (
    SELECT (SELECT min(country) FROM offers_offer WHERE listed AND country > '')
    UNION ALL
    SELECT (SELECT min(country) FROM offers_offer WHERE listed AND country > offered.country)
    FROM offered WHERE offered.country IS NOT NULL
)
SELECT country FROM offered WHERE country IS NOT NULL
"""


def offered() -> list[str]:
    """Return the countries of listed offers, two letters each: no more than ISO 3166 has."""
    with connection.cursor() as cursor:
        cursor.execute(_OFFERED)
        return [country for (country,) in cursor.fetchall()]
