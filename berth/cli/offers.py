"""This will list what is for rent."""

from itertools import islice
from typing import Annotated, Literal, cast

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, duration, share, size, usd
from berth.cli.order import Sort, order
from berth.offers import Offer, OfferFilter
from berth.units import format_size, format_usd

Query = Annotated[
    str | None,
    typer.Argument(
        metavar="[QUERY]",
        help="A search as on the page: 'gpu_name=RTX_4090 num_gpus>=2 dph<0.5', or words.",
    ),
]
GpuModel = Annotated[
    str | None, typer.Option("--gpu-model", metavar="MODEL", help="For example H100.")
]
VramMin = Annotated[
    int | None, typer.Option("--vram", parser=size, metavar="SIZE", help="GPU memory at least.")
]
PriceMax = Annotated[
    int | None, typer.Option("--price-max", parser=usd, metavar="USD", help="An hour, at most.")
]

#: what a narrow terminal has no room for stands in --json
COLUMNS = (
    "OFFER",
    "~MACHINE",
    "FREE",
    "?>VRAM",
    "??>CPUS",
    "?>RAM",
    "??>DISK",
    "????>HOST",
    "???IN",
    "????>DOWN/UP",
    "?>MEASURED",
    "????>GB/S",
    "??>PER RESULT",
    ">PRICE/H",
    "???>START P50/P95",
    "???>CAME UP",
    "STATE",
)


#: of one answer of the API
PAGE_ROWS_MAX = 100


def offers(
    *,
    query: Query = None,
    gpu_model: GpuModel = None,
    gpus: Annotated[
        int | None, typer.Option(min=0, metavar="NUMBER", help="Free GPUs at least.")
    ] = None,
    vram: VramMin = None,
    cpus: Annotated[
        int | None, typer.Option(min=1, metavar="NUMBER", help="Free CPUs at least.")
    ] = None,
    ram: Annotated[
        int | None, typer.Option(parser=size, metavar="SIZE", help="Free memory at least.")
    ] = None,
    disk: Annotated[
        int | None, typer.Option(parser=size, metavar="SIZE", help="Free disk at least.")
    ] = None,
    price_max: PriceMax = None,
    country: Annotated[
        str | None, typer.Option(metavar="CC", help="Where, as its host says: DE.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(metavar="CONTINENT", help="Where: EU, or North_America.")
    ] = None,
    down: Annotated[
        int | None,
        typer.Option(min=0, metavar="MBIT_S", help="To it at least, as measured."),
    ] = None,
    up: Annotated[
        int | None,
        typer.Option(min=0, metavar="MBIT_S", help="From it at least, as measured."),
    ] = None,
    reliability: Annotated[
        int | None,
        typer.Option(parser=share, metavar="SHARE", help="At least: 0.99 or 99%."),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option(parser=duration, metavar="DURATION", help="Rented so long at least: 2d."),
    ] = None,
    cuda: Annotated[
        str | None, typer.Option(metavar="VERSION", help="CUDA at least: 12.4.")
    ] = None,
    interruptible: Annotated[
        bool, typer.Option("--interruptible", help="Only what takes bids.")
    ] = False,
    reserved: Annotated[
        bool, typer.Option("--reserved", help="Only what is cheaper if reserved.")
    ] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Also machines that no validator vouches for.")
    ] = False,
    rented: Annotated[
        bool,
        typer.Option("--rented", help="Also fully rented machines."),
    ] = False,
    sort: Annotated[
        Literal["price", "value", "reliability", "start"],
        typer.Option(
            metavar="ORDER",
            help="Best first by price, value (for measured work), reliability or start.",
        ),
    ] = "price",
    ordered: Annotated[
        str | None,
        typer.Option(
            "--order",
            "-o",
            parser=order,
            metavar="FIELD",
            help="As Vast.ai writes the order: dlperf_usd-.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="NUMBER", help="Offers at most.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List what is for rent; this needs no log-in."""
    wanted = OfferFilter(
        q=query,
        gpu_model=gpu_model,
        gpus_min=gpus,
        vram_bytes_min=vram,
        cpus_min=cpus,
        ram_bytes_min=ram,
        disk_bytes_min=disk,
        price_hour_microusd_max=price_max,
        country=country,
        region=region,
        network_down_mbit_s_min=down,
        network_up_mbit_s_min=up,
        reliability_ppm_min=reliability,
        lease_s_min=runs,
        cuda_min=cuda,
        interruptible=interruptible or None,
        reserved=reserved or None,
        verified=not unverified,
        rented=rented or None,
        sort=cast(Sort, ordered) if ordered else sort,
        limit=min(limit, PAGE_ROWS_MAX),
    )
    with session.visitor() as client:
        found = list(islice(client.offers(wanted), limit))
    if as_json:
        output.write_json({"items": found})
        return
    output.table(
        COLUMNS,
        [_row(offer) for offer in found],
        empty="Nothing is for rent that matches."
        if unverified
        else "Nothing is for rent that matches. To see what is rented, or what no validator vouches"
        " for, and why: berth offers --unverified --rented",
    )
    for reason in sorted({offer.unverified_reason for offer in found} - {""}):
        output.note(reason)


def _row(offer: Offer) -> tuple[str, ...]:
    has_gpu = offer.gpus > 0
    price = offer.price_gpu_hour_microusd if has_gpu else offer.price_cpu_hour_microusd
    return (
        output.short(offer.id),
        (offer.gpu_model if has_gpu else offer.cpu_model) or "-",
        f"{offer.gpus_free}/{offer.gpus} GPU" if has_gpu else "-",
        format_size(offer.vram_bytes or 0) if has_gpu else "-",
        str(offer.cpus_free),
        format_size(offer.ram_bytes_free),
        format_size(offer.disk_bytes_free),
        str(offer.host_id or "-"),
        output.plain(offer.country) or "-",
        _line(offer),
        _measured(offer),
        "-" if offer.bandwidth_mb_s is None else f"{offer.bandwidth_mb_s // 1000:,}",
        _per_result(offer),
        f"{format_usd(price)} {'GPU' if has_gpu else 'CPU'}",
        _starts(offer),
        _came_up(offer),
        _state(offer),
    )


def _line(offer: Offer) -> str:
    speeds = (offer.network_down_mbit_s, offer.network_up_mbit_s)
    if not any(speeds):
        return "-"
    return "/".join("-" if one is None else str(one) for one in speeds) + " Mbit/s"


def _measured(offer: Offer) -> str:
    if offer.int8_gops is not None:
        return f"{offer.int8_gops // 1000:,} TOPS"
    if offer.gpus or not offer.cpu_hash_rate:
        return "-"
    return f"{offer.cpu_hash_rate / 1_000_000:,.1f} M it/s"


def _per_result(offer: Offer) -> str:
    """Return what an hour of measured work costs, as the page of offers says it."""
    if offer.value_microusd is None:
        return "-"
    dollars, part = divmod(offer.value_microusd // 100, 10_000)
    return f"${dollars:,}.{part:04d}/{'1000 TOPS' if offer.gpus else 'M it/s'}"


def _starts(offer: Offer) -> str:
    if offer.start_p50_ms is None:
        return "-"
    half = f"{offer.start_p50_ms / 1000:.1f}"
    return (
        f"{half} s" if offer.start_p95_ms is None else f"{half}/{offer.start_p95_ms / 1000:.1f} s"
    )


def _came_up(offer: Offer) -> str:
    begun = offer.starts + offer.starts_failed
    return f"{offer.starts}/{begun}" if begun else "-"


def _state(offer: Offer) -> str:
    if not offer.online:
        return "offline"
    state = "verified" if offer.verified else "unverified"
    there = offer.reliability_ppm
    return state if there is None else f"{state} {there / 10_000:.2f} %"
