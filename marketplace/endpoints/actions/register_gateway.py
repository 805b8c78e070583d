"""This will make machines with replicas let a gateway in, for as long as it is there."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from marketplace.endpoints import queries
from marketplace.endpoints.models import Gateway
from marketplace.machines.actions import desire
from protocol.signing import machine_key_of, openssh_public_key

logger = logging.getLogger(__name__)
#: machines let in no gateway that said nothing for so long
FORGOTTEN = timedelta(hours=1)
#: a process that said nothing for so long has its key no more: it was killed
HELD = timedelta(seconds=15)


class KeyInUse(Exception):
    """Another process has this key now; the sentence says what to do."""


def register(*, public_key: str, process: UUID, now: datetime) -> None:
    """Note that the gateway with this key is there; the first time, tell the machines.

    :raises KeyInUse: when another process has it.
    :raises ValueError: when it is no ed25519 key.
    """
    line = openssh_public_key(machine_key_of(public_key))
    with transaction.atomic():
        gateway, is_new = Gateway.objects.select_for_update().get_or_create(
            public_key=line, defaults={"seen_at": now, "registered_at": now, "blind_at": now}
        )
        if gateway.process not in (None, process) and gateway.seen_at > now - HELD:
            raise KeyInUse(
                "Another gateway runs with this key; give each a BERTH_GATEWAY_KEY of its own."
            )
        if gateway.seen_at <= now - queries.GATEWAY_SILENT:
            # Whoever comes back saw nothing meanwhile, which was no replica's fault.
            gateway.blind_at = now
        gateway.seen_at, gateway.process = now, process
        gateway.save(update_fields=["seen_at", "process", "blind_at"])
        if is_new:
            _tell_machines()
            logger.info("Gateway registered", extra={"public_key": line})


def leave(*, process: UUID) -> None:
    """Note that the process ends, so that another one may have its key at once."""
    Gateway.objects.filter(process=process).update(process=None)


def forget_gateways(*, now: datetime) -> int:
    """Return how many gateways are let in no more because they were silent for long."""
    with transaction.atomic():
        count, _ = Gateway.objects.filter(seen_at__lt=now - FORGOTTEN).delete()
        if count:
            _tell_machines()
    return count


def _tell_machines() -> None:
    for machine_id in queries.machines_with_replicas():
        desire.bump(machine_id=machine_id)
