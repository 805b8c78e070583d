"""This will be what of a placement decides about its machine's reports."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID


class Known(NamedTuple):
    """What decides about a report. Most tell nothing new: a model of each would cost much more."""

    id: UUID
    machine_id: UUID
    kind: str
    state: str
    funded_until: datetime
    deadline_at: datetime | None
    accepted_at: datetime | None
    stop_revision: int
    run: int
    progress: str
    ssh_port: int | None
    ssh_host_key: str
    ports: list[dict[str, Any]]
    exit_code: int | None
    outputs: list[dict[str, Any]]
    edition: int
    former_edition: int
    former_workload: dict[str, Any] | None
    registry_login: str
    change_code: str
    change_reason: str
