"""This will keep what the enrolment settled: who this machine is, to which marketplace, where."""

from pathlib import Path
from uuid import UUID

from pydantic import BaseModel

from miner_agent.keys import write_whole


class Enrolment(BaseModel):
    """What the marketplace was told and answered."""

    machine_id: UUID
    marketplace_url: str
    #: where renters and validators are sent
    address: str


def read(home: Path) -> Enrolment | None:
    """Return the newest enrolment, None where there is none."""
    path = _path(home)
    return Enrolment.model_validate_json(path.read_text()) if path.exists() else None


def write(home: Path, enrolment: Enrolment) -> None:
    """Keep the enrolment instead of an older one."""
    write_whole(_path(home), enrolment.model_dump_json(indent=1), 0o600)


def _path(home: Path) -> Path:
    return home / "enrolment.json"
