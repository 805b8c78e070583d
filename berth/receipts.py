"""This will check a rental's receipts on this machine, trusting nobody but the machine's key."""

from dataclasses import dataclass

from pydantic import ValidationError

from berth.problem import Refused
from berth.shapes import Receipts
from protocol.receipts import BrokenChain, check_chain


@dataclass(frozen=True, slots=True)
class Proof:
    """What the receipts prove."""

    machine_key: str
    #: None: there is no interval yet
    placement_id: str | None
    intervals: int
    #: the time that the machine signed for
    proven_ms: int
    #: the time that was billed, never more than proven
    billed_ms: int
    cost_microusd: int


def read(content: bytes) -> Receipts:
    """Return the receipts inside a saved file.

    :raises Refused: ``receipts_malformed`` when it holds none.
    """
    try:
        return Receipts.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        sentence = f"This file holds no receipts ({where}: {first['msg']})."
        raise Refused("receipts_malformed", sentence) from error


def check(receipts: Receipts, *, machine_key: str | None = None) -> Proof:
    """Return what the receipts prove; ``machine_key`` pins the machine that must have signed.

    :raises Refused: ``receipts_broken`` when they are not one signed, gapless chain of that
        machine; ``receipts_overbilled`` when more was billed than the machine signed for.
    """
    if machine_key is not None and receipts.machine_key != machine_key:
        raise Refused("receipts_broken", "The receipts are of another machine.")
    if any(one.interval.machine_key != receipts.machine_key for one in receipts.intervals):
        raise Refused("receipts_broken", "An interval was signed by another machine.")
    try:
        proven_ms = check_chain(receipts.intervals)
    except BrokenChain as error:
        raise Refused("receipts_broken", str(error)) from error
    if receipts.billed_ms > proven_ms:
        sentence = f"{receipts.billed_ms} ms were billed but only {proven_ms} ms are signed for."
        raise Refused("receipts_overbilled", sentence)
    first = receipts.intervals[0].interval if receipts.intervals else None
    return Proof(
        machine_key=receipts.machine_key,
        placement_id=str(first.placement_id) if first else None,
        intervals=len(receipts.intervals),
        proven_ms=proven_ms,
        billed_ms=receipts.billed_ms,
        cost_microusd=receipts.cost_microusd,
    )
