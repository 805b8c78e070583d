"""This will let a host say which hotkey earns for a machine on chain."""

import logging
from uuid import UUID

import bittensor_core

from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine

logger = logging.getLogger(__name__)


class MinerHotkeyMalformed(Refused):
    code = "invalid"
    status = 422
    sentence = "This is not an ss58 hotkey address."


class MachineNotYours(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such machine of yours."


def set_hotkey(*, host_id: int, machine_id: UUID, hotkey: str) -> None:
    """Write the hotkey; empty: the machine earns no weight. No proof is needed to give.

    :raises MinerHotkeyMalformed: when it is no ss58 address.
    :raises MachineNotYours: when the machine is not this host's.
    """
    if hotkey:
        try:
            bittensor_core.decode_ss58(hotkey)
        except ValueError:
            raise MinerHotkeyMalformed from None
    if not Machine.objects.filter(id=machine_id, host_id=host_id).update(miner_hotkey=hotkey):
        raise MachineNotYours
    logger.info("Hotkey set", extra={"machine_id": machine_id, "hotkey": hotkey})
