"""This will prepare where a machine's price stands in its market, and what another would earn."""

from dataclasses import dataclass

from marketplace.domain.market_price import (
    OFFERING_HOSTS_MIN,
    OFFERS_MIN,
    PAID_HOSTS_MIN,
    Spread,
)
from marketplace.domain.money import field_usd, format_usd
from marketplace.metering.market import Market
from marketplace.pages import wording
from marketplace.pages.shown import picture
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.picture import Picture, Shape

BAR, STEP = 16, 30
MARK_WIDTH = 4
OFFERS_TOO_FEW = (
    f"Fewer than {OFFERS_MIN} such machines of {OFFERING_HOSTS_MIN} hosts are offered to everybody,"
    " so there is no market price to show."
)
HOSTS_TOO_FEW = (
    f"Fewer than {PAID_HOSTS_MIN} hosts are paid for such machines now: what is paid would be"
    " somebody’s own business."
)


@dataclass(frozen=True, slots=True)
class Line:
    """One spread in words."""

    label: str
    p10: str
    median: str
    p90: str
    #: of how many
    of: str


@dataclass(frozen=True, slots=True)
class MarketPanel:
    unit: str
    price: str
    #: as a form has it
    price_field: str
    #: what was asked about, or the present price
    asked: str
    asked_field: str
    occupancy: str
    earns: str
    earns_asked: str
    lines: tuple[Line, ...]
    #: why something is not told
    missing: tuple[str, ...]
    stands: str
    picture: Picture | None
    counted: Moment


def panel(found: Market, asked_microusd: int | None) -> MarketPanel:
    """Return the panel; ``asked_microusd`` is a price that the host thinks of."""
    present = found.price_unit_microusd
    asked = present if asked_microusd is None else asked_microusd
    named = (("Offered", found.offered), ("Paid now", found.paid))
    return MarketPanel(
        unit="GPU-hour" if found.machine.gpus_total else "CPU-hour",
        price=format_usd(present),
        price_field=field_usd(present),
        asked=format_usd(asked),
        asked_field=field_usd(asked),
        occupancy=f"{found.occupancy_ppm / 10_000:.2f} %",
        earns=format_usd(found.earns(present) // 10_000 * 10_000),
        earns_asked=format_usd(found.earns(asked) // 10_000 * 10_000),
        lines=tuple(_line(label, one) for label, one in named if one is not None),
        missing=tuple(
            words
            for words, one in ((OFFERS_TOO_FEW, found.offered), (HOSTS_TOO_FEW, found.paid))
            if one is None
        ),
        stands=_stands(asked, found.offered),
        picture=_picture(found, asked),
        counted=Moment.of(found.counted_at),
    )


def _line(label: str, one: Spread) -> Line:
    prices = "offer" if label == "Offered" else "rental"
    return Line(
        label,
        format_usd(one.p10_microusd),
        format_usd(one.median_microusd),
        format_usd(one.p90_microusd),
        f"{wording.count(one.prices, prices)} of {wording.count(one.hosts, 'host')}",
    )


def _stands(price: int, offered: Spread | None) -> str:
    if offered is None:
        return ""
    if price <= offered.p10_microusd:
        return "no dearer than the cheapest tenth of such offers."
    if price <= offered.median_microusd:
        return "cheaper than half of such offers, or as cheap."
    if price <= offered.p90_microusd:
        return "dearer than half of such offers."
    return "dearer than nine of ten such offers."


def _picture(found: Market, asked: int) -> Picture | None:
    spreads = [
        (label, one)
        for label, one in (("Offered", found.offered), ("Paid now", found.paid))
        if one is not None
    ]
    if not spreads:
        return None
    most = max(asked, *(one.p90_microusd for _, one in spreads)) * 11 // 10 or 1

    def at(price: int) -> int:
        return min(picture.WIDTH - MARK_WIDTH, price * picture.WIDTH // most)

    shapes: list[Shape] = []
    for number, (label, one) in enumerate(spreads):
        y, left, right = number * STEP, at(one.p10_microusd), at(one.p90_microusd)
        words = f"{label}: P10 {format_usd(one.p10_microusd)}, P90 {format_usd(one.p90_microusd)}"
        shapes += [
            Shape(0, y, picture.WIDTH, BAR, "ground"),
            Shape(left, y, max(MARK_WIDTH, right - left), BAR, "soft", words),
            Shape(
                at(one.median_microusd),
                y,
                MARK_WIDTH,
                BAR,
                "good",
                f"{label}: median {format_usd(one.median_microusd)}",
            ),
        ]
    height = (len(spreads) - 1) * STEP + BAR
    yours = f"Your price {format_usd(asked)}"
    shapes.append(Shape(at(asked), 0, MARK_WIDTH, height, "main", yours))
    told = "; ".join(
        f"{label} from {format_usd(one.p10_microusd)} to {format_usd(one.p90_microusd)},"
        f" half of it up to {format_usd(one.median_microusd)}"
        for label, one in spreads
    )
    return Picture(
        name="market",
        title="Where your price stands",
        words=f"{told}. Your price: {format_usd(asked)}.",
        width=picture.WIDTH,
        height=height,
        shapes=tuple(shapes),
        first=format_usd(0),
        last=format_usd(most),
        heads=("", "P10", "Median", "P90"),
        rows=tuple(
            (
                label,
                format_usd(one.p10_microusd),
                format_usd(one.median_microusd),
                format_usd(one.p90_microusd),
            )
            for label, one in spreads
        ),
    )
