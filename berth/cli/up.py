"""This will rent a machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from berth import choice
from berth.cli import output, progress, session, workload
from berth.cli.options import TIMEOUT_S, AsJson, Cap, Lease, Timeout, Wait, size, usd
from berth.client import Client
from berth.keyfile import KeyFile, read_key
from berth.problem import CannotReach, Refused
from berth.shapes import Offer, OfferFilter, Rental, RentalRequest
from berth.units import format_usd
from protocol.hardware import Resources

#: offers that --cheapest tries when the ones before are taken meanwhile
OFFERS_TRIED_MAX = 10
#: refusals that another machine may not give
ANOTHER_MACHINE = frozenset(
    {"offer_taken", "exceeds_machine", "machine_offline", "machine_unverified", "price_raised"}
)
#: what to say when an attempt got no answer
DOUBT = "It may have been rented all the same: see berth ps."
GIB = 1 << 30

OfferId = Annotated[str | None, typer.Argument(metavar="[OFFER]", help="From: berth offers")]
Ram = Annotated[int, typer.Option(parser=size, metavar="SIZE", show_default="1GiB", help="Memory.")]
Disk = Annotated[int, typer.Option(parser=size, metavar="SIZE", show_default="2GiB", help="Disk.")]
Key = Annotated[
    Path | None,
    typer.Option(help="Open it to this SSH key only, added to your account if it is not there."),
]
Bid = Annotated[
    int | None,
    typer.Option(parser=usd, metavar="USD", help="An hour, where the host takes bids."),
]
PriceMax = Annotated[
    int | None,
    typer.Option("--price-max", parser=usd, metavar="USD", help="An hour of it all, at most."),
]


def up(
    *,
    offer: OfferId = None,
    cheapest: Annotated[bool, typer.Option("--cheapest", help="Find the offer for me.")] = False,
    image: Annotated[str, typer.Option(help="What to run, for example debian:12.")],
    cpus: Annotated[int, typer.Option(min=1, help="CPUs.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs.")] = 0,
    gpu_model: Annotated[str | None, typer.Option(help="With --cheapest: this GPU.")] = None,
    ram: Ram = GIB,
    disk: Disk = 2 * GIB,
    lease: Lease = None,
    cap: Cap = None,
    key: Key = None,
    environment: workload.Environment = None,
    ports: workload.Ports = None,
    volumes: workload.Volumes = None,
    command: workload.Command = None,
    runtime: workload.Runtime = None,
    registry_user: workload.RegistryUser = None,
    bid: Bid = None,
    price_max: PriceMax = None,
    wait_active: Wait = False,
    timeout_s: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Rent a machine: an offer by its id, or the cheapest that fits."""
    if (offer is None) == (not cheapest):
        raise typer.BadParameter("Name an OFFER, or say --cheapest.")
    if lease is None and cap is None:
        raise typer.BadParameter("Say when it ends: --lease 1h, or --cap 2.50, or both.")
    variables = workload.variables(environment or [])
    mounts = workload.volumes(volumes or [])
    line = workload.words(command or "")
    login = workload.registry_login(registry_user)
    key_file = read_key(key) if key else None
    resources = Resources.of(cpus=cpus, gpus=gpus, ram_bytes=ram, disk_bytes=disk)
    with session.client() as client:
        found = (
            [session.find_offer(client, offer, resources)]
            if offer
            else cheapest_offers(client, resources, gpu_model)
        )
        prices = {one.id: choice.price_hour(one) for one in found}
        if bid is None and not as_json:
            price = prices[found[0].id]
            worst = choice.worst_total(price, lease_s=lease, cap_microusd=cap)
            costs = f"costs {format_usd(price)} an hour, {format_usd(worst)} at most"
            output.note(f"Offer {output.short(found[0].id)} {costs}.")
        request = RentalRequest(
            offer_id=found[0].id,
            image=image,
            resources=resources,
            lease_s=lease,
            cap_microusd=cap,
            ssh_key_ids=(_key_id(client, key_file),) if key_file else None,
            environment=variables,
            command=line,
            ports=tuple(ports or ()),
            volumes=mounts,
            registry_login=login,
            runtime=runtime or "",
            bid_microusd=bid,
        )
        rental = _rent_first(client, request, _ceilings(prices, bid=bid, price_max=price_max))
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


def cheapest_offers(client: Client, resources: Resources, gpu_model: str | None) -> list[Offer]:
    """Return the offers to try, cheapest first.

    :raises Refused: ``no_offer`` when there is none.
    """
    wanted = OfferFilter(
        gpu_model=gpu_model,
        gpus_min=resources.gpu.count or None,
        cpus_min=resources.cpu.count,
        ram_bytes_min=resources.ram.capacity,
        disk_bytes_min=resources.hard_disk.capacity,
        verified=True,
        sort="price",
    )
    found = choice.cheapest(client.offers(wanted), resources)
    if not found:
        raise Refused("no_offer", "No verified machine that is online has room for this now.")
    return found[:OFFERS_TRIED_MAX]


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
