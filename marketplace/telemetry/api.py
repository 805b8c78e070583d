"""This will show hosts how their machines do over the REST API."""

from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from marketplace.telemetry import queries
from marketplace.telemetry.schemas import IncidentReply, MachineUsageReply

router = Router(tags=["host"], auth=ApiKeyBearer())


class NotYourMachine(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no such machine."


@router.get("/host/machines/{machine_id}/usage", response=MachineUsageReply)
def machine_usage(request: HttpRequest, machine_id: UUID) -> MachineUsageReply:
    """Show how your machine does now, and what went wrong on it."""
    if not Machine.objects.filter(id=machine_id, host_id=caller(request).pk).exists():
        raise NotYourMachine
    return MachineUsageReply(
        now=queries.machine_usage([machine_id], now=timezone.now()).get(machine_id),
        incidents=[IncidentReply.of(one) for one in queries.incidents_of_machines([machine_id])],
    )
