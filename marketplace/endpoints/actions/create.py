"""This will create an endpoint, whose replicas begin at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.once import Made, Once, once
from marketplace.domain.matching import SMALLEST, Slice
from marketplace.domain.problem import Refused
from marketplace.endpoints import key as keys
from marketplace.endpoints import queries
from marketplace.endpoints.actions.tend import tend
from marketplace.endpoints.models import Endpoint
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions.post import InsufficientFunds
from marketplace.metering.actions.begin import RequestTooSmall
from marketplace.placements import workload as workloads
from marketplace.placements.registry_login import seal
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.workload import PlacementKind

ENDPOINTS_MAX = 50
#: each leaves rows behind, also where it is deleted at once
CREATIONS = Limit("endpoints", attempts_max=60, window=timedelta(hours=1))


class EndpointExists(Refused):
    """The renter has an endpoint of that name."""

    code = "endpoint_exists"
    status = 409
    sentence = "You have an endpoint of that name; delete it first or choose another name."


class EndpointsTooMany(Refused):
    """The renter has as many as one may have."""

    code = "endpoints_too_many"
    status = 409
    sentence = f"You have {ENDPOINTS_MAX} endpoints; delete one you no longer use first."


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a renter asks for."""

    name: str
    parts: workloads.Parts
    http_port: int
    resources: Resources
    #: words in the name of the GPUs; empty: any
    gpu_model: str
    replicas: int
    #: of one replica
    price_hour_microusd_max: int
    registry_login: RegistryLogin | None = None
    #: whose spend limit its replicas count against; None: a person asks
    api_key_id: UUID | None = None
    #: who is shown its key, of a team; None: its renter is none
    made_by_id: int | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A new endpoint or a new key of one; ``key`` exists only here and is shown now or never."""

    endpoint_id: UUID
    key: str


def create(*, renter_id: int, asked: Asked, now: datetime, call: Once | None = None) -> Created:
    """Return the new endpoint with the key that its callers show.

    Its replicas begin where there is a machine and money for them, and otherwise later.
    ``call``: which it is, where it may have come before; then it is the endpoint of that time.

    :raises WorkloadInvalid: when a part is out of bounds.
    :raises ImageMalformed: when no image can have that name.
    :raises RequestTooSmall: when no container starts with so little.
    :raises EndpointExists: when the renter has one of that name.
    :raises EndpointsTooMany: when the renter has as many as one may have.
    :raises InsufficientFunds: when the renter's wallet is empty.
    :raises TooManyAttempts: when the renter made too many within an hour.
    :raises KeyUsed: when the call's key came with another request.
    """

    def make() -> Made:
        created = _create(renter_id, asked, now)
        return Made(str(created.endpoint_id), created.key)

    made = once(call or Once(renter_id, "", ""), make, now=now)
    endpoint_id = UUID(made.told)
    # Not in the transaction: it takes one machine after the other.
    tend(now=now, endpoint_id=endpoint_id)
    return Created(endpoint_id=endpoint_id, key=made.secret)


def _create(renter_id: int, asked: Asked, now: datetime) -> Created:
    workload = workloads.new(
        PlacementKind.REPLICA,
        asked.parts,
        http_port=asked.http_port,
        resources=asked.resources,
    )
    _check_large_enough(Slice.of(asked.resources))
    if queries.of_renter(renter_id).count() >= ENDPOINTS_MAX:
        raise EndpointsTooMany
    if ledger.balance(renter_id) <= 0:
        raise InsufficientFunds
    count(limit=CREATIONS, subject=str(renter_id), now=now)
    secret = keys.generate()
    try:
        with transaction.atomic():
            endpoint = Endpoint.objects.create(
                renter_id=renter_id,
                name=asked.name,
                workload=workload.model_dump(mode="json"),
                registry_login=seal(asked.registry_login),
                gpu_model=asked.gpu_model,
                wanted=asked.replicas,
                price_hour_microusd_max=asked.price_hour_microusd_max,
                key_digest=keys.digest(secret),
                key_prefix=keys.prefix_of(secret),
                key_made_by_id=asked.made_by_id,
                api_key_id=asked.api_key_id,
                created_at=now,
            )
    except IntegrityError:
        raise EndpointExists from None
    return Created(endpoint_id=endpoint.id, key=secret)


def _check_large_enough(asked: Slice) -> None:
    if SMALLEST.exceeds(asked):
        raise RequestTooSmall
