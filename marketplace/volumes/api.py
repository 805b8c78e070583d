"""This will serve a renter's volumes over the REST API. A rental makes them: see ``/rentals``."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.volumes import queries
from marketplace.volumes.actions import delete
from marketplace.volumes.models import Volume

router = Router(tags=["volumes"], auth=ApiKeyBearer())


class VolumeReply(Schema):
    id: UUID
    name: str
    size_bytes: int
    machine_id: UUID
    #: making, ready, refused or deleting
    state: str
    #: why the machine could not make it, both empty where it could
    problem_code: str
    problem: str
    #: a rental has it now, so it cannot be deleted
    in_use: bool
    created_at: datetime

    @classmethod
    def of(cls, volume: Volume) -> Self:
        """Return the reply for one volume, loaded with its placement."""
        return cls(
            id=volume.id,
            name=volume.name,
            size_bytes=volume.size_bytes,
            machine_id=volume.machine_id,
            state=volume.state,
            problem_code=volume.problem_code,
            problem=volume.problem,
            in_use=volume.in_use,
            created_at=volume.created_at,
        )


class VolumeList(Schema):
    items: list[VolumeReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: UUID | None


@router.get("/volumes", response=VolumeList)
def index(request: HttpRequest, cursor: UUID | None = None) -> VolumeList:
    """List your volumes, newest first, each with the machine that it is on."""
    page = queries.page(caller(request).pk, after=cursor)
    return VolumeList(
        items=[VolumeReply.of(volume) for volume in page.items], next_cursor=page.next_id
    )


@router.delete("/volumes/{volume_id}", response=VolumeReply)
def delete_volume(request: HttpRequest, volume_id: UUID) -> VolumeReply:
    """Delete a volume and everything in it; it is listed until its machine has removed it."""
    now = timezone.now()
    return VolumeReply.of(delete.delete(volume_id=volume_id, renter_id=caller(request).pk, now=now))
