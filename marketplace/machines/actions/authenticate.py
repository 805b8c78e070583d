"""This will accept a request only from the machine that signed it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from marketplace.domain.machine import within_clock_skew
from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from protocol.paths import HEADER_MACHINE, HEADER_SENT_AT, HEADER_SIGNATURE
from protocol.signing import request_text, verify


class MachineUnknown(Refused):
    code = "machine_unknown"
    status = 401
    sentence = "This machine is not enrolled here; enrol it with a token."


class SignatureInvalid(Refused):
    code = "signature_invalid"
    status = 401
    sentence = "The request is not signed by the machine's key."


class ClockSkew(Refused):
    code = "clock_skew"
    status = 401
    sentence = "The machine's clock differs from ours by more than 60 seconds; set it."


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a request, and when by their own clock."""

    #: hex
    machine_key: str
    sent_at_ms: int


@dataclass(frozen=True, slots=True)
class Sender:
    """The enrolled machine that signed a request."""

    machine_id: UUID
    signed: Signed


def authenticate(
    *, headers: Mapping[str, str], method: str, path: str, body: bytes, now: datetime
) -> Sender:
    """Return the enrolled machine that signed the request.

    It may have come before: heartbeat.py refuses that.

    :raises SignatureInvalid: when a header is missing or the signature does not match.
    :raises ClockSkew: when the machine's clock is too far from ours.
    :raises MachineUnknown: when the key is of no enrolled machine.
    """
    digest = hashlib.sha256(body).hexdigest()
    return authenticate_digest(headers=headers, method=method, path=path, digest=digest, now=now)


def authenticate_digest(
    *, headers: Mapping[str, str], method: str, path: str, digest: str, now: datetime
) -> Sender:
    """Return the same where only the body's sha256 is known: the caller checks that it is this.

    :raises SignatureInvalid: when a header is missing or the signature does not match.
    :raises ClockSkew: when the machine's clock is too far from ours.
    :raises MachineUnknown: when the key is of no enrolled machine.
    """
    signed = _signed(headers=headers, method=method, path=path, digest=digest, now=now)
    machine_id = Machine.objects.filter(machine_key=signed.machine_key).values_list("id", flat=True)
    found = machine_id.first()
    if found is None:
        raise MachineUnknown
    return Sender(machine_id=found, signed=signed)


def check_signature(
    *, headers: Mapping[str, str], method: str, path: str, body: bytes, now: datetime
) -> Signed:
    """Return the machine key that signed the request, enrolled or not, and when.

    :raises SignatureInvalid: when a header is missing or the signature does not match.
    :raises ClockSkew: when the machine's clock is too far from ours.
    """
    digest = hashlib.sha256(body).hexdigest()
    return _signed(headers=headers, method=method, path=path, digest=digest, now=now)


def _signed(
    *, headers: Mapping[str, str], method: str, path: str, digest: str, now: datetime
) -> Signed:
    told = {name.lower(): value for name, value in headers.items()}
    machine_key = told.get(HEADER_MACHINE.lower(), "")
    signature = told.get(HEADER_SIGNATURE.lower(), "")
    sent_at = told.get(HEADER_SENT_AT.lower(), "")
    # A longer number than this is no time, and int() of a huge text is slow.
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 15):
        raise SignatureInvalid
    sent_at_ms = int(sent_at)
    content = request_text(
        method=method, path=path, sender=machine_key, sent_at_ms=sent_at_ms, digest=digest
    )
    if not verify(machine_key, content, signature):
        raise SignatureInvalid
    if not within_clock_skew(sent_at_ms, now=now):
        raise ClockSkew
    return Signed(machine_key=machine_key, sent_at_ms=sent_at_ms)
