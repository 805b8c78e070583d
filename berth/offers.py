"""This will describe offers and searches for them as the API has them."""

from datetime import datetime
from typing import Literal, Self

from berth.shapes import Shape
from protocol.hardware import Resources


class Discount(Shape):
    """What a reservation of so many days or more takes off the price."""

    days: int
    #: in millionths
    discount_ppm: int


class Offer(Shape):
    id: str
    machine_id: str
    #: whose it is, as a number, which a search may leave out: host_id notin [17]
    host_id: int = 0
    gpu_model: str | None = ""
    gpus: int = 0
    gpus_free: int = 0
    vram_bytes: int | None = 0
    cpu_model: str | None = ""
    cpus: int = 0
    cpus_free: int = 0
    ram_bytes_free: int = 0
    disk_bytes_free: int = 0
    price_gpu_hour_microusd: int = 0
    price_cpu_hour_microusd: int = 0
    #: of the smallest slice that is free
    price_hour_microusd: int | None = None
    #: an hour of exactly what was asked for; None: nothing was
    price_asked_hour_microusd: int | None = None
    #: None: no bids
    bid_floor_microusd: int | None = None
    #: what reservations take off, the longest last; empty: it takes none
    discounts: tuple[Discount, ...] = ()
    #: of a GB (10^9 bytes) and 30 days while a rental is stopped, and of a GB of traffic
    storage_price_microusd: int = 0
    network_price_microusd: int = 0
    longest_term_s: int | None = None
    #: the fewest that may be rented at once
    cpus_min: int = 1
    gpus_min: int = 0
    #: no rental that begins now may run beyond it; None: the host named no such moment
    closes_at: datetime | None = None
    #: only those whom its host named see it
    private: bool = False
    listed: bool = True
    #: where its host says that it is, two letters; empty: it does not say
    country: str = ""
    verified: bool = False
    #: why nobody vouches for it, where that is so of all machines of its kind
    unverified_reason: str = ""
    online: bool = False
    #: PBKDF2-SHA256 iterations a second over all cores; None: never measured
    cpu_hash_rate: int | None = None
    #: an hour of what was measured: of 10^15 int8 operations a second of GPUs, of 10^6 iterations a
    #: second of CPUs; None: never measured
    value_microusd: int | None = None
    #: the newest CUDA that its driver runs, such as "12.4"; empty: none is known
    cuda: str = ""
    #: of its least GPU as measured, 10^9 int8 operations and 10^6 bytes a second; None: never
    int8_gops: int | None = None
    bandwidth_mb_s: int | None = None
    #: of that GPU's memory, what validators filled and read back; None: nothing
    vram_bytes_proven: int | None = None
    #: of its line to it and from it, 10^6 bits a second at least; None: never measured
    network_down_mbit_s: int | None = None
    network_up_mbit_s: int | None = None
    #: the share of the last 30 days that it was there, in millionths; None: not told
    reliability_ppm: int | None = None
    #: half of the rentals that began lately answered within it, and 95 of 100; None: none began
    start_p50_ms: int | None = None
    start_p95_ms: int | None = None
    #: how many came up, and how many did not by the machine's fault
    starts: int = 0
    starts_failed: int = 0
    #: the marketplace rented all of these itself; else others than the host did
    starts_ours: bool = False
    #: how much of it to rent for what was asked for: its share of all else comes for the same
    #: price; None: in a list
    proposed: Resources | None = None


class Asked(Shape):
    """How much of one offer is asked for; None: nothing in particular of that."""

    gpus_min: int | None = None
    cpus_min: int | None = None
    ram_bytes_min: int | None = None
    disk_bytes_min: int | None = None

    @classmethod
    def of(cls, resources: Resources) -> Self:
        """Return the same as a search asks for it."""
        return cls(
            gpus_min=resources.gpu.count,
            cpus_min=resources.cpu.count,
            ram_bytes_min=resources.ram.capacity,
            disk_bytes_min=resources.hard_disk.capacity,
        )

    def at_least(self, other: "Asked") -> Self:
        """Return the greater of each amount."""
        amounts = {
            name: [one for one in (getattr(self, name), getattr(other, name)) if one is not None]
            for name in type(self).model_fields
        }
        return type(self)(**{name: max(told, default=None) for name, told in amounts.items()})

    def filled(self, proposed: Resources) -> Resources:
        """Return what was asked for, and of what was not as much as is proposed."""
        return Resources.of(
            gpus=_or(self.gpus_min, proposed.gpu.count),
            cpus=_or(self.cpus_min, proposed.cpu.count),
            ram_bytes=_or(self.ram_bytes_min, proposed.ram.capacity),
            disk_bytes=_or(self.disk_bytes_min, proposed.hard_disk.capacity),
        )


def _or(amount: int | None, otherwise: int) -> int:
    return otherwise if amount is None else amount


class OfferPage(Shape):
    items: tuple[Offer, ...]
    next_cursor: str | None = None
    #: how much whoever searches so wants to rent
    asked: Asked = Asked()
    #: it names a kind of GPU or a word, so that one GPU is meant where no number is named
    of_gpus: bool = False


class OfferFilter(Shape):
    """What an offer must have; None: anything goes."""

    q: str | None = None
    gpu_model: str | None = None
    gpus_min: int | None = None
    vram_bytes_min: int | None = None
    cpus_min: int | None = None
    ram_bytes_min: int | None = None
    disk_bytes_min: int | None = None
    price_hour_microusd_max: int | None = None
    #: two letters
    country: str | None = None
    #: a continent: EU, or Europe
    region: str | None = None
    #: as measured, 10^6 bits a second
    network_down_mbit_s_min: int | None = None
    network_up_mbit_s_min: int | None = None
    #: of the last 30 days, in millionths
    reliability_ppm_min: int | None = None
    #: a rental that begins now may run so long
    lease_s_min: int | None = None
    #: such as 12.4
    cuda_min: str | None = None
    #: True: only what takes bids, or takes something off for reservations
    interruptible: bool | None = None
    reserved: bool | None = None
    #: False: unverified machines too
    verified: bool | None = None
    #: True: fully rented machines, too
    rented: bool | None = None
    sort: Literal["price", "value", "reliability", "start"] | None = None
    cursor: str | None = None
    #: of a page; ``Client.offers`` asks for the next one
    limit: int | None = None
