"""This will prepare how passes, queues and the ledger do."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from marketplace.console.health import Health, PassHealth
from marketplace.console.waiting import Backlog
from marketplace.ledger.models import AuditRun
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment

WORDS: Mapping[Health, tuple[str, str]] = {
    Health.LATE: ("Late", "bad"),
    Health.FAILING: ("Failing", "bad"),
    Health.SLOW: ("Slow", "warn"),
    Health.NOT_YET: ("Not yet", "idle"),
    Health.WELL: ("On time", "good"),
}
RED = frozenset({Health.LATE, Health.FAILING})
#: more waits in a queue than one pass of each kind: nobody serves it, or not fast enough
WAITING_MAX = 100
PROBLEMS_SHOWN = 20


def passes(found: Sequence[PassHealth], now: datetime) -> list[dict[str, object]]:
    """Return each pass, the worst first."""
    return [_pass(one, now) for one in found]


def red(found: Sequence[PassHealth]) -> str:
    """Return how many passes are late or failing; empty: none is."""
    number = sum(one.health in RED for one in found)
    return wording.count(number, "pass", "passes") if number else ""


def queues(lengths: Mapping[str, int]) -> list[dict[str, object]]:
    """Return what waits in each queue."""
    return [
        {"name": name, "waiting": f"{number:,}", "tone": "bad" if number > WAITING_MAX else "good"}
        for name, number in sorted(lengths.items())
    ]


def backlogs(found: Sequence[Backlog], now: datetime) -> list[dict[str, str]]:
    """Return what is due and not done."""
    return [
        {
            "name": one.name,
            "rows": f"{one.rows:,}",
            "since": wording.ago(one.due_at, now) if one.due_at else "",
        }
        for one in found
    ]


def audit(run: AuditRun | None) -> dict[str, object] | None:
    """Return what the newest look at the whole ledger found; None: there was none."""
    if run is None:
        return None
    return {
        "at": Moment.of(run.at),
        "problems": len(run.problems),
        "is_well": not run.problems,
        "sentences": run.problems[:PROBLEMS_SHOWN],
        "accounts": f"{run.accounts:,}",
        "transfers": f"{run.transfers:,}",
        "cleared": Moment.of(run.cleared_at),
    }


def _pass(one: PassHealth, now: datetime) -> dict[str, object]:
    label, tone = WORDS[one.health]
    late = one.health is Health.LATE and one.ended_at is not None
    return {
        "name": one.entry.name,
        "well": one.health is Health.WELL,
        "lane": one.entry.lane,
        "every": wording.seconds(int(one.entry.every_s * 1000)),
        "ended": wording.ago(one.ended_at, now),
        # As much as a run is noted late says nothing.
        "behind": wording.seconds(int(one.behind.total_seconds() * 1000)) if late else "–",
        "took": "–" if one.took_ms is None else wording.seconds(one.took_ms),
        "label": label,
        "tone": tone,
    }
