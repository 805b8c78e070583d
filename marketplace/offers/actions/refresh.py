"""This will recompute the columns by which offers are found."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db.models import QuerySet

from marketplace.domain.cuda import newest_cuda
from marketplace.domain.delivered import Figures
from marketplace.domain.money import PPM
from marketplace.domain.pricing import price_hour, value
from marketplace.machines import queries as machines_queries
from marketplace.offers.models import UNMEASURED, Offer
from marketplace.verification import queries as verification
from marketplace.verification.actions import note
from marketplace.verification.figures import figures_of
from marketplace.verification.lines import Line, lines_of
from protocol.hardware import Hardware

OFFERS_AT_ONCE = 500
#: an uptime is written down anew once it changed by so much, as it does all the time
AWAY_STEP_PPM = 100
#: of a byte
BITS = 8


def refresh(*, machine_id: UUID, now: datetime) -> None:
    """Make one offer's derived columns true again; call it after a new verdict or price."""
    _refresh_some(list(_offers().filter(machine_id=machine_id)), now)


def refresh_those(*, machine_ids: Collection[UUID], now: datetime) -> None:
    """Make the offers of several machines true again, in as many queries as for one."""
    _refresh_some(list(_offers().filter(machine_id__in=machine_ids).order_by("id")), now)


def refresh_all(*, now: datetime) -> int:
    """Return how many offers this pass found to differ from the truth, and mended."""
    offers = _offers().order_by("id").iterator(chunk_size=OFFERS_AT_ONCE)
    mended = 0
    while some := list(islice(offers, OFFERS_AT_ONCE)):
        mended += _refresh_some(some, now)
    return mended


def _offers() -> QuerySet[Offer]:
    return Offer.objects.select_related("machine")


def _refresh_some(offers: Sequence[Offer], now: datetime) -> int:
    machines = [offer.machine_id for offer in offers]
    standings = verification.standings(machines, now, rates_max=1)
    note.note(standings, now=now)
    measured = figures_of(machines, now=now)
    lines = lines_of(machines, now=now)
    uptimes = machines_queries.uptimes_ppm(machines, now=now)
    return sum(
        _refresh(
            offer,
            standings[offer.machine_id],
            figures=measured.get(offer.machine_id, Figures()),
            line=lines.get(offer.machine_id, Line()),
            away_ppm=PPM - uptimes[offer.machine_id],
        )
        for offer in offers
    )


def _refresh(
    offer: Offer, standing: verification.Standing, *, figures: Figures, line: Line, away_ppm: int
) -> bool:
    machine = offer.machine
    rates = standing.rates_per_cpu
    rate = rates[-1] * machine.cpus_total if rates else None
    unit = offer.price_unit_microusd
    whole_hour = price_hour(machine.total, total=machine.total, price_unit_microusd=unit)
    # Of a GPU what counts is what it computes, of a machine without one what its CPUs do.
    work = figures.int8_gops * machine.gpus_total if machine.gpus_total else rate
    measured = value(price_hour_microusd=whole_hour, rate=work)
    gpus = Hardware.model_validate(machine.hardware).gpus
    columns = {
        "price_hour_microusd": unit,
        "value_microusd": UNMEASURED if measured is None else measured,
        "cpu_hash_rate": rate,
        "verified_until": standing.expires_at if standing.is_verified else None,
        "gpu_model": machine.gpu_model,
        "vram_bytes": machine.vram_bytes,
        "cuda": min((newest_cuda(gpu.driver) for gpu in gpus), default=0),
        "int8_gops": figures.int8_gops or None,
        "bandwidth_mb_s": figures.bandwidth_mb_s or None,
        "vram_bytes_proven": figures.vram_bytes_proven or None,
        "network_down_mbit_s": line.down_mb_s * BITS or None,
        "network_up_mbit_s": line.up_mb_s * BITS or None,
        "away_ppm": away_ppm // AWAY_STEP_PPM * AWAY_STEP_PPM,
    }
    if all(getattr(offer, name) == column for name, column in columns.items()):
        return False
    return bool(Offer.objects.filter(id=offer.id).update(**columns))
