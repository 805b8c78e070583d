"""This will define the signed interval: the unit of metering and of receipts."""

import hashlib
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, model_validator

from protocol.message import Counter, Message, Milliseconds, canonical_bytes
from protocol.signing import Digest, MachineKey, Signature, sign, verify

#: an interval is at most this long
INTERVAL_MS_MAX = 600_000
#: the ``previous`` of a placement's first interval
GENESIS = "0" * 64


class Interval(Message):
    """A stretch of one container's running time, as counted by its machine.

    Ages are milliseconds since this run of the container started, on a clock that never steps.
    """

    machine_key: MachineKey
    placement_id: UUID
    #: 0 for the placement's first interval, then +1
    sequence: Counter
    #: sha256 of the previous interval's canonical bytes, GENESIS for the first
    previous: Digest
    #: +1 each time the container starts
    run: Counter
    from_age_ms: Milliseconds
    to_age_ms: Milliseconds
    #: the marketplace's newest nonce when the interval closed
    nonce: Annotated[str, Field(max_length=200)]

    @model_validator(mode="after")
    def _bounded(self) -> "Interval":
        if not 0 < self.to_age_ms - self.from_age_ms <= INTERVAL_MS_MAX:
            raise ValueError(f"An interval lasts 1 to {INTERVAL_MS_MAX} ms.")
        return self


class SignedInterval(Message):
    interval: Interval
    signature: Signature


class BrokenChain(ValueError):
    """The intervals are not one signed, gapless chain of one machine and placement."""


def digest(interval: Interval) -> str:
    """Return the sha256 that the next interval names as ``previous``."""
    return hashlib.sha256(canonical_bytes(interval)).hexdigest()


def sign_interval(private: Ed25519PrivateKey, interval: Interval) -> SignedInterval:
    """Return the interval with its machine's signature."""
    return SignedInterval(interval=interval, signature=sign(private, canonical_bytes(interval)))


def check_next(signed: SignedInterval, *, machine_key: str, previous: Interval | None) -> None:
    """Accept ``signed`` as the one that follows ``previous`` (None: it must be the first).

    :raises BrokenChain: when machine, order, hash, overlap or signature is wrong.
    """
    interval = signed.interval
    if interval.machine_key != machine_key:
        raise BrokenChain("The interval is of another machine.")
    if interval.sequence != (0 if previous is None else previous.sequence + 1):
        raise BrokenChain("The interval is out of order.")
    if interval.previous != (GENESIS if previous is None else digest(previous)):
        raise BrokenChain("The interval does not continue the chain.")
    if previous is not None:
        _check_times(interval, previous)
    if not verify(machine_key, canonical_bytes(interval), signed.signature):
        raise BrokenChain("The interval's signature does not match.")


def check_chain(chain: Iterable[SignedInterval], *, after: Interval | None = None) -> int:
    """Return the milliseconds that a chain proves, from its first interval on or ``after`` one.

    :raises BrokenChain: at the first interval that does not follow.
    """
    previous = after
    total_ms = 0
    for signed in chain:
        machine_key = signed.interval.machine_key if previous is None else previous.machine_key
        check_next(signed, machine_key=machine_key, previous=previous)
        previous = signed.interval
        total_ms += previous.to_age_ms - previous.from_age_ms
    return total_ms


def _check_times(interval: Interval, previous: Interval) -> None:
    if interval.placement_id != previous.placement_id:
        raise BrokenChain("The interval is of another placement.")
    if interval.run < previous.run:
        raise BrokenChain("The interval is of an earlier run.")
    if interval.run == previous.run and interval.from_age_ms < previous.to_age_ms:
        raise BrokenChain("The interval overlaps the one before.")
