"""This will name the hotkey that earns a machine's emission, once that hotkey agrees."""

from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from protocol import hotkey as hotkeys


class MachineNotYours(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such machine of yours."


class HotkeyDisagrees(Refused):
    code = "signature_invalid"
    status = 422
    sentence = "The signature does not show that this hotkey agrees to earn for this machine."


def consent_bytes(machine_key: str) -> bytes:
    """Return what a hotkey signs (sr25519) to agree."""
    return f"berth-hotkey/1\n{machine_key}".encode()


def name_hotkey(*, host_id: int, machine_id: UUID, hotkey: str, signature: str) -> Machine:
    """Return the machine with its miner hotkey (ss58) set.

    :raises MachineNotYours: when the host has no such machine.
    :raises HotkeyDisagrees: when the signature is not the hotkey's over ``consent_bytes``.
    """
    machine = Machine.objects.filter(id=machine_id, host_id=host_id).first()
    if machine is None:
        raise MachineNotYours
    if not hotkeys.verify(hotkey, consent_bytes(machine.machine_key), signature):
        raise HotkeyDisagrees
    Machine.objects.filter(id=machine_id).update(miner_hotkey=hotkey)
    machine.miner_hotkey = hotkey
    return machine
