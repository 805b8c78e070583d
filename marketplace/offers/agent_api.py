"""This will take a machine in and put it up for rent at its default prices."""

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from marketplace.machines.actions.authenticate import check_signature
from marketplace.machines.actions.enrol import enrol
from marketplace.offers.actions.list_offer import list_offer
from protocol import paths
from protocol.agent import EnrolReply, EnrolRequest

router = Router(tags=["agent"], auth=None)


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
        list_offer(machine_id=machine.id, now=now)
    return EnrolReply(machine_id=machine.id)
