"""This will turn the filters of the offer page into a search."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.forms import BoundField

from marketplace.domain import country, cuda, query_language
from marketplace.domain.money import PPM
from marketplace.domain.offer_query import Cursor, OfferQuery, OfferSort, wanted
from marketplace.domain.problem import Refused
from marketplace.pages.forms.amounts import DollarField, GibField
from marketplace.templates.queries import Known
from protocol.hardware import COUNT_MOST

ROWS = 25
PLACEHOLDERS = {
    "q": "gpu_name=RTX_4090 num_gpus>=2 dph<0.5",
    "gpu_model": "any",
    "gpus_min": "at least",
    "vram_min": "at least",
    "cpus_min": "at least",
    "ram_min": "at least",
    "price_max": "at most",
    "disk_min": "at least",
    "line_min": "at least",
    "reliability_min": "at least",
    "days_min": "at least",
}
#: that narrow the search and have a choice instead
CHOSEN = ("place", "cuda_min", "price_type")
#: what most people ask for; the others are folded away until somebody asks for them
FIRST = ("gpu_model", "gpus_min", "vram_min", "price_max", "place", "sort")
#: above all of these
HEADING = ("q", "template")
#: A form copies what its class has: of a function that is quick.
PLACES = {
    "": "Anywhere",
    **{code: country.written(code) for code in country.NAMES},
    **{region.name.lower(): region.full_name for region in country.Region},
}


class SearchForm(forms.Form):
    """Every field may stay empty; empty means any."""

    q = forms.CharField(
        label="Search", max_length=query_language.TEXT_MAX, required=False, empty_value=""
    )
    #: what shall run there, which the page of each offer begins with
    template = forms.CharField(label="Template", max_length=60, required=False, widget=forms.Select)
    gpu_model = forms.CharField(label="GPU model", max_length=60, required=False)
    gpus_min = forms.IntegerField(label="GPUs", min_value=0, max_value=64, required=False)
    vram_min = GibField(label="VRAM, GiB", required=False)
    cpus_min = forms.IntegerField(label="CPUs", min_value=0, max_value=COUNT_MOST, required=False)
    ram_min = GibField(label="RAM, GiB", required=False)
    disk_min = GibField(label="Disk, GiB", required=False)
    price_max = DollarField(label="$ a GPU-hour", required=False)
    place = forms.ChoiceField(label="Where", choices=lambda: PLACES, required=False)
    line_min = forms.IntegerField(
        label="Line, Mbit/s", min_value=0, max_value=1_000_000, required=False
    )
    reliability_min = forms.DecimalField(
        label="Reliability, %", min_value=0, max_value=100, decimal_places=4, required=False
    )
    days_min = forms.DecimalField(
        label="Runs for, days", min_value=0, max_value=3660, decimal_places=3, required=False
    )
    cuda_min = forms.TypedChoiceField(
        label="CUDA",
        choices=[("", "Any"), *((one, f"{cuda.written(one)} or newer") for one in cuda.versions())],
        coerce=int,
        empty_value=None,
        required=False,
    )
    price_type = forms.ChoiceField(
        label="Price type",
        choices=[("", "On demand"), ("interruptible", "Takes bids"), ("reserved", "Reserved")],
        required=False,
    )
    checked = forms.ChoiceField(
        label="Show",
        choices=[
            ("validators", "Free and verified"),
            ("rented", "Rented ones, too"),
            ("anyone", "All machines"),
        ],
        required=False,
    )
    sort = forms.ChoiceField(
        label="Sort by",
        choices=[
            (OfferSort.PRICE.value, "Price"),
            (OfferSort.VALUE.value, "Price for measured work"),
            (OfferSort.RELIABILITY.value, "Reliability"),
            (OfferSort.START.value, "Time to start"),
        ],
        required=False,
    )

    def __init__(
        self,
        *args: Any,
        offered: Sequence[str] = (),
        templates: Sequence[tuple[str, str]] = (),
        **options: Any,
    ) -> None:
        """Make the form; ``offered``: countries to choose from, beside the one that is chosen.

        ``templates`` are what may be chosen to run, by reference and name; an address may name
        another one.
        """
        super().__init__(*args, **options)
        runs = cast(forms.Select, self.fields["template"].widget)
        runs.choices = [("", "Any image"), *templates]
        for name in ("reliability_min", "days_min"):
            self.fields[name].widget.attrs["step"] = "any"
        select = cast(forms.Select, self.fields["place"].widget)
        select.choices = _places({*offered, str(self.data.get("place", ""))})
        for name, words in PLACEHOLDERS.items():
            self.fields[name].widget.attrs["placeholder"] = words

    def name_template(self, chosen: Known) -> None:
        """Say by its name what shall run, where an address asks for one that is not at hand."""
        runs = cast(forms.Select, self.fields["template"].widget)
        asked = self.cleaned_data["template"]
        if asked not in dict(cast(list[tuple[str, str]], runs.choices)):
            runs.choices = [*runs.choices, (asked, chosen.name)]

    def first_fields(self) -> list[BoundField]:
        """Return the filters that always show."""
        return [self[name] for name in FIRST]

    def more_fields(self) -> list[BoundField]:
        """Return the filters that are folded away."""
        return [self[name] for name in self.fields if name not in (*HEADING, *FIRST)]

    def more_open(self) -> bool:
        """Say whether one of those is in use, so that none narrows a search unseen."""
        return any(str(field.data or "") for field in self.more_fields())

    def clean_q(self) -> query_language.Query:
        """Return what the text asks for."""
        try:
            return query_language.parse(self.cleaned_data["q"])
        except Refused as refused:
            raise forms.ValidationError(refused.detail) from None

    def narrows(self) -> bool:
        """Say whether a valid form leaves anything out."""
        return any(
            self.cleaned_data[name] not in (None, "", query_language.Query())
            for name in (*PLACEHOLDERS, *CHOSEN)
        )

    def query(self, cursor: str, *, needs: query_language.Query) -> OfferQuery:
        """Return the search that a valid form asks for; ``needs``: what a machine has besides.

        :raises CursorInvalid: when ``cursor`` was not made by this search.
        """
        asked: Mapping[str, Any] = self.cleaned_data
        written: query_language.Query = asked["q"]
        place: str = asked["place"]
        is_country = place in country.NAMES
        return OfferQuery(
            words=written.words + needs.words,
            conditions=written.conditions
            + needs.conditions
            + wanted(
                gpu_model=asked["gpu_model"],
                gpus_min=asked["gpus_min"],
                vram_bytes_min=asked["vram_min"],
                cpus_min=asked["cpus_min"],
                memory_bytes_min=asked["ram_min"],
                disk_bytes_min=asked["disk_min"],
                price_hour_microusd_max=asked["price_max"],
                country=place if is_country else "",
                region="" if is_country or not place else country.region(place),
                network_down_mbit_s_min=asked["line_min"],
                network_up_mbit_s_min=asked["line_min"],
                reliability_ppm_min=_whole(asked["reliability_min"], PPM // 100),
                lease_s_min=_whole(asked["days_min"], query_language.DAY_S),
                cuda_min=asked["cuda_min"],
                interruptible=asked["price_type"] == "interruptible",
                reserved=asked["price_type"] == "reserved",
            ),
            verified=asked["checked"] != "anyone",
            rented=asked["checked"] in ("rented", "anyone"),
            sort=OfferSort(asked["sort"] or OfferSort.PRICE),
            cursor=Cursor.decode(cursor) if cursor else None,
            rows_max=ROWS,
        )


def _whole(number: Decimal | None, times: int) -> int | None:
    return None if number is None else int(number * times)


def _places(among: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Return these countries and the continents that they are on."""
    yield "", "Anywhere"
    regions = [
        region
        for region, countries in country.IN_REGION.items()
        if countries.intersection(among) or region.name.lower() in among
    ]
    if regions:
        yield "Continents", [(one.name.lower(), one.full_name) for one in regions]
    countries = sorted(country.NAMES.keys() & among, key=PLACES.__getitem__)
    if countries:
        yield "Countries, as hosts say", [(code, PLACES[code]) for code in countries]
