"""This will serve endpoints over the REST API. Their callers ask the gateway instead."""

from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status

from marketplace.accounts.acting import actor_id
from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.accounts.once import IdempotencyKey, Made, once, once_of
from marketplace.endpoints import queries
from marketplace.endpoints.actions import create as creation
from marketplace.endpoints.actions.delete import delete
from marketplace.endpoints.actions.dismiss import dismiss
from marketplace.endpoints.actions.renew_key import renew_key
from marketplace.endpoints.actions.scale import scale
from marketplace.endpoints.schemas import (
    EndpointChange,
    EndpointList,
    EndpointReply,
    EndpointRequest,
    KeyedEndpointReply,
)
from marketplace.ledger.actions import spend_limit

router = Router(tags=["endpoints"], auth=ApiKeyBearer())


@router.post("/endpoints", response={201: KeyedEndpointReply})
def create(
    request: HttpRequest, payload: EndpointRequest, idempotency_key: IdempotencyKey = None
) -> Status[KeyedEndpointReply]:
    """Keep a program answering HTTP: as many replicas as wanted, each charged while it answers."""
    renter = caller(request)
    created = creation.create(
        renter_id=renter.pk,
        asked=creation.Asked(
            name=payload.name,
            parts={
                "image": payload.image,
                "command": tuple(payload.command),
                "environment": payload.environment,
            },
            http_port=payload.http_port,
            resources=payload.resources,
            gpu_model=payload.gpu_model,
            replicas=payload.replicas,
            price_hour_microusd_max=payload.price_hour_microusd_max,
            registry_login=payload.registry_login,
            api_key_id=caller_key(request),
            made_by_id=actor_id(request),
        ),
        call=once_of(request, renter.pk, idempotency_key, payload),
        now=timezone.now(),
    )
    return Status(201, _keyed(created, renter.pk))


@router.get("/endpoints", response=EndpointList)
def index(request: HttpRequest) -> EndpointList:
    """List your endpoints, newest first."""
    found = queries.views(caller(request).pk)
    return EndpointList(items=[EndpointReply.of(view) for view in found])


@router.get("/endpoints/{endpoint_id}", response=EndpointReply)
def show(request: HttpRequest, endpoint_id: UUID) -> EndpointReply:
    """Show one of your endpoints with its replicas."""
    return EndpointReply.of(queries.view(endpoint_id, caller(request).pk))


@router.patch("/endpoints/{endpoint_id}", response=EndpointReply)
def change(request: HttpRequest, endpoint_id: UUID, payload: EndpointChange) -> EndpointReply:
    """Want another number of replicas, zero to stop it, or let them cost more or less."""
    renter = caller(request)
    hold_key_id = queries.find(endpoint_id, renter.pk).api_key_id
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=hold_key_id)
    scale(
        endpoint_id=endpoint_id,
        renter_id=renter.pk,
        replicas=payload.replicas,
        price_hour_microusd_max=payload.price_hour_microusd_max,
        now=timezone.now(),
    )
    return EndpointReply.of(queries.view(endpoint_id, renter.pk))


@router.post("/endpoints/{endpoint_id}/key", response=KeyedEndpointReply)
def create_key(
    request: HttpRequest, endpoint_id: UUID, idempotency_key: IdempotencyKey = None
) -> KeyedEndpointReply:
    """Give an endpoint another key; the former one opens nothing any more."""
    renter = caller(request)

    def make() -> Made:
        renewed = renew_key(
            endpoint_id=endpoint_id, renter_id=renter.pk, made_by_id=actor_id(request)
        )
        return Made(str(endpoint_id), renewed.key)

    call = once_of(request, renter.pk, idempotency_key)
    made = once(call, make, now=timezone.now())
    return _keyed(creation.Created(endpoint_id, made.secret), renter.pk)


@router.delete("/endpoints/{endpoint_id}/replicas/{placement_id}", response={204: None})
def dismiss_replica(request: HttpRequest, endpoint_id: UUID, placement_id: UUID) -> Status[None]:
    """End a replica; another one begins, and none of this endpoint on its machine any more."""
    dismiss(
        endpoint_id=endpoint_id,
        placement_id=placement_id,
        renter_id=caller(request).pk,
        now=timezone.now(),
    )
    return Status(204, None)


@router.delete("/endpoints/{endpoint_id}", response={204: None})
def remove(request: HttpRequest, endpoint_id: UUID) -> Status[None]:
    """Delete an endpoint: its replicas end, and nothing after this call is charged."""
    delete(endpoint_id=endpoint_id, renter_id=caller(request).pk, now=timezone.now())
    return Status(204, None)


def _keyed(created: creation.Created, renter_id: int) -> KeyedEndpointReply:
    view = EndpointReply.of(queries.view(created.endpoint_id, renter_id))
    return KeyedEndpointReply(**view.model_dump(), key=created.key)
