"""This will check what a renter asks of one machine."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms

from marketplace.accounts.models import SshKey
from marketplace.domain.failover import proposed
from marketplace.domain.funding import Funding
from marketplace.domain.pricing import PriceType
from marketplace.domain.terms import Limits
from marketplace.domain.upkeep import GB
from marketplace.offers.queries import OfferRow
from marketplace.pages import wording
from marketplace.pages.forms.amounts import DollarField, GibField
from marketplace.pages.forms.lines import LinesField
from marketplace.pages.forms.rental_keys import choices_of
from marketplace.pages.forms.rentals import NameField
from marketplace.pages.forms.workload import PLAIN, VolumesField, WorkloadFields
from marketplace.rentals.actions import rent
from protocol.hardware import COUNT_MOST, Resources

HOURS_MAX = 24 * 365
#: what is folded away while each field of it says what most rentals want
FOLDS: Mapping[str, Collection[str]] = {
    "name": ("name",),
    "bid": ("bid",),
    "environment": ("environment",),
    "runs": ("ports", "volumes", "command", "on_start", "registry_user", "registry_password"),
    "pays": ("funding", "traffic_gb", "failover"),
}
#: where that is not an empty field
USUAL: Mapping[str, object] = {"funding": Funding.WHOLE, "failover": True}


class RentForm(WorkloadFields):
    """One machine's slice, what runs on it, and what bounds it."""

    image = forms.CharField(
        max_length=300,
        help_text="Any container image. It needs no SSH server: the machine brings one.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    volumes = VolumesField(
        label="Volumes",
        help_text="NAME:/PATH:GIB makes one that outlives the rental, NAME:/PATH uses it again.",
    )
    cpus = forms.IntegerField(label="CPUs", min_value=1, max_value=COUNT_MOST)
    gpus = forms.IntegerField(label="GPUs", min_value=0, max_value=64)
    ram = GibField(label="RAM, GiB")
    disk = GibField(label="Disk, GiB")
    hours = forms.DecimalField(
        label="End after, hours",
        min_value=0,
        max_value=HOURS_MAX,
        decimal_places=3,
        required=False,
    )
    cap = DollarField(label="Spend at most, $", required=False)
    bid = DollarField(label="Your bid, $ an hour", required=False)
    price_type = forms.ChoiceField(
        label="Pay",
        choices=[
            (PriceType.ON_DEMAND, "By the second"),
            (PriceType.RESERVED, "Whole term, cheaper"),
        ],
        required=False,
    )
    funding = forms.ChoiceField(
        label="Set aside",
        choices=[
            (Funding.WHOLE, "All that it may cost, now"),
            (Funding.ROLLING, "An hour ahead, from your balance"),
        ],
        required=False,
        help_text="An hour ahead: without money it stops and keeps its files for 7 days.",
    )
    traffic_gb = forms.IntegerField(
        label="Traffic at most, GB",
        min_value=0,
        max_value=1_000_000,
        required=False,
        help_text="What you pay for at most; it is stopped there, with its files.",
        widget=forms.TextInput(attrs=PLAIN | {"inputmode": "numeric"}),
    )
    failover = forms.BooleanField(
        label="If it does not come up, take the next best machine", required=False
    )
    ssh_keys = forms.MultipleChoiceField(
        label="SSH keys", widget=forms.CheckboxSelectMultiple, required=False
    )
    name = NameField(help_text="What you call it: only you see it, and you can change it later.")
    #: for somebody who has no key here yet
    public_key = LinesField(
        label="Your SSH public key",
        max_length=8000,
        required=False,
        help_text="One line, as in <code>~/.ssh/id_ed25519.pub</code>. It is kept for next time.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
    )
    #: the worst total and the price of an hour that the page showed; renting for more asks again
    agreed_microusd = forms.IntegerField(widget=forms.HiddenInput, required=False)
    agreed_hour_microusd = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)
    #: pressing the button twice rents once
    request_key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, keys: Sequence[SshKey], offer: OfferRow, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["ssh_keys"].choices = choices_of(keys)  # type: ignore[attr-defined]
        self.fields["hours"].widget.attrs["step"] = "any"
        hours = f"{offer.longest_term_s / 3600:.3f}".rstrip("0").rstrip(".")
        self._bound("hours", hours, f"at most {hours}")
        self._bound("cpus", str(offer.cpus_free), f"{offer.cpus_free} free")
        self._bound("ram", _gib(offer.ram_bytes_free), f"{wording.size(offer.ram_bytes_free)} free")
        disk = f"{wording.size(offer.disk_bytes_free)} free"
        self._bound("disk", _gib(offer.disk_bytes_free), disk)
        self._bound("gpus", str(offer.gpus_free), f"{offer.gpus_free} free")
        if offer.bid_floor_microusd is None:
            del self.fields["bid"]
        if offer.discounts:
            self.fields["price_type"].help_text = _curve(offer)
        else:
            self.fields["price_type"].widget = forms.HiddenInput()
        if not offer.network_price_microusd:
            self.fields["traffic_gb"].widget = forms.HiddenInput()
        if not offer.gpus:
            self.fields["gpus"].widget = forms.HiddenInput()

    def opened(self, *, bids: bool = False) -> frozenset[str]:
        """Return the folds that open by themselves; ``bids``: somebody came here to bid.

        They hold a value that is not usual, or a mistake.

        A field in a fold has nothing that a browser itself holds against it, such as the least of a
        number: Chromium would refuse to send the form and show nobody why.
        """
        return frozenset(
            fold
            for fold, names in FOLDS.items()
            if (bids and fold == "bid") or any(self._unusual(name) for name in names)
        )

    def resources(self) -> Resources:
        """Return the slice that a valid form asks for."""
        asked = self.cleaned_data
        return Resources.of(
            cpus=asked["cpus"],
            ram_bytes=asked["ram"],
            disk_bytes=asked["disk"],
            gpus=asked["gpus"],
        )

    def bid_microusd(self) -> int | None:
        """Return what is bid for an hour; None: it costs the price, and nobody outbids it."""
        bid: int | None = self.cleaned_data.get("bid")
        return bid

    def limits(self) -> Limits:
        """Return what bounds the rental of a valid form."""
        return rent.limits(
            lease_s=self.lease_s(),
            cap_microusd=self.cleaned_data["cap"],
            bid_microusd=self.bid_microusd(),
            price_type=self.paid_by(),
            traffic_bytes_max=self.traffic_bytes_max(),
            funding=self.funded(),
        )

    def funded(self) -> Funding:
        """Return how much of it is set aside; a reservation is paid as a whole."""
        rolls = self.cleaned_data["funding"] == Funding.ROLLING
        return Funding.ROLLING if rolls and self.paid_by() is None else Funding.WHOLE

    def paid_by(self) -> PriceType | None:
        """Return how it is paid; None: on demand, or by the bid."""
        chosen = self.cleaned_data["price_type"]
        return PriceType.RESERVED if chosen == PriceType.RESERVED else None

    def traffic_bytes_max(self) -> int | None:
        """Return the traffic that is paid for at most; None: the usual."""
        traffic_gb = self.cleaned_data["traffic_gb"]
        return None if traffic_gb is None else traffic_gb * GB

    def failover_microusd(self, price_hour_microusd: int) -> int | None:
        """Return what an hour of another machine may cost where this one costs so much.

        None: no other takes it over.
        """
        only_here = self.bid_microusd() or self.paid_by() or self.cleaned_data["volumes"]
        wanted = self.cleaned_data["failover"] and not only_here
        return proposed(price_hour_microusd) if wanted else None

    def lease_s(self) -> int | None:
        """Return the lease; None: only the cap bounds it."""
        hours = self.cleaned_data["hours"]
        return int(hours * 3600) if hours else None

    def _bound(self, name: str, most: str, words: str) -> None:
        """Have the browser hold the field to what is there; the market checks it again."""
        self.fields[name].widget.attrs["max"] = most
        self.fields[name].help_text = words

    def _unusual(self, name: str) -> bool:
        if name not in self.fields:
            return False
        told = self[name].value()
        return bool(self[name].errors) or (told not in (None, "") and told != USUAL.get(name))

    def ssh_key_ids(self) -> list[UUID]:
        """Return the chosen keys."""
        return [UUID(key) for key in self.cleaned_data["ssh_keys"]]


def _curve(offer: OfferRow) -> str:
    steps = (
        f"{wording.percent(step.discount_ppm)} off from {wording.count(step.days, 'day')} on"
        for step in offer.discounts
    )
    return f"Reserved: {', '.join(steps)}. It can't be stopped; ended early, it costs on demand."


def _gib(size_bytes: int) -> str:
    """Return what is surely there, in GiB."""
    hundredths = size_bytes * 100 // wording.GIB
    return f"{hundredths / 100:.2f}"
