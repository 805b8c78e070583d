"""This will read, with whatever else is asked of machines, what each validator says of them now."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Aggregate, F, JSONField, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.db.models.sql.compiler import SQLCompiler

from marketplace.domain.claims import covers
from marketplace.domain.quorum import Word
from marketplace.verification.models import VerdictRecord
from protocol.agent import Problem
from protocol.hardware import Hardware
from protocol.validator import SignedVerdict, Verdict, VerdictState

#: why a good verdict does not count for what the machine claims now
CLAIM_CHANGED = Problem(
    code="claim_changed",
    message="The machine claims other hardware than was looked at; it is looked at again soon.",
)


#: chooses verdicts that no granted appeal has made void
NOT_VOID = Q(machine__standing__fresh_since=None) | Q(
    checked_at__gt=F("machine__standing__fresh_since")
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one validator says of a machine now, and what that comes to."""

    validator: str
    stake: int
    #: of the signed verdict, by which records of epochs name it
    sha256: str
    verdict: Verdict
    #: of the verdict, or DEGRADED where it vouches for other hardware than is claimed now
    state: VerdictState
    reasons: tuple[Problem, ...]

    @property
    def word(self) -> Word:
        """Return it as the quorum weighs it."""
        return Word(self.state, self.stake, self.verdict.expires_at_ms)


class _JsonList(Aggregate):
    """All values of a group as one JSON list, on both databases."""

    function = "JSONB_AGG"
    output_field = JSONField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        return super().as_sql(compiler, connection, function="JSON_GROUP_ARRAY", **context)


def of_outer_machine(now: datetime) -> Subquery:
    """Return the expression that ``read`` turns into words, for a query over machines.

    Of each admitted validator it takes the newest word alone, unexpired and not made void.
    """
    standing = VerdictRecord.objects.filter(
        NOT_VOID,
        machine=OuterRef("pk"),
        newest=True,
        validator__admitted=True,
        expires_at__gt=now,
    )
    said = JSONObject(
        name=F("validator__name"),
        stake=F("validator__stake"),
        sha256=F("sha256"),
        signed=F("signed"),
    )
    return Subquery(
        standing.order_by().values("machine_id").annotate(all=_JsonList(said)).values("all")
    )


def read(found: object, claimed: object) -> tuple[Spoken, ...]:
    """Return the words that the expression found, those with the most stake first."""
    if not isinstance(found, list):
        return ()
    # SQLite keeps JSON as text, and so hands what is inside of JSON over as a text.
    rows = [json.loads(row) if isinstance(row, str) else row for row in found]
    hardware = Hardware.model_validate(claimed)
    spoken = [_spoken(row, hardware) for row in rows]
    return tuple(sorted(spoken, key=lambda one: (-one.stake, one.verdict.validator_hotkey)))


def _spoken(row: dict[str, Any], claimed: Hardware) -> Spoken:
    signed = row["signed"]
    told = json.loads(signed) if isinstance(signed, str) else signed
    verdict = SignedVerdict.model_validate(told).verdict
    state, reasons, found = verdict.state, verdict.reasons, verdict.hardware
    # A machine that claims other hardware than was looked at waits for the next look.
    if state is VerdictState.VERIFIED and found and not covers(found=found, claimed=claimed):
        state, reasons = VerdictState.DEGRADED, (CLAIM_CHANGED,)
    return Spoken(
        validator=row["name"],
        stake=row["stake"],
        sha256=row["sha256"],
        verdict=verdict,
        state=state,
        reasons=reasons,
    )
