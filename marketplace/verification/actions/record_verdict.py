"""This will keep what an admitted validator concluded about a machine."""

import logging
from datetime import UTC, datetime, timedelta

from marketplace.domain.problem import Refused
from marketplace.machines.models import Machine
from marketplace.verification.authenticate import ValidatorNotAdmitted
from marketplace.verification.models import Validator, VerdictRecord
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.validator import Measurement, SignedVerdict, Verdict

logger = logging.getLogger(__name__)
AGE_MAX = timedelta(minutes=10)
AHEAD_MAX = timedelta(seconds=60)
LIFETIME_MAX = timedelta(hours=24)


class VerdictUnsigned(Refused):
    code = "signature_invalid"
    status = 401
    sentence = "The verdict is not signed by the hotkey that it names."


class VerdictOutOfTime(Refused):
    code = "clock_skew"
    status = 409
    sentence = "The verdict was made too long ago or in the future, or stands longer than 24 hours."


class VerdictMachineUnknown(Refused):
    code = "machine_unknown"
    status = 404
    sentence = "The verdict is about a machine that is not enrolled here with this key."


def record(*, signed: SignedVerdict, now: datetime) -> VerdictRecord:
    """Return the kept verdict; the same one twice is kept once.

    :raises VerdictUnsigned: when the signature is not the named hotkey's.
    :raises ValidatorNotAdmitted: when the hotkey's word does not count here.
    :raises VerdictOutOfTime: when it is stale, from the future, expired or stands too long.
    :raises VerdictMachineUnknown: when no machine has this id and key.
    """
    verdict = signed.verdict
    if not hotkeys.verify(verdict.validator_hotkey, canonical_bytes(verdict), signed.signature):
        raise VerdictUnsigned
    validator = Validator.objects.filter(hotkey=verdict.validator_hotkey, admitted=True).first()
    if validator is None:
        raise ValidatorNotAdmitted
    checked_at, expires_at = _times(verdict, now)
    if not Machine.objects.filter(id=verdict.machine_id, machine_key=verdict.machine_key).exists():
        raise VerdictMachineUnknown
    kept, is_new = VerdictRecord.objects.get_or_create(
        validator=validator,
        machine_id=verdict.machine_id,
        checked_at=checked_at,
        defaults={
            "state": verdict.state,
            "signed": signed.model_dump(mode="json"),
            "hash_rate_per_cpu": _hash_rate_per_cpu(verdict.measurement),
            "expires_at": expires_at,
            "received_at": now,
        },
    )
    if is_new:
        logger.info(
            "Verdict recorded",
            extra={"machine_id": verdict.machine_id, "verdict": str(verdict.state)},
        )
    return kept


def _times(verdict: Verdict, now: datetime) -> tuple[datetime, datetime]:
    checked_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=verdict.checked_at_ms)
    expires_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=verdict.expires_at_ms)
    if not now - AGE_MAX <= checked_at <= now + AHEAD_MAX:
        raise VerdictOutOfTime
    if not max(now, checked_at) < expires_at <= checked_at + LIFETIME_MAX:
        raise VerdictOutOfTime
    return checked_at, expires_at


def _hash_rate_per_cpu(measured: Measurement | None) -> int | None:
    if measured is None or measured.cpus == 0 or measured.cpu_hash_rate == 0:
        return None
    return measured.cpu_hash_rate // measured.cpus
