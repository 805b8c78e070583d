"""This will rent a machine."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from berth import choice
from berth.cli import output, progress, session, workload
from berth.cli.best_offers import best_offers
from berth.cli.options import (
    TIMEOUT_S,
    AsJson,
    Cap,
    IdleBelow,
    IdleStop,
    Lease,
    Timeout,
    Wait,
    size,
    traffic_size,
    usd,
)
from berth.client import Client
from berth.keyfile import KeyFile, read_key
from berth.offers import Asked
from berth.problem import CannotReach, Refused
from berth.shapes import Rental, RentalRequest
from berth.units import format_usd
from protocol.hardware import Resources

#: refusals that another machine may not give
ANOTHER_MACHINE = frozenset(
    {"offer_taken", "exceeds_machine", "machine_offline", "machine_unverified", "price_raised"}
)
#: what to say when an attempt got no answer
DOUBT = "It may have been rented all the same: see berth ps."
GIB = 1 << 30
DAY_S = 86_400


class Funding(StrEnum):
    """How much of what it may cost is set aside at once."""

    WHOLE = "whole"
    ROLLING = "rolling"


OfferId = Annotated[
    str | None,
    typer.Argument(metavar="[OFFER/QUERY]", help="From: berth offers; with --cheapest a search."),
]
Sort = Annotated[
    Literal["price", "value", "reliability", "start"] | None,
    typer.Option(help="With --cheapest: best by this, and not by price."),
]
Cpus = Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="CPUs.")]
Gpus = Annotated[int | None, typer.Option(min=0, metavar="NUMBER", help="GPUs.")]
Ram = Annotated[int, typer.Option(parser=size, metavar="SIZE", show_default="1GiB", help="Memory.")]
Disk = Annotated[int, typer.Option(parser=size, metavar="SIZE", show_default="2GiB", help="Disk.")]
SomeRam = Annotated[int | None, typer.Option("--ram", parser=size, metavar="SIZE", help="Memory.")]
SomeDisk = Annotated[int | None, typer.Option("--disk", parser=size, metavar="SIZE", help="Disk.")]
#: of what a search for the cheapest does not name
LEAST = Resources.of(cpus=1, ram_bytes=GIB, disk_bytes=2 * GIB)
Key = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Open it to this SSH key only, added to your account if it is not there.",
    ),
]
Bid = Annotated[
    int | None,
    typer.Option(parser=usd, metavar="USD", help="An hour; others may outbid it."),
]
Reserved = Annotated[
    int | None,
    typer.Option(
        "--reserved",
        min=1,
        max=365,
        metavar="DAYS",
        help="Pay for so many whole days, at the discount that the host names.",
    ),
]
Traffic = Annotated[
    int | None,
    typer.Option(
        "--traffic",
        parser=traffic_size,
        metavar="GB",
        help="Pay for so much traffic at most, where the host charges for it.",
    ),
]
Funded = Annotated[
    Funding,
    typer.Option(help="Set aside all that it may cost, or an hour that is renewed as it runs."),
]
PriceMax = Annotated[
    int | None,
    typer.Option("--price-max", parser=usd, metavar="USD", help="An hour of it all, at most."),
]


Name = Annotated[
    str, typer.Option(metavar="NAME", help="What you call it, and may type in place of its id.")
]
Failover = Annotated[
    int | None,
    typer.Option(
        "--failover",
        parser=usd,
        metavar="USD",
        help="Take the next best machine if this one does not come up: an hour of it, at most.",
    ),
]


def up(
    *,
    offer: OfferId = None,
    cheapest: Annotated[bool, typer.Option("--cheapest", help="Find the offer for me.")] = False,
    sort: Sort = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="What to run, for example debian:12.")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to run, by its name; other options go before it."),
    ] = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    gpu_model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="With --cheapest: this GPU.")
    ] = None,
    ram: SomeRam = None,
    disk: SomeDisk = None,
    name: Name = "",
    lease: Lease = None,
    cap: Cap = None,
    key: Key = None,
    environment: workload.Environment = None,
    ports: workload.Ports = None,
    volumes: workload.Volumes = None,
    command: workload.Command = None,
    on_start: workload.OnStart = None,
    runtime: workload.Runtime = None,
    registry_user: workload.RegistryUser = None,
    bid: Bid = None,
    reserved: Reserved = None,
    traffic: Traffic = None,
    price_max: PriceMax = None,
    failover: Failover = None,
    funding: Funded = Funding.WHOLE,
    idle_stop: IdleStop = None,
    idle_below: IdleBelow = None,
    wait_active: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Rent a machine: an offer by its id, or the cheapest that fits a search.

    What is not said is the share of an OFFER that comes for the same price, and with --cheapest
    1 CPU, 1 GiB of memory, 2 GiB of disk, and 1 GPU with --gpu-model or a search for GPUs.
    """
    if offer is None and not cheapest:
        raise typer.BadParameter("Name an OFFER, or say --cheapest.")
    if sort is not None and (not cheapest or reserved is not None):
        raise typer.BadParameter("--sort goes with --cheapest, and not with --reserved.")
    if image is None and template is None:
        raise typer.BadParameter("Say what to run: --image debian:12, or --template NAME.")
    if reserved is not None:
        if any(one is not None for one in (lease, cap, bid, idle_stop)):
            unfit = "--reserved is paid for as a whole: leave out --lease, --cap, --bid and"
            raise typer.BadParameter(f"{unfit} --idle-stop.")
        lease = reserved * DAY_S
    if lease is None and cap is None:
        raise typer.BadParameter(
            "Say when it ends: --lease 1h, --cap 2.50, both, or --reserved 30."
        )
    if idle_below is not None and idle_stop is None:
        raise typer.BadParameter("Say after how long it stops: --idle-stop 30m.")
    variables = workload.variables(environment or [])
    mounts = workload.volumes(volumes or [])
    line = workload.command(command, on_start) or ()
    login = workload.registry_login(registry_user)
    key_file = read_key(key) if key else None
    asked = Asked(gpus_min=gpus, cpus_min=cpus, ram_bytes_min=ram, disk_bytes_min=disk)
    with session.client() as client:
        known = client.templates.one(template) if template else None
        if offer and not cheapest:
            one = session.find_offer(client, offer, asked)
            resources = asked.filled(one.proposed or LEAST)
            found = [client.offer(one.id, Asked.of(resources))]
        else:
            needs = known.needs if known else ""
            search = " ".join(filter(None, (needs, offer)))
            searched = client.asked(search) if search else None
            wanted = choice.wanted(asked, searched, of_gpus=bool(gpu_model))
            resources = wanted.filled(LEAST)
            strangers = known is not None and known.version > 0 and not known.yours
            if strangers and price_max is None:
                own = client.asked(offer) if offer else None
                _check_agreed(resources, choice.wanted(asked, own, of_gpus=bool(gpu_model)))
            found = best_offers(
                client,
                resources,
                gpu_model,
                reserved_days=reserved,
                search=search,
                sort=sort or "price",
            )
        prices = {one.id: choice.price_hour(one) for one in found}
        request = RentalRequest(
            offer_id=found[0].id,
            image=image or (known.image if known else ""),
            resources=resources,
            lease_s=lease,
            cap_microusd=cap,
            ssh_key_ids=(_key_id(client, key_file),) if key_file else None,
            environment={**(known.environment if known else {}), **variables},
            command=line or (known.command if known else ()),
            ports=tuple(ports or (known.ports if known else ())),
            volumes=mounts,
            registry_login=login,
            runtime=runtime or "",
            bid_microusd=bid,
            price_type=None if reserved is None else "reserved",
            traffic_bytes_max=traffic,
            funding=funding.value,
            failover_price_hour_microusd_max=failover,
            name=name,
        )
        if not as_json:
            _say_costs(client, request)
        rental = _rent_first(client, request, _ceilings(prices, bid=bid, price_max=price_max))
        if idle_stop is not None:
            rental = _with_idle_rule(client, rental, after_s=idle_stop, below_percent=idle_below)
        if key_file and key_file.identity:
            session.doors().remember_identity(rental.id, key_file.identity)
        if wait_active:
            rental = progress.follow(
                client,
                rental,
                until=lambda seen: seen.state == "active" and seen.ssh is not None,
                timeout_s=timeout_s,
                as_json=as_json,
            )
    progress.show(rental, as_json=as_json)


def _check_agreed(resources: Resources, named: Asked) -> None:
    """Refuse what only a template asks for, and costs more than a GPU: strangers write them."""
    agreed = named.filled(LEAST)
    much = resources.gpu.count > max(1, agreed.gpu.count)
    if much or any(
        wanted > most
        for wanted, most in (
            (resources.cpu.count, agreed.cpu.count),
            (resources.ram.capacity, agreed.ram.capacity),
            (resources.hard_disk.capacity, agreed.hard_disk.capacity),
        )
    ):
        raise typer.BadParameter(
            "The template needs more than you named: say what an hour may cost by --price-max."
        )


def _say_costs(client: Client, request: RentalRequest) -> None:
    """Say what the first offer costs, before anything is set aside for it."""
    told = client.prices.quote(
        request.offer_id,
        request.resources,
        lease_s=request.lease_s,
        cap_microusd=request.cap_microusd,
        bid_microusd=request.bid_microusd,
        price_type=request.price_type,
        traffic_bytes_max=request.traffic_bytes_max,
        funding=request.funding,
    )
    words = [
        f"Offer {output.short(request.offer_id)} costs {format_usd(told.price_hour_microusd)} an"
        f" hour, {format_usd(told.worst_total_microusd)} at most"
    ]
    if told.held_microusd is not None and told.held_microusd != told.worst_total_microusd:
        words.append(f"{format_usd(told.held_microusd)} set aside now and renewed each half hour")
    if told.discount_ppm:
        before = format_usd(told.on_demand_total_microusd)
        words.append(f"{told.discount_ppm / 10_000:g} % off the {before} on demand")
    if told.traffic_microusd_max:
        words.append(f"{format_usd(told.traffic_microusd_max)} of that for traffic")
    if told.stopped_hour_microusd:
        words.append(f"{format_usd(told.stopped_hour_microusd)} an hour while it is stopped")
    output.note(f"{', '.join(words)}.")


def _with_idle_rule(
    client: Client, rental: Rental, *, after_s: int, below_percent: int | None
) -> Rental:
    """Return the rental with its rule; a refused one ends nothing and is said."""
    try:
        rule = client.set_idle_rule(rental.id, after_s=after_s, below_percent=below_percent)
    except (Refused, CannotReach) as error:
        output.note(f"Rented, but without its idle rule: {error.sentence}")
        return rental
    return rental.model_copy(update={"idle_rule": rule})


def _ceilings(
    prices: dict[str, int], *, bid: int | None, price_max: int | None
) -> dict[str, int | None]:
    """Return the most that an hour may cost by each offer's id: what it costs now, or less.

    A host that raises a price between our look and the rental is refused, not paid.
    """
    if bid is not None:
        return dict.fromkeys(prices, price_max)
    return {
        one: price if price_max is None else min(price, price_max) for one, price in prices.items()
    }


def _rent_first(
    client: Client, request: RentalRequest, ceilings: Mapping[str, int | None]
) -> Rental:
    *others, last = [
        request.model_copy(update={"offer_id": offer_id, "price_hour_microusd_max": ceiling})
        for offer_id, ceiling in ceilings.items()
    ]
    for one in others:
        try:
            return _rent(client, one)
        except Refused as error:
            # The next offer has a key of its own: after a doubt there could be two rentals.
            if error.code not in ANOTHER_MACHINE or not error.certain:
                raise
            output.note(f"Offer {one.offer_id}: {error.sentence} Trying the next.")
    return _rent(client, last)


def _rent(client: Client, request: RentalRequest) -> Rental:
    try:
        return client.rent(request)
    except Refused as error:
        if error.certain:
            raise
        doubted = f"{error.sentence} {DOUBT}"
        raise Refused(error.code, doubted, error.status, certain=False) from error
    except CannotReach as error:
        raise CannotReach(f"{error.sentence} {DOUBT}", error.code) from error


def _key_id(client: Client, key_file: KeyFile) -> int | str:
    for known in client.ssh_keys():
        if known.public_key.split()[:2] == key_file.body.split():
            return known.id
    comment = key_file.public_key.split(maxsplit=2)[2:]
    name = comment[0] if comment else "berth up"
    return client.add_ssh_key(name=name[:80], public_key=key_file.public_key).id
