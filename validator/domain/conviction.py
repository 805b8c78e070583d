"""This will say when a machine failed so many demands that it is banned.

Only a wrong answer to a demand is a failure: facts never are, nor is silence. Nor is a proof that
did not finish, also not beside a machine that shows the same hardware: marks can be copied, and a
renter who comes or a line that breaks ends an honest machine's proof. It stays unverified instead.
"""

from dataclasses import dataclass, replace

from protocol.agent import Problem
from protocol.validator import Verdict, VerdictState
from validator.domain.verdict import Look, Outcome

#: Failures nearer to each other count as one, so that a host has time to take a machine with a bad
#: memory off; the second demand within one look is no look of its own.
APART_MS = 10 * 60_000
#: a failure is forgotten after this
REMEMBERED_MS = 7 * 24 * 3_600_000
FAILURES_MAX = 2
#: As long as the marketplace takes: several validators must say it at the same time.
BAN_MS = 24 * 3_600_000
REASON = Problem(
    code="demands_failed",
    message=(
        "The machine failed what was demanded of it in two looks, or beside a machine that shows"
        " the same hardware. Find out why, mend it, and appeal on your host page."
    ),
)


@dataclass(frozen=True, slots=True)
class Failures:
    """The failed demands that count against one machine."""

    at_ms: tuple[int, ...] = ()
    #: a failure that needs no second one
    final: bool = False


NONE = Failures()


def count(failures: Failures, look: Look, *, duplicate: bool, now_ms: int) -> Failures:
    """Return the failures with that of one look, if it failed.

    ``duplicate``: it was proven in one instant with a machine that shows the same hardware.
    """
    wrong = look.outcome is Outcome.PROOF_WRONG
    if wrong and duplicate:
        return replace(failures, final=True)
    if not wrong:
        return failures
    kept = tuple(at_ms for at_ms in failures.at_ms if now_ms - at_ms <= REMEMBERED_MS)
    if kept and now_ms - kept[-1] < APART_MS:
        return replace(failures, at_ms=kept)
    at_ms = (*kept, now_ms)
    return Failures(at_ms=at_ms, final=failures.final or len(at_ms) >= FAILURES_MAX)


def sentence(verdict: Verdict, failures: Failures) -> Verdict:
    """Return the verdict, or a ban in its place: a good look later does not end one."""
    if not failures.final:
        return verdict
    return verdict.model_copy(
        update={
            "state": VerdictState.BANNED,
            "reasons": (REASON, *verdict.reasons[:99]),
            "expires_at_ms": verdict.checked_at_ms + BAN_MS,
        }
    )
