"""This will serve rentals over the REST API."""

from typing import Annotated
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Query, Router, Status

from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.domain.funding import Funding
from marketplace.domain.rental import RentalState
from marketplace.ledger.actions import spend_limit
from marketplace.metering import queries as metering
from marketplace.placements.workload import Parts
from marketplace.rentals import bills, filters, queries
from marketplace.rentals.actions import (
    bid,
    change,
    end,
    extend,
    forget,
    rename,
    rent,
    reset,
    restart,
    set_keys,
    start,
    stop,
)
from marketplace.rentals.limited_keys import check_own_rental
from marketplace.rentals.names import NAME_LENGTH_MAX
from marketplace.rentals.requests import (
    BidRequest,
    ChangeRequest,
    ExtendRequest,
    RegistryLoginRequest,
    RentalRequest,
    SshKeysRequest,
)
from marketplace.rentals.schemas import ChargedDay, Period, Receipts, RentalList, RentalReply
from marketplace.volumes.actions import claim
from protocol.agent import RegistryLogin

router = Router(tags=["rentals"], auth=ApiKeyBearer())
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.post("/rentals", response={201: RentalReply})
def create(
    request: HttpRequest,
    payload: RentalRequest,
    idempotency_key: IdempotencyKey = None,
) -> Status[RentalReply]:
    """Rent: what it may cost is held, seconds are charged once your SSH door answers."""
    now = timezone.now()
    renter = caller(request)
    with transaction.atomic():
        rental = rent.rent(
            renter_id=renter.pk,
            offer_id=payload.offer_id,
            parts={
                "image": payload.image,
                "environment": payload.environment,
                "command": tuple(payload.command),
                "ports": tuple(payload.ports),
                "runtime": payload.runtime,
            },
            resources=payload.resources,
            lease_s=payload.lease_s,
            cap_microusd=payload.cap_microusd,
            ssh_key_ids=payload.ssh_key_ids,
            bid_microusd=payload.bid_microusd,
            price_hour_microusd_max=payload.price_hour_microusd_max,
            price_type=payload.price_type,
            traffic_bytes_max=payload.traffic_bytes_max,
            funding=payload.funding,
            volumes=[
                claim.Asked(name=volume.name, path=volume.path, size_bytes=volume.size_bytes)
                for volume in payload.volumes
            ],
            registry_login=_login(payload.registry_login),
            failover_microusd=payload.failover_price_hour_microusd_max,
            name=payload.name,
            idempotency_key=idempotency_key or str(uuid4()),
            now=now,
        )
        spend_limit.attribute(hold_id=rental.meter.hold_id, api_key_id=caller_key(request), now=now)
    return Status(201, RentalReply.of(queries.view(rental.id, renter.pk, now)))


@router.get("/rentals", response=RentalList)
def index(
    request: HttpRequest,
    state: filters.Group | RentalState = filters.Group.LIVE,
    q: Annotated[str, Query(max_length=NAME_LENGTH_MAX)] = "",
    cursor: UUID | None = None,
) -> RentalList:
    """List your rentals, newest first: in a state, and with a text in the name or as its id begins.

    ``live`` is whatever may still cost something, ``over`` what has ended or failed.
    """
    wanted = filters.in_state(state) & filters.searched(q)
    page = queries.views(caller(request).pk, wanted=wanted, after=cursor, now=timezone.now())
    return RentalList(items=[RentalReply.of(view) for view in page.items], next_cursor=page.next_id)


@router.get("/rentals/{rental_id}", response=RentalReply)
def show(request: HttpRequest, rental_id: UUID) -> RentalReply:
    """Show one of your rentals."""
    return RentalReply.of(queries.view(rental_id, caller(request).pk, timezone.now()))


@router.post("/rentals/{rental_id}/stop", response=RentalReply)
def stop_rental(request: HttpRequest, rental_id: UUID) -> RentalReply:
    """Stop a rental and keep its files, ports and volumes: nothing after this call is charged."""
    now = timezone.now()
    stop.stop(rental_id=rental_id, renter_id=caller(request).pk, now=now)
    return RentalReply.of(queries.view(rental_id, caller(request).pk, now))


@router.post("/rentals/{rental_id}/start", response=RentalReply)
def start_rental(request: HttpRequest, rental_id: UUID) -> RentalReply:
    """Start a stopped rental again, on free GPUs of its machine; its lease is the one it had."""
    now = timezone.now()
    if queries.find(rental_id, caller(request).pk).funding == Funding.ROLLING:
        # It sets the next hour aside.
        check_own_rental(request, rental_id)
    start.start(rental_id=rental_id, renter_id=caller(request).pk, now=now)
    return RentalReply.of(queries.view(rental_id, caller(request).pk, now))


@router.post("/rentals/{rental_id}/restart", response=RentalReply)
def restart_rental(request: HttpRequest, rental_id: UUID) -> RentalReply:
    """Start a running rental's container anew; its files stay."""
    restart.restart(rental_id=rental_id, renter_id=caller(request).pk)
    return RentalReply.of(queries.view(rental_id, caller(request).pk, timezone.now()))


@router.post("/rentals/{rental_id}/reset", response=RentalReply)
def reset_rental(request: HttpRequest, rental_id: UUID) -> RentalReply:
    """Throw a running rental's files away, but for its volumes, and begin with its image again."""
    reset.reset(rental_id=rental_id, renter_id=caller(request).pk)
    return RentalReply.of(queries.view(rental_id, caller(request).pk, timezone.now()))


@router.patch("/rentals/{rental_id}", response=RentalReply)
def change_rental(request: HttpRequest, rental_id: UUID, payload: ChangeRequest) -> RentalReply:
    """Change what a running rental runs; what ran before goes on until the new one does.

    Or its name, whatever it does.
    """
    renter_id = caller(request).pk
    with transaction.atomic():
        parts, login = _parts(payload), _login(payload.registry_login)
        # The placement before the rental, as everybody locks them.
        if parts or login is not None or payload.name is None:
            change.change(
                rental_id=rental_id, renter_id=renter_id, parts=parts, registry_login=login
            )
        if payload.name is not None:
            rename.rename(rental_id=rental_id, renter_id=renter_id, name=payload.name)
    return RentalReply.of(queries.view(rental_id, renter_id, timezone.now()))


@router.put("/rentals/{rental_id}/bid", response=RentalReply)
def set_bid(request: HttpRequest, rental_id: UUID, payload: BidRequest) -> RentalReply:
    """Bid something else for an interruptible rental: what comes costs that, from now on."""
    now = timezone.now()
    renter_id = caller(request).pk
    check_own_rental(request, rental_id)
    bid.bid(rental_id=rental_id, renter_id=renter_id, bid_microusd=payload.bid_microusd, now=now)
    return RentalReply.of(queries.view(rental_id, renter_id, now))


@router.put("/rentals/{rental_id}/ssh-keys", response=RentalReply)
def set_ssh_keys(request: HttpRequest, rental_id: UUID, payload: SshKeysRequest) -> RentalReply:
    """Let other keys of yours open the rental, at once; who is logged in stays so."""
    set_keys.set_keys(
        rental_id=rental_id, renter_id=caller(request).pk, ssh_key_ids=payload.ssh_key_ids
    )
    return RentalReply.of(queries.view(rental_id, caller(request).pk, timezone.now()))


@router.post("/rentals/{rental_id}/end", response=RentalReply)
def end_rental(request: HttpRequest, rental_id: UUID) -> RentalReply:
    """End a rental and throw its files away: nothing after this call is charged."""
    now = timezone.now()
    end.end(rental_id=rental_id, renter_id=caller(request).pk, now=now)
    return RentalReply.of(queries.view(rental_id, caller(request).pk, now))


@router.post("/rentals/{rental_id}/extend", response=RentalReply)
def extend_rental(
    request: HttpRequest,
    rental_id: UUID,
    payload: ExtendRequest,
    idempotency_key: IdempotencyKey = None,
) -> RentalReply:
    """Raise a rental's lease, counted from its start, or its dollar cap; the other stays."""
    now = timezone.now()
    check_own_rental(request, rental_id)
    extend.extend(
        rental_id=rental_id,
        renter_id=caller(request).pk,
        asked=extend.Asked(lease_s=payload.lease_s, cap_microusd=payload.cap_microusd),
        idempotency_key=idempotency_key or str(uuid4()),
        now=now,
    )
    return RentalReply.of(queries.view(rental_id, caller(request).pk, now))


@router.delete("/rentals/{rental_id}", response={204: None})
def delete(request: HttpRequest, rental_id: UUID) -> Status[None]:
    """Take an ended rental off your list."""
    forget.forget(rental_id=rental_id, renter_id=caller(request).pk, now=timezone.now())
    return Status(204, None)


@router.get("/rentals/{rental_id}/receipts", response=Receipts)
def receipts(
    request: HttpRequest,
    rental_id: UUID,
    cursor: Annotated[int, Query(ge=0, lt=1 << 31)] = 0,
) -> Receipts:
    """Return a page of the machine's signed intervals, which anyone can verify."""
    rental = queries.find(rental_id, caller(request).pk)
    page = metering.receipts(rental.placement_id, first=cursor)
    more = page.next_sequence is not None
    return Receipts(
        machine_key=rental.placement.machine.machine_key,
        intervals=list(page.intervals),
        billed_ms=rental.meter.charged_ms,
        cost_microusd=rental.meter.charged_microusd,
        periods=[] if more else [Period.from_orm(one) for one in bills.periods(rental.meter)],
        charges=[] if more else [ChargedDay.from_orm(one) for one in bills.charges(rental.meter)],
        next_cursor=page.next_sequence,
    )


def _login(payload: RegistryLoginRequest | None) -> RegistryLogin | None:
    if payload is None:
        return None
    return RegistryLogin(username=payload.username, password=payload.password)


def _parts(payload: ChangeRequest) -> Parts:
    parts: Parts = {}
    if payload.image is not None:
        parts["image"] = payload.image
    if payload.environment is not None:
        parts["environment"] = payload.environment
    if payload.command is not None:
        parts["command"] = tuple(payload.command)
    if payload.ports is not None:
        parts["ports"] = tuple(payload.ports)
    if payload.runtime is not None:
        parts["runtime"] = payload.runtime
    return parts
