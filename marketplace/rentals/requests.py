"""This will give what a renter asks over the REST API its shape."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from marketplace.domain.funding import Funding
from marketplace.domain.idle import AFTER_S_MAX, AFTER_S_MIN
from marketplace.domain.pricing import PriceType
from marketplace.json_body import JsonBody
from marketplace.rentals.names import NAME_LENGTH_MAX
from marketplace.volumes.models import NAME
from protocol.agent import PASSWORD_MOST
from protocol.hardware import Resources
from protocol.workload import COMMAND_WORD_MOST, COMMAND_WORDS_MOST, PORTS_MOST, VOLUMES_MOST, Port

Image = Annotated[str, Field(min_length=1, max_length=500)]
Command = Annotated[
    list[Annotated[str, Field(max_length=COMMAND_WORD_MOST)]], Field(max_length=COMMAND_WORDS_MOST)
]
Environment = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")],
        Annotated[str, Field(max_length=8192)],
    ],
    # Other names are refused, which the library does not say by itself.
    Field(max_length=200, json_schema_extra={"additionalProperties": False}),
]
Ports = Annotated[list[Port], Field(max_length=PORTS_MOST)]
#: what its renter calls it: one line, shown to nobody but them; empty: it has none
Name = Annotated[str, Field(max_length=NAME_LENGTH_MAX)]
Runtime = Annotated[str, Field(max_length=63)]


class VolumeRequest(JsonBody):
    """A volume of yours on this machine, or a new one."""

    name: Annotated[str, Field(pattern=NAME)]
    #: where it is inside, such as /data
    path: Annotated[str, Field(max_length=255)]
    #: of a new one, reserved at once; null: it is there already
    size_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 50)] | None = None


class RegistryLoginRequest(JsonBody):
    """Who may fetch a private image: kept encrypted until it is on the machine, then deleted."""

    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Annotated[str, Field(min_length=1, max_length=PASSWORD_MOST, repr=False)]


class LimitsRequest(JsonBody):
    """What bounds a rental and how it is paid."""

    #: reserved: the whole term is paid at the discount that the offer names. Null: on demand, or
    #: interruptible with a bid
    price_type: PriceType | None = None
    #: seconds; at least one of lease_s and cap_microusd
    lease_s: Annotated[int, Field(gt=0, le=366 * 86_400)] | None = None
    cap_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None
    #: an hour, instead of the offer's price; only where the offer names a floor for bids
    bid_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None
    #: traffic that you pay for at most, both ways together, where the offer has a price for it: a
    #: rental that reaches it is stopped. Null: 10 GB
    traffic_bytes_max: Annotated[int, Field(ge=0, le=1 << 50)] | None = None
    #: rolling: an hour is set aside and renewed from your balance while it runs, and without money
    #: it stops and keeps its files for 7 days
    funding: Funding = Funding.WHOLE


class RentalRequest(LimitsRequest):
    offer_id: UUID
    image: Image
    resources: Resources
    #: null: all your keys
    ssh_key_ids: Annotated[list[UUID], Field(max_length=50)] | None = None
    environment: Environment = Field(default_factory=dict)
    #: empty: the image's own
    command: Command = Field(default_factory=list)
    #: TCP ports inside that the machine publishes beside the SSH door; it chooses the ports outside
    ports: Ports = Field(default_factory=list)
    volumes: Annotated[list[VolumeRequest], Field(max_length=VOLUMES_MOST)] = Field(
        default_factory=list
    )
    registry_login: RegistryLoginRequest | None = None
    #: what starts the container, such as runsc, where the host has it; empty: the host's choice
    runtime: Runtime = ""
    #: refuse with price_raised if an hour costs more by now; null: any price
    price_hour_microusd_max: Annotated[int, Field(ge=0, le=10**15)] | None = None
    #: if this machine does not bring it up, the next best one with the same GPUs does, for so much
    #: an hour at most and the same total; null: none does
    failover_price_hour_microusd_max: Annotated[int, Field(gt=0, le=10**15)] | None = None
    name: Name = ""


class ChangeRequest(JsonBody):
    """What is left out stays as it is; what is named replaces all of it.

    A name changes whenever you like, all else only while it runs.
    """

    image: Image | None = None
    environment: Environment | None = None
    command: Command | None = None
    ports: Ports | None = None
    runtime: Runtime | None = None
    name: Name | None = None
    #: for a private image
    registry_login: RegistryLoginRequest | None = None


class BidRequest(JsonBody):
    #: an hour, at least the host's floor; no more than the price without a bid is ever charged
    bid_microusd: Annotated[int, Field(gt=0, le=10**15)]


class IdleRuleRequest(JsonBody):
    """Stop it, its files kept, when it is idle."""

    #: seconds of readings below, without a gap
    after_s: Annotated[int, Field(ge=AFTER_S_MIN, le=AFTER_S_MAX)]
    #: of its busiest GPU, or without a GPU of its cores together
    below_percent: Annotated[int, Field(ge=1, le=100)] = 5


class SshKeysRequest(JsonBody):
    """Which keys open the rental from now on, and no others."""

    #: null: all your keys
    ssh_key_ids: Annotated[list[UUID], Field(min_length=1, max_length=50)] | None = None


class ExtendRequest(JsonBody):
    """A limit that is left out stays as it is."""

    #: seconds from the rental's start
    lease_s: Annotated[int, Field(gt=0, le=366 * 86_400)] | None = None
    cap_microusd: Annotated[int, Field(gt=0, le=10**15)] | None = None
