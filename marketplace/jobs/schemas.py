"""This will give a job its shape in the REST API."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from ninja import Schema
from pydantic import Field

from marketplace.jobs.queries import JobView
from marketplace.json_body import JsonBody
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.signing import Digest
from protocol.workload import (
    COMMAND_WORD_MOST,
    COMMAND_WORDS_MOST,
    INPUTS_MOST,
    JobFile,
    RelativePath,
)

RUN_LIMIT_S_MAX = 7 * 86_400
OUTPUTS_BYTES_MAX = 10 << 30


class InputFile(JsonBody):
    #: below /input
    path: RelativePath
    #: what the upload answered
    digest: Digest


class JobRequest(JsonBody):
    offer_id: UUID
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
    inputs: Annotated[list[InputFile], Field(max_length=INPUTS_MOST)] = Field(default_factory=list)
    resources: Resources
    #: seconds from the start of its process; more is never charged
    run_limit_s: Annotated[int, Field(gt=0, le=RUN_LIMIT_S_MAX)]
    #: how much of /output comes back, what it said included
    outputs_bytes_max: Annotated[int, Field(ge=0, le=OUTPUTS_BYTES_MAX)] = 64 << 20
    #: refuse with price_raised if an hour costs more by now; null: any price
    price_hour_microusd_max: Annotated[int, Field(ge=0, le=10**15)] | None = None
    #: who may fetch a private image; kept until the image is on the machine
    registry_login: RegistryLogin | None = None


class JobReply(Schema):
    id: UUID
    state: str
    progress: str
    #: null: its process did not exit by itself, or not yet
    exit_code: int | None
    #: why it ended, such as exited, run_limit or renter_ended; empty while it goes on
    reason_code: str
    reason: str
    machine_id: UUID
    #: what every receipt of this job names
    placement_id: UUID
    offer_id: UUID
    image: str
    command: list[str]
    inputs: list[JobFile]
    #: files below /output, and .stdout and .stderr, which are the ends of what it said
    outputs: list[JobFile]
    resources: Resources
    run_limit_s: int
    price_hour_microusd: int
    worst_total_microusd: int
    #: zero until it is over
    cost_microusd: int
    started_at: datetime
    running_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, view: JobView) -> Self:
        """Return the reply for what the renter may see."""
        return cls.model_validate(asdict(view))


class JobList(Schema):
    items: list[JobReply]
    #: null: this is the last page
    next_cursor: UUID | None


class BlobReply(Schema):
    #: sha256 of the file
    digest: str
    size_bytes: int
    #: it is forgotten then, unless a job has it as an input
    expires_at: datetime
