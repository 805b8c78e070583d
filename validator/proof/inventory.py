"""This will read what a prover says of its GPUs when it is greeted: claims, until they are used."""

from collections.abc import Mapping

from pydantic import ValidationError

from protocol.hardware import GPUS_MOST, Bytes, Text
from protocol.message import Message
from validator.domain.gpu_proof import Device
from validator.proof.conversation import ProofUnfinished, ProofWrong

#: the one version of the protocol that is spoken now
VERSION = 1


class _Told(Message):
    index: int
    uuid: Text
    name: Text
    pci: Text
    capability: int
    sms: int
    bus_bits: int
    l2_bytes: int
    vram_bytes: Bytes


def devices_of(hello: Mapping[str, object]) -> tuple[Device, ...]:
    """Return the devices that the prover's greeting tells of.

    :raises ProofUnfinished: when it speaks another version.
    :raises ProofWrong: when they are not of the agreed shape.
    """
    if hello.get("version") != VERSION:
        raise ProofUnfinished("The machine's prover speaks another version: update the agent.")
    told = hello.get("gpus", [])
    if not isinstance(told, list) or len(told) > GPUS_MOST:
        raise ProofWrong("The prover's list of GPUs has the wrong shape.")
    try:
        found = [_Told.model_validate(one) for one in told]
    except ValidationError as error:
        raise ProofWrong("The prover tells of a GPU in the wrong shape.") from error
    if [one.index for one in found] != [*range(len(found))]:
        raise ProofWrong("The prover counts its GPUs wrongly.")
    if len({one.uuid for one in found}) != len(found):
        raise ProofWrong("The prover names a GPU twice.")
    return tuple(Device(**one.model_dump()) for one in found)
