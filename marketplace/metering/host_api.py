"""This will show hosts their machines over the REST API: verdict, score and earnings."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import AwareDatetime, Field

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.standing import StandingState
from marketplace.json_body import JsonBody
from marketplace.machines.actions import name_hotkey
from marketplace.metering.hosting import HostedMachine, hosted_machines

router = Router(tags=["host"], auth=ApiKeyBearer())


class Reason(Schema):
    code: str
    message: str


class MachineReply(Schema):
    id: UUID
    machine_key: str
    address: str
    miner_hotkey: str
    online: bool
    last_seen_at: datetime
    cpu_model: str
    gpu_model: str
    gpus: int
    cpus: int
    cpus_free: int
    ram_bytes: int
    ram_bytes_free: int
    disk_bytes: int
    disk_bytes_free: int
    #: new: nobody's verdict stands
    verdict: StandingState
    reasons: list[Reason]
    #: null: it is new, or changed this minute
    verdict_since: datetime | None
    verdict_expires_at: datetime | None
    uptime_ppm: int
    #: the share of the last thirty days that was rented and paid for, in millionths
    occupancy_ppm: int
    #: points in millionths of the newest epoch; null: not scored yet
    points_micro: int | None
    factors_ppm: dict[str, int]
    #: of time, kept disks and traffic, after fees and less the host's part of what was given back
    earned_microusd: int


class MachineList(Schema):
    items: list[MachineReply]
    #: null: this is the last page
    next_cursor: UUID | None


class ConsentReply(Schema):
    #: what the hotkey signs, to the letter
    text: str
    signed_at: datetime


class HotkeyRequest(JsonBody):
    #: ss58
    hotkey: Annotated[str, Field(max_length=64)]
    #: as the text that was signed says it
    signed_at: AwareDatetime
    #: sr25519 over the text, or over it within <Bytes>...</Bytes>, hex
    signature: Annotated[str, Field(pattern=r"^(0x)?[0-9a-f]{128}$")]


@router.get("/host/machines", response=MachineList)
def machines(request: HttpRequest, cursor: UUID | None = None) -> MachineList:
    """List your machines, oldest first."""
    found = hosted_machines(caller(request).pk, after=cursor, now=timezone.now())
    items = [_reply(machine) for machine in found.items]
    return MachineList(items=items, next_cursor=found.next_id)


@router.get("/host/machines/{machine_id}/hotkey", response=ConsentReply)
def hotkey_consent(request: HttpRequest, machine_id: UUID, hotkey: str) -> ConsentReply:
    """Say what a hotkey has to sign to earn the machine's emission; good for an hour."""
    consent = name_hotkey.ask(
        host_id=caller(request).pk, machine_id=machine_id, hotkey=hotkey, now=timezone.now()
    )
    return ConsentReply(text=consent.text(), signed_at=consent.signed_at)


@router.post("/host/machines/{machine_id}/hotkey", response={204: None})
def set_hotkey(request: HttpRequest, machine_id: UUID, payload: HotkeyRequest) -> Status[None]:
    """Name the hotkey that earns the machine's emission, with its own signed consent."""
    name_hotkey.name_hotkey(
        host_id=caller(request).pk,
        machine_id=machine_id,
        hotkey=payload.hotkey,
        signed_at=payload.signed_at,
        signature=payload.signature.removeprefix("0x"),
        now=timezone.now(),
    )
    return Status(204, None)


def _reply(hosted: HostedMachine) -> MachineReply:
    machine = hosted.machine
    return MachineReply(
        id=machine.id,
        machine_key=machine.machine_key,
        address=machine.address,
        miner_hotkey=machine.miner_hotkey,
        online=machine.online,
        last_seen_at=machine.last_seen_at,
        cpu_model=machine.cpu_model,
        gpu_model=machine.gpu_model,
        gpus=machine.gpus_total,
        cpus=machine.cpus_total,
        cpus_free=max(0, machine.cpus_free),
        ram_bytes=machine.memory_bytes_total,
        ram_bytes_free=max(0, machine.memory_bytes_free),
        disk_bytes=machine.disk_bytes_total,
        disk_bytes_free=max(0, machine.disk_bytes_free),
        verdict=hosted.verdict,
        reasons=[Reason(code=code, message=message) for code, message in hosted.reasons],
        verdict_since=hosted.verdict_since,
        verdict_expires_at=hosted.verdict_expires_at,
        uptime_ppm=hosted.uptime_ppm,
        occupancy_ppm=hosted.occupancy_ppm,
        points_micro=hosted.points_micro,
        factors_ppm=dict(hosted.factors_ppm),
        earned_microusd=hosted.earned_microusd,
    )
