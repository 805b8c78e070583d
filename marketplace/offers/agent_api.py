"""This will take a machine in and make its offer."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from marketplace.domain.problem import Refused
from marketplace.machines.actions.authenticate import check_signature
from marketplace.machines.actions.enrol import enrol
from marketplace.machines.models import Machine
from marketplace.offers.actions.list_offer import list_offer
from marketplace.verification.models import VerdictRecord
from protocol import paths
from protocol.agent import EnrolReply, EnrolRequest
from protocol.validator import VerdictState

router = Router(tags=["agent"], auth=None)
#: of one host and heard of within a day: each is looked at by every validator
UNPROVEN_MACHINES_MAX, HEARD = 20, timedelta(days=1)


class UnprovenMachinesMany(Refused):
    code = "unproven_machines_many"
    status = 409
    sentence = (
        f"This host has {UNPROVEN_MACHINES_MAX} machines that no validator ever verified; "
        "enrol more once some of them are."
    )


@router.post("/enrol", response=EnrolReply)
def enrol_machine(request: HttpRequest, payload: EnrolRequest) -> EnrolReply:
    """Enrol the machine that signed this with the host's one-time token."""
    now = timezone.now()
    signed = check_signature(
        headers=request.headers,
        method="POST",
        path=paths.AGENT_ENROL,
        body=request.body,
        now=now,
    )
    with transaction.atomic():
        machine = enrol(request=payload, now=now, signed_by=signed.machine_key)
        if machine.enrolled_at == now and _unproven(machine.host_id, now) > UNPROVEN_MACHINES_MAX:
            raise UnprovenMachinesMany
        list_offer(machine_id=machine.id, now=now)
    return EnrolReply(machine_id=machine.id)


def _unproven(host_id: int, now: datetime) -> int:
    verified = VerdictRecord.objects.filter(state=VerdictState.VERIFIED, machine=OuterRef("pk"))
    heard = Machine.objects.filter(host_id=host_id, last_seen_at__gt=now - HEARD)
    return heard.filter(~Exists(verified)).count()
