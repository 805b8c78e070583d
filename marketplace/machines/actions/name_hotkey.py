"""This will name the hotkey that earns a machine's emission, once that hotkey agrees."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from marketplace.domain.problem import Refused
from marketplace.machines.models import HotkeyBinding, Machine
from protocol import hotkey as hotkeys
from protocol.hotkey_consent import HotkeyConsent

logger = logging.getLogger(__name__)

#: long enough to carry a text to the computer where the hotkey is and its signature back
FRESH_FOR = timedelta(hours=1)
#: clocks differ so much
AHEAD_MOST = timedelta(minutes=2)


class MachineNotYours(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such machine of yours."


class MinerHotkeyMalformed(Refused):
    code = "hotkey_malformed"
    status = 422
    sentence = "This is not a hotkey's address: give its ss58 address, which begins with 5."


class HotkeyDisagrees(Refused):
    code = "signature_invalid"
    status = 422
    sentence = (
        "The signature does not show that this hotkey agrees to earn for this machine: sign"
        " exactly the text that you were given, with this hotkey."
    )


class ConsentStale(Refused):
    code = "consent_stale"
    status = 422
    sentence = "This text was not made within the last hour: ask for a new one and sign that."


class ConsentUsed(Refused):
    code = "consent_used"
    status = 409
    sentence = "A consent as new as this one was already used: ask for a new text and sign that."


def ask(*, host_id: int, machine_id: UUID, hotkey: str, now: datetime) -> HotkeyConsent:
    """Return what the hotkey (ss58) has to sign.

    :raises MachineNotYours: when the host has no such machine.
    :raises MinerHotkeyMalformed: when it is no hotkey's address.
    """
    signed_at = now.replace(microsecond=0)
    return _consent(_machine(host_id, machine_id), hotkey, signed_at)


def name_hotkey(
    *,
    host_id: int,
    machine_id: UUID,
    hotkey: str,
    signed_at: datetime,
    signature: str,
    now: datetime,
) -> Machine:
    """Return the machine with its miner hotkey (ss58) set; a later consent may change it.

    :raises MachineNotYours: when the host has no such machine.
    :raises MinerHotkeyMalformed: when it is no hotkey's address.
    :raises ConsentStale: when the text was made too long ago, or later than now.
    :raises HotkeyDisagrees: when the signature is not the hotkey's over that very text.
    :raises ConsentUsed: when the same consent, or a newer one, was used for this machine.
    """
    # The text has whole seconds: with a fraction added, a used one would look newer.
    signed_at = signed_at.replace(microsecond=0)
    consent = _consent(_machine(host_id, machine_id), hotkey, signed_at)
    if not now - FRESH_FOR <= signed_at <= now + AHEAD_MOST:
        raise ConsentStale
    # The signature also counts as browsers' wallets make it, around <Bytes>text</Bytes>.
    if not hotkeys.verify(hotkey, consent.text().encode(), signature):
        raise HotkeyDisagrees
    with transaction.atomic():
        # The lock puts two consents in order; an older one never follows a newer.
        machine = Machine.objects.select_for_update().get(id=machine_id)
        if machine.hotkey_bindings.filter(signed_at__gte=signed_at).exists():
            raise ConsentUsed
        HotkeyBinding.objects.create(
            machine=machine,
            host_id=host_id,
            hotkey=hotkey,
            text=consent.text(),
            signature=signature,
            signed_at=signed_at,
            bound_at=now,
        )
        machine.miner_hotkey = hotkey
        machine.save(update_fields=["miner_hotkey"])
    logger.info("Hotkey bound", extra={"machine_id": machine_id, "hotkey": hotkey})
    return machine


def _machine(host_id: int, machine_id: UUID) -> Machine:
    machine = Machine.objects.filter(id=machine_id, host_id=host_id).select_related("host").first()
    if machine is None:
        raise MachineNotYours
    return machine


def _consent(machine: Machine, hotkey: str, signed_at: datetime) -> HotkeyConsent:
    if not hotkeys.is_address(hotkey):
        raise MinerHotkeyMalformed
    return HotkeyConsent(
        marketplace=settings.PUBLIC_URL,
        account=machine.host.email,
        machine_key=machine.machine_key,
        hotkey=hotkey,
        signed_at=signed_at,
    )
