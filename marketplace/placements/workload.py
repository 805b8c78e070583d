"""This will put together what a renter asks to run, or say what is wrong with it."""

from collections.abc import Sequence
from typing import Any, TypedDict
from uuid import UUID

from pydantic import ValidationError

from marketplace.domain.problem import Refused
from protocol.workload import IMAGE_REFERENCE, PlacementKind, Workload

#: what opens a notebook
NOTEBOOK_VARIABLE = "JUPYTER_TOKEN"


class ImageMalformed(Refused):
    """No image can have that name."""

    code = "image_unknown"
    status = 422
    sentence = "This is no image name; write one such as debian:12 or ghcr.io/name/image:tag."


class WorkloadInvalid(Refused):
    """A part of what shall run is out of bounds."""

    code = "workload_invalid"
    status = 422


class Parts(TypedDict, total=False):
    """What may be asked for at the start, and of a rental be changed later."""

    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    #: TCP ports inside that are published beside the SSH door
    ports: tuple[int, ...]
    #: what starts the container, such as "runsc"; empty: what the host has chosen
    runtime: str


def new(kind: PlacementKind, parts: Parts, **fixed: Any) -> Workload:
    """Return a workload; ``fixed`` is what is never changed: resources, volumes, a job's inputs.

    :raises ImageMalformed: when no image can have that name.
    :raises WorkloadInvalid: when a part is out of bounds.
    """
    return _checked({"kind": kind, **parts, **fixed})


def changed(former: Workload, parts: Parts) -> Workload:
    """Return the workload with other parts.

    :raises ImageMalformed: when no image can have that name.
    :raises WorkloadInvalid: when a part is out of bounds.
    """
    return _checked(former.model_dump() | dict(parts))


def with_volumes(workload: Workload, volume_ids: Sequence[UUID], paths: Sequence[str]) -> Workload:
    """Return the workload with each volume at its path.

    :raises WorkloadInvalid: when a path is no place for a volume.
    """
    mounts = [
        {"volume_id": volume_id, "path": path}
        for volume_id, path in zip(volume_ids, paths, strict=True)
    ]
    return _checked(workload.model_dump() | {"volumes": mounts}) if mounts else workload


def _checked(content: dict[str, Any]) -> Workload:
    if not IMAGE_REFERENCE.fullmatch(content["image"]):
        raise ImageMalformed
    try:
        return Workload.model_validate(content)
    except ValidationError as error:
        raise WorkloadInvalid(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """Return what is wrong first, and never what was sent: it may be a password."""
    fault = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    told = fault["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {told}." if where else f"{told}."
