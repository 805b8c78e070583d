"""This will give an endpoint its shape in the REST API."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from ninja import Schema
from pydantic import Field

from marketplace.domain.endpoint import REPLICAS_MAX
from marketplace.endpoints.queries import EndpointView
from marketplace.json_body import JsonBody
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.workload import COMMAND_WORD_MOST, COMMAND_WORDS_MOST

Price = Annotated[int, Field(gt=0, le=10**15)]


class EndpointRequest(JsonBody):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    image: Annotated[str, Field(min_length=1, max_length=500)]
    #: empty: the image's own
    command: Annotated[
        list[Annotated[str, Field(max_length=COMMAND_WORD_MOST)]],
        Field(max_length=COMMAND_WORDS_MOST),
    ] = Field(default_factory=list)
    environment: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")],
            Annotated[str, Field(max_length=8192)],
        ],
        # Other names are refused, which the library does not say by itself.
        Field(max_length=200, json_schema_extra={"additionalProperties": False}),
    ] = Field(default_factory=dict)
    #: where the program answers HTTP
    http_port: Annotated[int, Field(ge=1, le=65535)]
    #: of one replica
    resources: Resources
    #: words in the name of the GPUs, such as H100; empty: any
    gpu_model: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")] = ""
    replicas: Annotated[int, Field(ge=1, le=REPLICAS_MAX)] = 1
    #: of one replica
    price_hour_microusd_max: Price
    #: who may fetch a private image; kept, sealed, until the endpoint is deleted
    registry_login: RegistryLogin | None = None


class EndpointChange(JsonBody):
    #: zero: stop it; null: as many as now
    replicas: Annotated[int, Field(ge=0, le=REPLICAS_MAX)] | None = None
    #: of each replica that begins from now on; null: as now
    price_hour_microusd_max: Price | None = None


class ReplicaReply(Schema):
    #: what every receipt of this replica names
    placement_id: UUID
    machine_id: UUID
    offer_id: UUID
    #: starting, ready, silent or ending
    state: str
    progress: str
    price_hour_microusd: int
    cost_microusd: int
    begun_at: datetime
    #: when it answered first, and charging began; null: not yet
    ready_at: datetime | None
    #: paid for up to here
    funded_until: datetime


class EndpointReply(Schema):
    id: UUID
    name: str
    #: starting, degraded, ready or stopped
    state: str
    #: callers send what they ask below this address, with the endpoint's key as a Bearer token
    url: str
    image: str
    command: list[str]
    http_port: int
    resources: Resources
    gpu_model: str
    replicas_wanted: int
    replicas_ready: int
    price_hour_microusd_max: int
    #: of all replicas that answer or will
    price_hour_microusd: int
    #: of all replicas that it ever had
    cost_microusd: int
    #: how its key begins
    key_prefix: str
    #: why a replica failed or cannot begin; empty: all is well
    problem_code: str
    problem: str
    #: no replica begins before; null: nothing waits
    retry_at: datetime | None
    created_at: datetime
    replicas: list[ReplicaReply]

    @classmethod
    def of(cls, view: EndpointView) -> Self:
        """Return the reply for what the renter may see."""
        return cls.model_validate(asdict(view))


class KeyedEndpointReply(EndpointReply):
    #: what callers show; it is shown here only
    key: str


class EndpointList(Schema):
    items: list[EndpointReply]
