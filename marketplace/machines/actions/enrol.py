"""This will make a machine its host's, by a one-time token."""

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from marketplace.accounts.models import User
from marketplace.domain.features import Feature
from marketplace.domain.problem import Refused
from marketplace.machines.actions import describe
from marketplace.machines.actions.issue_token import digest
from marketplace.machines.models import EnrolmentToken, Machine
from marketplace.oversight import switches
from protocol.address import is_private
from protocol.agent import EnrolRequest

logger = logging.getLogger(__name__)


class EnrolmentTokenUnknown(Refused):
    code = "enrolment_token_unknown"
    status = 403
    sentence = "This enrolment token is not known here, or it was already used; make a new one."


class EnrolmentTokenExpired(Refused):
    code = "enrolment_token_expired"
    status = 403
    sentence = "This enrolment token has expired; make a new one on the host page."


class AddressPrivate(Refused):
    """The internet does not reach this address."""

    code = "address_private"
    status = 422

    def __init__(self, address: str) -> None:
        super().__init__(
            f"Renters cannot reach {address} over the internet;"
            " name this machine's public address: --address ADDRESS."
        )


class MachineOfAnother(Refused):
    code = "machine_of_another"
    status = 403
    sentence = "This machine is enrolled by another host, who must give it up first."


class HostBanned(Refused):
    code = "host_banned"
    status = 403
    sentence = "The account of this machine's host is banned; its host can write to the operator."


class KeyMismatch(Refused):
    code = "signature_invalid"
    status = 401
    sentence = "The request is signed by another key than the machine's own."


def enrol(*, request: EnrolRequest, now: datetime, signed_by: str | None = None) -> Machine:
    """Return the machine, new or updated; the same key may use its token again.

    The request's signature is checked before (``authenticate.check_signature``); give the key that
    it returned as ``signed_by``.

    :raises AddressPrivate: when renters of this site could not reach it.
    :raises KeyMismatch: when ``signed_by`` is not the machine's own key.
    :raises EnrolmentTokenUnknown: when there is no such token or another machine used it.
    :raises EnrolmentTokenExpired: when it is too old.
    :raises MachineOfAnother: when another host enrolled this key.
    :raises FeatureOff: when it is new, and no new machine can be enrolled for now.
    :raises HostBanned: when it is new, and its host is shut out.
    """
    if signed_by is not None and signed_by != request.machine_key:
        raise KeyMismatch
    if not settings.PRIVATE_MACHINES and is_private(request.address):
        raise AddressPrivate(request.address)
    with transaction.atomic():
        host_id = _use_token(request, now)
        machine = _write(request, host_id, now)
    logger.info("Machine enrolled", extra={"machine_id": machine.id, "host_id": host_id})
    return machine


def _use_token(request: EnrolRequest, now: datetime) -> int:
    tokens = EnrolmentToken.objects.filter(token_sha256=digest(request.token))
    # The guarded UPDATE decides between two machines that hold the same token.
    used = tokens.filter(
        Q(used_at__isnull=True) | Q(used_by_key=request.machine_key), expires_at__gt=now
    ).update(used_at=now, used_by_key=request.machine_key)
    token = tokens.first()
    if token is None:
        raise EnrolmentTokenUnknown
    if token.expires_at <= now:
        raise EnrolmentTokenExpired
    if not used:
        raise EnrolmentTokenUnknown
    return token.host_id


def _write(request: EnrolRequest, host_id: int, now: datetime) -> Machine:
    hardware = request.hardware
    columns: dict[str, Any] = {
        "address": request.address,
        "control_port": request.control_port,
        "port_first": request.port_first,
        "port_last": request.port_last,
        "ports_total": max(0, request.port_last - request.port_first + 1),
        "agent_version": request.agent_version,
        "last_seen_at": now,
    }
    machine, is_new = Machine.objects.get_or_create(
        machine_key=request.machine_key,
        defaults=columns
        | describe.named(hardware)
        | {
            "host_id": host_id,
            "cpus_total": hardware.cpus,
            "cpus_free": hardware.cpus,
            "memory_bytes_total": hardware.memory_bytes,
            "memory_bytes_free": hardware.memory_bytes,
            "disk_bytes_total": hardware.disk_bytes,
            "disk_bytes_free": hardware.disk_bytes,
            "gpus_total": len(hardware.gpus),
            "gpus_free": len(hardware.gpus),
            "enrolled_at": now,
            "uptime_counted_at": now,
        },
    )
    if machine.host_id != host_id:
        raise MachineOfAnother
    if is_new:
        _check_host(host_id)
        describe.write_gpus(machine_id=machine.id, hardware=hardware)
        return machine
    Machine.objects.filter(id=machine.id).update(**columns)
    describe.describe(machine_id=machine.id, hardware=hardware)
    machine.refresh_from_db()
    return machine


def _check_host(host_id: int) -> None:
    """Let only new machines wait: what runs on another belongs to renters."""
    switches.check(Feature.ENROLMENTS)
    if not User.objects.filter(pk=host_id, is_active=True).exists():
        raise HostBanned
