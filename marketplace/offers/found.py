"""This will keep what one row of a list says of an offer, as the database answers it.

To make an offer and its machine of each of fifty rows took a tenth of the page.
"""

from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from marketplace.domain.matching import Slice
from marketplace.domain.opening import Opening
from marketplace.domain.reserved import curve
from marketplace.domain.terms import Tariff
from marketplace.offers.models import Offer


class Found(NamedTuple):
    """An offer with its machine; each name is the column's own, as query sets have it."""

    #: first, as it may come back as its text
    discounts: list[dict[str, Any]]
    id: UUID
    machine_id: UUID
    price_gpu_hour_microusd: int
    price_cpu_hour_microusd: int
    bid_floor_microusd: int | None
    storage_price_microusd: int
    network_price_microusd: int
    longest_term_s: int
    cpus_min: int
    gpus_min: int
    country: str
    ends_at: datetime | None
    maintenance_from: datetime | None
    maintenance_until: datetime | None
    private: bool
    listed: bool
    price_hour_microusd: int
    value_microusd: int
    cpu_hash_rate: int | None
    verified_until: datetime | None
    cuda: int
    int8_gops: int | None
    bandwidth_mb_s: int | None
    vram_bytes_proven: int | None
    network_down_mbit_s: int | None
    network_up_mbit_s: int | None
    away_ppm: int
    start_p50_ms: int
    start_p95_ms: int
    starts: int
    starts_failed: int
    starts_ours: bool
    machine__gpu_model: str
    machine__vram_bytes: int
    machine__cpu_model: str
    machine__cpus_total: int
    machine__memory_bytes_total: int
    machine__disk_bytes_total: int
    machine__gpus_total: int
    machine__cpus_free: int
    machine__memory_bytes_free: int
    machine__disk_bytes_free: int
    machine__gpus_free: int
    machine__cpus_interruptible: int
    machine__memory_bytes_interruptible: int
    machine__gpus_interruptible: int
    machine__online: bool
    machine__host_id: int

    @property
    def total(self) -> Slice:
        """Return all that the machine has."""
        return Slice(
            cpus=self.machine__cpus_total,
            memory_bytes=self.machine__memory_bytes_total,
            disk_bytes=self.machine__disk_bytes_total,
            gpus=self.machine__gpus_total,
        )

    @property
    def open(self) -> Slice:
        """Return what an on-demand renter may have of it, as ``Machine.open`` does."""
        free = Slice(
            cpus=self.machine__cpus_free,
            memory_bytes=self.machine__memory_bytes_free,
            disk_bytes=self.machine__disk_bytes_free,
            gpus=self.machine__gpus_free,
        )
        interruptible = Slice(
            cpus=self.machine__cpus_interruptible,
            memory_bytes=self.machine__memory_bytes_interruptible,
            disk_bytes=0,
            gpus=self.machine__gpus_interruptible,
        )
        return free.with_bids(interruptible)

    @property
    def opening(self) -> Opening:
        """Return when its host wants the machine back."""
        return Opening(self.ends_at, self.maintenance_from, self.maintenance_until)

    @property
    def tariff(self) -> Tariff:
        """Return what its host asks."""
        has_gpus = self.machine__gpus_total > 0
        return Tariff(
            self.price_gpu_hour_microusd if has_gpus else self.price_cpu_hour_microusd,
            self.bid_floor_microusd,
            curve(self.discounts),
            self.storage_price_microusd,
            self.network_price_microusd,
        )

    @classmethod
    def of(cls, offer: Offer) -> "Found":
        """Return the same of an offer that is there already; its machine must be loaded with it."""
        return cls(*_read(offer))


COLUMNS = Found._fields
_read = attrgetter(*(name.replace("__", ".") for name in COLUMNS))
