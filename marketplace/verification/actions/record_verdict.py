"""This will keep what admitted validators concluded about machines."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, transaction

from marketplace.domain.problem import Refused
from marketplace.machines.models import Gpu, Machine
from marketplace.verification import evidence, proven_together, queries, relied_on
from marketplace.verification.actions import compare_marks, note
from marketplace.verification.authenticate import ValidatorNotAdmitted
from marketplace.verification.lines import Line
from marketplace.verification.models import Validator, VerdictRecord
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.validator import Measurement, SignedVerdict, Verdict

logger = logging.getLogger(__name__)
AGE_MAX = timedelta(minutes=10)
AHEAD_MAX = timedelta(seconds=60)
LIFETIME_MAX = timedelta(hours=24)
#: when a validator spoke is noted no more often than this
SPOKE_AGAIN = timedelta(hours=1)


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


class VerdictNotKept(Refused):
    code = "not_kept"
    status = 503
    sentence = "The verdict could not be kept. Look at the machine again."


@dataclass(frozen=True, slots=True)
class _Checked:
    """A verdict whose signature and times are right, by a validator whose word counts."""

    signed: SignedVerdict
    validator: Validator
    checked_at: datetime
    expires_at: datetime

    @property
    def verdict(self) -> Verdict:
        return self.signed.verdict

    @property
    def key(self) -> tuple[UUID, UUID]:
        return self.validator.id, self.verdict.machine_id


def record(*, signed: SignedVerdict, now: datetime) -> VerdictRecord:
    """Return the kept verdict; the same one twice is kept once.

    :raises VerdictUnsigned: when the signature is not the named hotkey's.
    :raises ValidatorNotAdmitted: when the hotkey's word does not count here.
    :raises VerdictOutOfTime: when it is stale, from the future, expired or stands too long.
    :raises VerdictMachineUnknown: when no machine has this id and key.
    """
    (kept,) = record_all(signed=(signed,), now=now)
    if isinstance(kept, Refused):
        raise kept
    return kept


def record_all(
    *, signed: Sequence[SignedVerdict], now: datetime
) -> tuple[VerdictRecord | Refused, ...]:
    """Return each verdict as it is kept, or why it is not; one never keeps another out.

    In as many queries as for one, but for what changes how a machine stands.
    """
    hotkeys_named = {each.verdict.validator_hotkey for each in signed}
    admitted = Validator.objects.filter(hotkey__in=hotkeys_named, admitted=True)
    validator_of = {validator.hotkey: validator for validator in admitted}
    ids = {each.verdict.machine_id for each in signed}
    key_of = dict(Machine.objects.filter(id__in=ids).values_list("id", "machine_key"))
    found: list[VerdictRecord | Refused] = [VerdictNotKept() for _ in signed]
    # Of two words about one machine the second is taken in after the first, to know of it.
    turns: dict[int, dict[int, _Checked]] = defaultdict(dict)
    words: Counter[UUID] = Counter()
    for number, each in enumerate(signed):
        try:
            checked = _checked(each, validator_of, key_of, now)
        except Refused as refused:
            found[number] = refused
            continue
        turns[words[checked.verdict.machine_id]][number] = checked
        words[checked.verdict.machine_id] += 1
    for turn in turns.values():
        for number, kept in zip(turn, _keep_all(tuple(turn.values()), now), strict=True):
            found[number] = kept
    return tuple(found)


def _checked(
    signed: SignedVerdict,
    validator_of: Mapping[str, Validator],
    key_of: Mapping[UUID, str],
    now: datetime,
) -> _Checked:
    verdict = signed.verdict
    if not hotkeys.verify(verdict.validator_hotkey, canonical_bytes(verdict), signed.signature):
        raise VerdictUnsigned
    validator = validator_of.get(verdict.validator_hotkey)
    if validator is None:
        raise ValidatorNotAdmitted
    checked_at, expires_at = _times(verdict, now)
    if key_of.get(verdict.machine_id) != verdict.machine_key:
        raise VerdictMachineUnknown
    return _Checked(signed, validator, checked_at, expires_at)


def _keep_all(checked: Sequence[_Checked], now: datetime) -> list[VerdictRecord | Refused]:
    """Keep verdicts of as many machines; where that fails, those that it fails for are refused."""
    try:
        return list(_keep(checked, now))
    except DatabaseError:
        if len(checked) == 1:
            logger.exception("Verdict not kept", extra={"machine_id": checked[0].key[1]})
            return [VerdictNotKept()]
        logger.warning("Verdicts kept one by one", exc_info=True)
    return [kept for one in checked for kept in _keep_all((one,), now)]


def _keep(checked: Sequence[_Checked], now: datetime) -> list[VerdictRecord]:
    machine_ids = [one.verdict.machine_id for one in checked]
    with transaction.atomic():
        # Two words about one machine are taken in one after the other, so that the second knows
        # of the first: together they may be a ban.
        note.lock_all(machine_ids, now)
        kept, new = _write(checked, now)
        trusted = _by_relied_on(new, now)
        _note_gpus(trusted)
        if new:
            anew = [one.verdict.machine_id for one in new]
            note.note(queries.standings(anew, now), now=now)
    if trusted:
        # After it: this may lock other machines too, and nobody locks a second one out of order.
        _compare([one.verdict for one in trusted], now)
    for one in new:
        verdict = one.verdict
        logger.info(
            "Verdict recorded",
            extra={"machine_id": verdict.machine_id, "verdict": str(verdict.state)},
        )
    return kept


def _write(
    checked: Sequence[_Checked], now: datetime
) -> tuple[list[VerdictRecord], list[_Checked]]:
    """Return all as they are kept, and those that were not kept before."""
    # Two queries, each with an index of its own: the past is long.
    theirs = VerdictRecord.objects.filter(
        machine__in=[one.verdict.machine_id for one in checked],
        validator__in={one.validator for one in checked},
    ).order_by("id")
    newest = {
        (record.validator_id, record.machine_id): record
        for record in theirs.filter(newest=True).defer("signed", "measured")
    }
    before = {
        (record.validator_id, record.machine_id, record.checked_at): record
        for record in theirs.filter(checked_at__in={one.checked_at for one in checked})
    }
    new = [one for one in checked if (*one.key, one.checked_at) not in before]
    # What was handed in late says nothing against what was found later.
    overtaken = [
        newest[one.key].id
        for one in new
        if one.key in newest and newest[one.key].checked_at < one.checked_at
    ]
    if overtaken:
        VerdictRecord.objects.filter(id__in=overtaken).update(newest=False)
    written = VerdictRecord.objects.bulk_create(
        [
            _record(one, newest=one.key not in newest or newest[one.key].id in overtaken, now=now)
            for one in new
        ]
    )
    before |= {
        (record.validator_id, record.machine_id, record.checked_at): record for record in written
    }
    return [before[(*one.key, one.checked_at)] for one in checked], new


def _record(one: _Checked, *, newest: bool, now: datetime) -> VerdictRecord:
    line = Line.of(one.verdict.measurement)
    return VerdictRecord(
        validator=one.validator,
        machine_id=one.verdict.machine_id,
        state=one.verdict.state,
        look=one.verdict.look,
        newest=newest,
        signed=one.signed.model_dump(mode="json"),
        sha256=evidence.digest(one.signed),
        measured=evidence.measured(one.signed),
        hash_rate_per_cpu=_hash_rate_per_cpu(one.verdict.measurement),
        network_down_mb_s=line.down_mb_s or None,
        network_up_mb_s=line.up_mb_s or None,
        checked_at=one.checked_at,
        expires_at=one.expires_at,
        received_at=now,
    )


def _compare(verdicts: Sequence[Verdict], now: datetime) -> None:
    """Compare marks; where that fails for one, it is compared at its next look, and others now."""
    try:
        compare_marks.compare(verdicts=verdicts, now=now)
    except DatabaseError:
        if len(verdicts) == 1:
            logger.exception("Marks not compared", extra={"machine_id": verdicts[0].machine_id})
            return
        logger.warning("Marks compared one by one", exc_info=True)
        for one in verdicts:
            _compare((one,), now)


def _by_relied_on(new: Sequence[_Checked], now: datetime) -> list[_Checked]:
    named = {one.validator.id for one in new}
    long_silent = {
        one.validator.id
        for one in new
        if one.validator.spoke_at is None or now - one.validator.spoke_at > SPOKE_AGAIN
    }
    if long_silent:
        Validator.objects.filter(id__in=long_silent).update(spoke_at=now)
    found = set(relied_on.validators(now).filter(id__in=named).values_list("id", flat=True))
    return [one for one in new if one.validator.id in found]


def _note_gpus(new: Sequence[_Checked]) -> None:
    """Remember of each GPU that was proven when it was, by which verdict, and with which others."""
    for one in new:
        proven = one.verdict.gpus_proven()
        if proven:
            of_it = Gpu.objects.filter(machine_id=one.verdict.machine_id, uuid__in=proven)
            sha256 = evidence.digest(one.signed)
            of_it.exclude(proven_at__gt=one.checked_at).update(
                proven_at=one.checked_at, proven_by=sha256
            )
            proven_together.note(one.verdict, sha256)


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
