"""This will keep a machine's terms and the columns that the search sorts by."""

from uuid import uuid4

from django.db import models
from django.db.models import F, Q

from marketplace.domain.opening import Opening
from marketplace.domain.reserved import curve
from marketplace.domain.terms import Tariff
from marketplace.machines.models import Machine

#: sorts after every measured value
UNMEASURED = 1 << 62


class Offer(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    machine = models.OneToOneField(Machine, on_delete=models.CASCADE, related_name="offer")
    #: applies where the machine has GPUs
    price_gpu_hour_microusd = models.BigIntegerField()
    #: applies where it has none
    price_cpu_hour_microusd = models.BigIntegerField()
    #: the least bid of an hour that the host accepts, for the smallest slice; None: no bids
    bid_floor_microusd = models.BigIntegerField(null=True, blank=True)
    #: what reservations take off, [{days, discount_ppm}], rising; empty: it takes none
    discounts = models.JSONField(default=list, blank=True)
    #: of a GB (10^9 bytes) and 30 days, while a rental is stopped
    storage_price_microusd = models.BigIntegerField(default=0)
    #: of a GB of traffic, both ways together
    network_price_microusd = models.BigIntegerField(default=0)
    longest_term_s = models.IntegerField()
    #: the fewest that may be rented at once
    cpus_min = models.PositiveIntegerField(default=1)
    gpus_min = models.PositiveIntegerField(default=0)
    #: where its host says that it is, two letters of ISO 3166; empty: it does not say
    country = models.CharField(max_length=2, blank=True, default="")
    #: no rental may run beyond it; null: the host named no end
    ends_at = models.DateTimeField(null=True, blank=True)
    #: the host works on the machine inside [from, until), and nothing may run then
    maintenance_from = models.DateTimeField(null=True, blank=True)
    maintenance_until = models.DateTimeField(null=True, blank=True)
    #: when the one begins of which its renters were told last, when, and how often they were told
    maintenance_told_from = models.DateTimeField(null=True, blank=True)
    maintenance_told_at = models.DateTimeField(null=True, blank=True)
    maintenance_told = models.PositiveIntegerField(default=0)
    #: only its guests see and rent it
    private = models.BooleanField(default=False)
    #: False: the host took it off the market
    listed = models.BooleanField(default=True)
    #: the least that its host rents out, or that any container needs, is there: free, or from
    #: whoever may be outbid. The database keeps it (room.py)
    has_room = models.BooleanField(default=True, db_default=True, editable=False)
    # What follows is derived; actions/refresh.py writes it and can redo it at any time.
    #: an hour of the smallest slice: one GPU, or one CPU where the machine has no GPU
    price_hour_microusd = models.BigIntegerField()
    #: micro-USD per hour and million measured operations per second; UNMEASURED sorts last
    value_microusd = models.BigIntegerField(default=UNMEASURED)
    #: PBKDF2-SHA256 iterations per second over all cores; None: not measured
    cpu_hash_rate = models.BigIntegerField(null=True, blank=True)
    #: a validator vouches for the machine until then; None: nobody does
    verified_until = models.DateTimeField(null=True, blank=True)
    #: as the machine's
    gpu_model = models.CharField(max_length=200, blank=True, default="")
    vram_bytes = models.BigIntegerField(default=0)
    #: the newest CUDA that all its GPUs' drivers run, as 1000 x major + minor; 0: not known
    cuda = models.PositiveIntegerField(default=0)
    #: of its least GPU as validators measured it, 10^9 operations and 10^6 bytes a second; None:
    #: not measured
    int8_gops = models.BigIntegerField(null=True, blank=True)
    bandwidth_mb_s = models.BigIntegerField(null=True, blank=True)
    #: of that GPU's memory, what validators filled and read back; None: nothing
    vram_bytes_proven = models.BigIntegerField(null=True, blank=True)
    #: of its line as validators measured it, 10^6 bits a second: it has no less; None: not measured
    network_down_mbit_s = models.BigIntegerField(null=True, blank=True)
    network_up_mbit_s = models.BigIntegerField(null=True, blank=True)
    #: the share of the last days that the machine was away, in millionths
    away_ppm = models.PositiveIntegerField(default=1_000_000)
    # What follows is derived by actions/note_starts.py, of the rentals that began lately.
    #: how long they took until their door was seen from outside, half of them and 95 of 100;
    #: UNMEASURED sorts last
    start_p50_ms = models.BigIntegerField(default=UNMEASURED)
    start_p95_ms = models.BigIntegerField(default=UNMEASURED)
    #: how many came up, and how many did not by the machine's fault
    starts = models.PositiveIntegerField(default=0)
    starts_failed = models.PositiveIntegerField(default=0)
    #: these are rentals of the site's own alone (rentals/mystery.py)
    starts_ours = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                # What costs nothing could set no money aside.
                name="offer_prices_above_zero",
                condition=Q(price_gpu_hour_microusd__gt=0)
                & Q(price_cpu_hour_microusd__gt=0)
                & Q(bid_floor_microusd__gte=0)
                & Q(storage_price_microusd__gte=0)
                & Q(network_price_microusd__gte=0)
                & Q(longest_term_s__gt=0),
            ),
            models.CheckConstraint(
                name="offer_maintenance_is_a_window",
                condition=Q(maintenance_from__isnull=True, maintenance_until__isnull=True)
                | Q(maintenance_from__lt=F("maintenance_until")),
            ),
        ]
        indexes = [
            models.Index(
                name="offer_by_price",
                fields=["has_room", "price_hour_microusd", "id"],
                condition=Q(listed=True),
            ),
            models.Index(
                name="offer_by_value",
                fields=["has_room", "value_microusd", "id"],
                condition=Q(listed=True),
            ),
            models.Index(
                name="offer_by_away",
                fields=["has_room", "away_ppm", "id"],
                condition=Q(listed=True),
            ),
            models.Index(
                name="offer_by_start",
                fields=["has_room", "start_p50_ms", "id"],
                condition=Q(listed=True),
            ),
            models.Index(
                name="offer_maintenance",
                fields=["id"],
                condition=Q(maintenance_from__isnull=False)
                | Q(maintenance_told_from__isnull=False),
            ),
            # The cheapest offers are of small GPUs: whoever wants a large one would read them all.
            models.Index(
                name="offer_of_gpu_by_price",
                fields=["gpu_model", "vram_bytes", "has_room", "price_hour_microusd", "id"],
                condition=Q(listed=True),
            ),
            models.Index(
                name="offer_of_gpu_by_value",
                fields=["gpu_model", "vram_bytes", "has_room", "value_microusd", "id"],
                condition=Q(listed=True),
            ),
            models.Index(
                name="offer_of_gpu_by_away",
                fields=["gpu_model", "vram_bytes", "has_room", "away_ppm", "id"],
                condition=Q(listed=True),
            ),
            models.Index(
                name="offer_of_gpu_by_start",
                fields=["gpu_model", "vram_bytes", "has_room", "start_p50_ms", "id"],
                condition=Q(listed=True),
            ),
            # Most countries have few offers, which come late among all others; and which there are.
            models.Index(
                name="offer_of_country_by_price",
                fields=["country", "has_room", "price_hour_microusd", "id"],
                condition=Q(listed=True),
            ),
            # Which kinds there are: hosts can make up all that nobody vouches for.
            models.Index(
                name="offer_vouched_kinds",
                fields=["gpu_model", "vram_bytes"],
                condition=Q(listed=True, verified_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"offer of {self.machine_id}"

    @property
    def opening(self) -> Opening:
        """Return when its host wants the machine back."""
        return Opening(self.ends_at, self.maintenance_from, self.maintenance_until)

    @property
    def tariff(self) -> Tariff:
        """Return what its host asks."""
        return Tariff(
            price_unit_microusd=self.price_unit_microusd,
            bid_floor_microusd=self.bid_floor_microusd,
            discounts=curve(self.discounts),
            storage_price_microusd=self.storage_price_microusd,
            network_price_microusd=self.network_price_microusd,
        )

    @property
    def price_unit_microusd(self) -> int:
        """Return the price of an hour of a GPU, or of a CPU where the machine has no GPU."""
        has_gpus = self.machine.gpus_total > 0
        return self.price_gpu_hour_microusd if has_gpus else self.price_cpu_hour_microusd


class Guest(models.Model):
    """Somebody who may see and rent a private offer, whether they have signed up yet or not."""

    offer = models.ForeignKey(Offer, on_delete=models.CASCADE, related_name="guests")
    #: in lower case, as accounts have them
    email = models.EmailField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="guest_once_an_offer", fields=["offer", "email"])
        ]

    def __str__(self) -> str:
        return f"{self.email} at {self.offer_id}"


class KindStarts(models.Model):
    """How rentals began lately on one kind of machine, for what is little known by itself."""

    #: a model of GPU; empty: machines without one; domain.starts.ALL: all together
    gpu_model = models.CharField(max_length=200, primary_key=True)
    p50_ms = models.BigIntegerField(null=True)
    p95_ms = models.BigIntegerField(null=True)
    came_up = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.gpu_model or 'no GPU'}: {self.came_up} came up"


class KindPrice(models.Model):
    """Where prices of one kind lie, as a pass counted them; null where too few would be told."""

    #: empty: machines without a GPU
    gpu_model = models.CharField(max_length=200, blank=True)
    vram_bytes = models.BigIntegerField()
    # Of an hour of one GPU, or of one CPU where there is none, as offered to everybody.
    offers = models.PositiveIntegerField(default=0)
    hosts = models.PositiveIntegerField(default=0)
    offered_p10_microusd = models.BigIntegerField(null=True)
    offered_median_microusd = models.BigIntegerField(null=True)
    offered_p90_microusd = models.BigIntegerField(null=True)
    # As paid for what runs, each host counted once and rounded (domain/market_price.py).
    rentals = models.PositiveIntegerField(default=0)
    paid_hosts = models.PositiveIntegerField(default=0)
    paid_p10_microusd = models.BigIntegerField(null=True)
    paid_median_microusd = models.BigIntegerField(null=True)
    paid_p90_microusd = models.BigIntegerField(null=True)
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="kind_price_once", fields=["gpu_model", "vram_bytes"])
        ]

    def __str__(self) -> str:
        return f"{self.gpu_model or 'no GPU'} {self.vram_bytes}"
