"""This will make machines with replicas let a gateway in, for as long as it is there."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from marketplace.endpoints import queries
from marketplace.endpoints.models import Gateway
from marketplace.machines.actions import desire
from protocol.signing import machine_key_of, openssh_public_key

logger = logging.getLogger(__name__)
#: machines let in no gateway that said nothing for so long
FORGOTTEN = timedelta(hours=1)


def register(*, public_key: str, now: datetime) -> None:
    """Note that the gateway with this key is there; the first time, tell the machines.

    :raises ValueError: when it is no ed25519 key.
    """
    line = openssh_public_key(machine_key_of(public_key))
    with transaction.atomic():
        # Whoever comes back saw nothing meanwhile, which was no replica's fault.
        away = Gateway.objects.filter(public_key=line, seen_at__lte=now - queries.GATEWAY_SILENT)
        away.update(blind_at=now)
        _, is_new = Gateway.objects.update_or_create(
            public_key=line,
            defaults={"seen_at": now},
            create_defaults={"seen_at": now, "registered_at": now, "blind_at": now},
        )
        if is_new:
            _tell_machines()
            logger.info("Gateway registered", extra={"public_key": line})


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
