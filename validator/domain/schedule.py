"""This will decide whether a machine is looked at now, why, and when it is looked at again.

Proofs come at the moments of a Poisson process: however long ago the last one was, the next is as
likely to come now as at any other time, so nobody can be ready for it. Looks at facts alone lie in
between and keep a good verdict alive. Source: gpu_verification.md 2.8.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from protocol.hardware import Hardware
from protocol.validator import WITHOUT_PROOF, LookKind, Target, Together
from validator.domain.conviction import NONE, Failures
from validator.domain.verdict import UNKNOWN, Look, Outcome, rests_on_proof

#: mean time from one proof of a machine to its next. Source: gpu_verification.md 2.8, "6-12 h"
PROOF_MEAN_MS = 6 * 3_600_000
#: A good machine shows its facts again after a random time between these. Two of them may fail
#: before its verdict ends (VerdictRules.valid_ms).
LIGHT_AGAIN_MS = (5 * 60_000, 15 * 60_000)
#: Any other is looked at again soon, then ever later: its host may be mending it.
BAD_AGAIN_MS_MIN = 2_000
BAD_AGAIN_MS_MAX = 15 * 60_000
#: Cards that failed work again for half a minute each time, and an agent grants one validator 900 s
#: of proofs a day (BERTH_AGENT_PROOF_S_PER_DAY): no host shall have to wait for tomorrow's.
BAD_CARDS_AGAIN_MS_MAX = 60 * 60_000
#: What happens on a machine brings a look at once, but no second one sooner than this: else a
#: machine that says every second that it changed would keep a validator busy.
TRIGGERED_APART_MS = 20_000
#: a machine that answered before may be silent for so long before anything is said of it
SILENT_GRACE_MS = 120_000
#: proofs in a row that may end before they are done until anything is said of it
INTERRUPTED_MAX = 3
#: A machine that fails is proven beside others again and again: how often one that does well works
#: for it in a day. Else whoever copies its marks, and never answers, uses up its time for proofs.
BESIDE_OTHERS_MAX = 4
BESIDE_OTHERS_MS = 24 * 3_600_000
#: as fine as a random time is drawn
_DRAWN = 1 << 53

#: upper bound -> a random number below it
Below = Callable[[int], int]
#: boot, processor, its cores, and uuid, name and driver of every card
Shown = tuple[str, str, int, tuple[tuple[str, str, str], ...]]
#: looks that cost a machine a proof though they measured nothing
_WORKED = frozenset({Outcome.PROOF_WRONG, Outcome.PROOF_UNFINISHED})
_TRIGGERED = frozenset({LookKind.CHANGE, LookKind.DEMANDED, LookKind.RENTAL})


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of one machine; all of it may be lost at any time."""

    #: as it was told for the last look
    target: Target
    #: the next look, if nothing happens before, and what that will be
    look_again_ms: int
    owed: LookKind
    proof_due_ms: int
    #: until then nothing that happens there brings a look
    quiet_until_ms: int
    #: since its last good verdict
    bad_looks: int
    #: whether it ever answered
    answered: bool
    #: since when it has not; None: it answered at the last look
    silent_since_ms: int | None
    #: at the last look that read its facts; None: none did
    shown: Shown | None
    failures: Failures
    #: the newest proof together that it stood; None: none was asked, or none was stood
    together: Together | None
    #: when it worked beside others, within a day
    beside_ms: tuple[int, ...] = ()


def may_work_beside(known: Known | None, now_ms: int) -> bool:
    """Say whether a machine that owes nothing may be proven again for others that do."""
    times = () if known is None else known.beside_ms
    return sum(now_ms - at_ms < BESIDE_OTHERS_MS for at_ms in times) < BESIDE_OTHERS_MAX


def due(known: Known | None, target: Target, now_ms: int) -> LookKind | None:
    """Return why the machine is to be looked at now. None: it is not.

    ``known``: None where this validator never saw it.
    """
    if known is None:
        if target.together is not None:
            return LookKind.TOGETHER
        return LookKind.ONBOARDING if target.proven_at_ms is None else LookKind.PERIODIC
    happened = _happened(known, target, now_ms) if now_ms >= known.quiet_until_ms else None
    if happened is not None:
        return happened
    owed = _owed(known, target, now_ms)
    if now_ms >= known.look_again_ms and owed is not LookKind.LIGHT:
        return owed
    if known.bad_looks == 0 and now_ms >= known.proof_due_ms:
        return LookKind.PERIODIC
    if now_ms < known.look_again_ms:
        return None
    return LookKind.LIGHT if rests_on_proof(target, now_ms) else LookKind.PERIODIC


def remembered(target: Target, now_ms: int, below: Below, proof_mean_ms: int) -> Known | None:
    """Return what a validator that starts anew takes over of a machine. None: nothing.

    What it vouched for before goes on as it was: facts now, and the next proof at a random time
    after the last one. Else each start would owe every machine a proof at once.
    """
    if not target.vouched or target.proven_at_ms is None:
        return None
    return Known(
        target=target,
        look_again_ms=now_ms,
        owed=LookKind.LIGHT,
        proof_due_ms=target.proven_at_ms + exponential_ms(proof_mean_ms, below),
        quiet_until_ms=now_ms,
        bad_looks=0,
        answered=True,
        silent_since_ms=None,
        shown=None,
        failures=NONE,
        together=None,
    )


def meanwhile(known: Known | None, target: Target, now_ms: int) -> LookKind | None:
    """Return what a machine is asked for that waits for a proof together. None: nothing now.

    One that does well stays verified by its facts while the others of its group are not free.
    """
    if known is None or known.bad_looks > 0 or now_ms < known.look_again_ms:
        return None
    return LookKind.LIGHT if rests_on_proof(target, now_ms) else None


def after(
    before: Known | None,
    *,
    target: Target,
    kind: LookKind,
    look: Look,
    good: bool,
    failures: Failures,
    now_ms: int,
    below: Below,
    proof_mean_ms: int = PROOF_MEAN_MS,
) -> Known:
    """Return what is known after a look that was made because of ``kind``.

    ``good``: it came to VERIFIED.
    """
    bad_looks = 0 if good else 1 + (before.bad_looks if before else 0)
    again_ms = now_ms + (_light_ms(below) if good else _bad_ms(target, look, bad_looks))
    silent_since_ms = _silent_since_ms(before, look, now_ms)
    known = Known(
        target=target,
        look_again_ms=again_ms,
        owed=LookKind.LIGHT if good else LookKind.PERIODIC,
        proof_due_ms=before.proof_due_ms if before else again_ms,
        quiet_until_ms=now_ms + TRIGGERED_APART_MS if kind in _TRIGGERED else now_ms,
        bad_looks=bad_looks,
        answered=silent_since_ms is None or (before is not None and before.answered),
        silent_since_ms=silent_since_ms,
        shown=shown(look.hardware) if look.hardware else before.shown if before else None,
        failures=failures,
        together=before.together if before else None,
        beside_ms=_beside_ms(before, kind, look, now_ms),
    )
    if kind in WITHOUT_PROOF:
        return _after_facts(before, known, now_ms)
    proven = good and look.measurement is not None
    if proven:
        wait_ms = exponential_ms(proof_mean_ms, below)
        known = replace(known, proof_due_ms=now_ms + wait_ms)
    elif good:
        # Renters hold all of it: it is tried again as often as its facts are asked for.
        known = replace(known, proof_due_ms=again_ms)
    if kind is not LookKind.TOGETHER:
        return known
    # A card that a renter holds was not proven now.
    if proven and not target.gpus_rented:
        return replace(known, together=target.together)
    return replace(known, owed=LookKind.TOGETHER)


def doubted(known: Known, now_ms: int) -> Known:
    """Return what is known where a renter's own proof failed: a proof is due at once."""
    return replace(known, proof_due_ms=min(known.proof_due_ms, now_ms))


def shown(hardware: Hardware) -> Shown:
    """Return what makes another machine of it for a proof when it changes."""
    cards = sorted((gpu.uuid, gpu.model, gpu.driver) for gpu in hardware.gpus)
    return (hardware.boot_id, hardware.cpu_model, hardware.cpus, tuple(cards))


def failures(before: Known | None, target: Target) -> Failures:
    """Return what counts against it; when an appeal is granted, nothing before that does."""
    if before is None or before.target.fresh_since_ms != target.fresh_since_ms:
        return NONE
    return before.failures


def exponential_ms(mean_ms: int, below: Below) -> int:
    """Return a random time with this mean that is as likely to end now however long it lasted."""
    return round(-mean_ms * math.log((1 + below(_DRAWN)) / _DRAWN))


def is_in_grace(known: Known, now_ms: int) -> bool:
    """Say whether silence is unknown still: a machine that answered before keeps its last verdict.

    That runs to its own expiry. A machine that never answered is told at once, because its host
    waits for the reason.
    """
    if known.silent_since_ms is None or not known.answered:
        return False
    return now_ms - known.silent_since_ms < SILENT_GRACE_MS


def may_not_know_us_yet(known: Known, look: Look) -> bool:
    """Say whether the next look, 2 s on, shall tell: our key reaches a machine by its next sync."""
    return look.outcome is Outcome.LOGIN_REFUSED and known.bad_looks == 1


def may_have_been_interrupted(known: Known, look: Look) -> bool:
    """Say whether the next look, some seconds on, shall tell: proofs that end are no lie yet.

    A renter who comes, a line that breaks or an agent that starts anew ends one. What was never
    proven is told at once, because its host waits for the reason.
    """
    was_proven = known.target.proven_at_ms is not None
    unfinished = look.outcome is Outcome.PROOF_UNFINISHED
    return unfinished and was_proven and known.bad_looks <= INTERRUPTED_MAX


def _owed(known: Known, target: Target, now_ms: int) -> LookKind:
    if known.owed is not LookKind.TOGETHER:
        return known.owed
    if target.together is None and not target.claimed.gpus:
        # Nobody asks any more, and no window takes a machine without GPU.
        return LookKind.PERIODIC
    # It does well, and renters hold what was to be proven: that is no reason to ask all day.
    waits = known.bad_looks == 0 and not may_work_beside(known, now_ms)
    return LookKind.LIGHT if waits else LookKind.TOGETHER


def _happened(known: Known, target: Target, now_ms: int) -> LookKind | None:
    """Compare what the marketplace tells with what it told for the last look: no clocks differ."""
    last = known.target
    asked = target.together not in (None, known.together)
    if asked and known.owed is not LookKind.TOGETHER:
        return LookKind.TOGETHER
    if target.fresh_since_ms != last.fresh_since_ms:
        return LookKind.DEMANDED
    # Another boot, other hardware, another address: what was proven is of another machine.
    if (target.claimed, target.address, target.control_port) != (
        last.claimed,
        last.address,
        last.control_port,
    ):
        return LookKind.CHANGE
    rented = target.rented_at_ms not in (None, last.rented_at_ms) and known.bad_looks == 0
    return LookKind.RENTAL if rented and rests_on_proof(target, now_ms) else None


def _after_facts(before: Known | None, known: Known, now_ms: int) -> Known:
    if before is not None and before.shown is not None and known.shown != before.shown:
        return replace(known, owed=LookKind.CHANGE, look_again_ms=now_ms)
    if before is not None and (before.owed, known.owed) == (LookKind.TOGETHER, LookKind.LIGHT):
        return replace(known, owed=LookKind.TOGETHER)
    # Silence says nothing, so it asks for no proof.
    return replace(known, owed=LookKind.LIGHT) if is_in_grace(known, now_ms) else known


def _silent_since_ms(before: Known | None, look: Look, now_ms: int) -> int | None:
    if look.outcome not in UNKNOWN:
        return None
    if before is None or before.silent_since_ms is None:
        return now_ms
    return before.silent_since_ms


def _beside_ms(before: Known | None, kind: LookKind, look: Look, now_ms: int) -> tuple[int, ...]:
    times = before.beside_ms if before else ()
    kept = tuple(at_ms for at_ms in times if now_ms - at_ms < BESIDE_OTHERS_MS)
    worked = look.measurement is not None or look.outcome in _WORKED
    return (*kept, now_ms) if kind is LookKind.TOGETHER and worked else kept


def _light_ms(below: Below) -> int:
    earliest_ms, latest_ms = LIGHT_AGAIN_MS
    return earliest_ms + below(latest_ms - earliest_ms)


def _bad_ms(target: Target, look: Look, bad_looks: int) -> int:
    worked = look.measurement is not None or look.outcome in _WORKED
    most_ms = BAD_CARDS_AGAIN_MS_MAX if worked and target.claimed.gpus else BAD_AGAIN_MS_MAX
    return min(BAD_AGAIN_MS_MIN << min(bad_looks - 1, 16), most_ms)
