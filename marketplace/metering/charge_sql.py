"""This will say in SQL what meters' proven time costs, and charge it to the micro-dollar.

It costs the same as ``domain.metered.Priced.cost`` and the fee's share of it; whole hours and whole
dollars are counted apart, because a price times a year of milliseconds does not fit into 64 bits.
Both databases take this text. ``%`` is doubled: it stands in statements with parameters.
"""

from marketplace.domain.money import MICROUSD_PER_USD, MS_PER_HOUR, PPM

#: as much of an image's name as a statement shows
IMAGE_LENGTH_MAX = 120

_PERIOD_MS = "(meter.proven_ms - meter.priced_from_ms)"
#: of ``meter``: what all that is proven costs, in the order of marketplace.domain.metered.Priced
COST = (
    f"(meter.priced_from_microusd + {_PERIOD_MS} / {MS_PER_HOUR} * meter.price_hour_microusd"
    f" + {_PERIOD_MS} %% {MS_PER_HOUR} * meter.price_hour_microusd / {MS_PER_HOUR})"
)
#: of ``meter``: the marketplace's share of that
FEE = f"({COST} / {PPM} * meter.fee_ppm + {COST} %% {PPM} * meter.fee_ppm / {PPM})"

_CENTS = f"CAST({MICROUSD_PER_USD} + meter.price_hour_microusd %% {MICROUSD_PER_USD} AS varchar(7))"
#: of ``meter``: its price of an hour as ``domain.money.format_usd`` writes it, but for its commas
PRICE = (
    f"'$' || (meter.price_hour_microusd / {MICROUSD_PER_USD}) || '.'"
    f" || substr({_CENTS}, 2, 2) || rtrim(substr({_CENTS}, 4), '0')"
)

#: meters between two ids, both of them too, that may be charged
SOME = """
  meter.id BETWEEN %s AND %s AND meter.closed_at IS NULL
  AND meter.proven_ms > meter.charged_ms AND {which}
"""
LOCK = """\
SELECT count(*) FROM (
  SELECT 1 FROM "metering_meter" AS meter WHERE id BETWEEN %s AND %s AND closed_at IS NULL
  ORDER BY id {lock}
) AS locked
"""
#: what marketplace.ledger.actions.capture_many posts
CHARGES = f"""\
SELECT meter.hold_id, meter.host_id, placement.machine_id,
  {COST} - meter.charged_microusd AS amount,
  {FEE} - meter.fee_microusd AS fee, 'charge' AS kind,
  'meter:' || {{name}} || ':' || meter.proven_ms AS cause,
  substr({{image}}, 1, {IMAGE_LENGTH_MAX}) || ' at ' || {PRICE} || ' an hour' AS note
FROM "metering_meter" AS meter
JOIN "placements_placement" AS placement ON placement.id = meter.placement_id
WHERE {COST} > meter.charged_microusd AND {SOME}
"""  # noqa: S608
#: once it is posted
COUNT = f"""\
UPDATE "metering_meter" AS meter SET charged_ms = meter.proven_ms,
  charged_until = meter.proven_until, charged_microusd = {COST}, fee_microusd = {FEE}
FROM "placements_placement" AS placement WHERE placement.id = meter.placement_id AND {SOME}
"""  # noqa: S608
#: A job costs when it is over: then it is known whether its machine broke it off.
NOT_A_JOB, ANY = "placement.kind <> 'job'", "1 = 1"
#: what the databases say differently: a row's lock, an id with its dashes, a field of JSON
WORDS = {
    "postgresql": {
        "lock": "FOR NO KEY UPDATE",
        "name": "meter.id::text",
        "image": "(placement.workload ->> 'image')",
    },
    "sqlite": {
        "lock": "",
        "name": " || '-' || ".join(
            f"substr(meter.id, {start}, {length})"
            for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        ),
        "image": "json_extract(placement.workload, '$.image')",
    },
}
