"""This will prepare the log of operators' acts for its page."""

import json
from dataclasses import dataclass

from marketplace.domain.oversight import ACT_LABELS
from marketplace.oversight.models import Act
from marketplace.pages.shown.moment import Moment


@dataclass(frozen=True, slots=True)
class ActLine:
    """One act."""

    at: Moment
    what: str
    by: str
    subject: str
    #: of the person's page; empty: it was about no person
    person_url: str
    reason: str
    #: what changed, as ``roles: [] → ["support"]``
    changes: tuple[str, ...]


def line(act: Act) -> ActLine:
    """Return one act in words."""
    names = sorted({*act.before, *act.after})
    labels = {kind.value: label for kind, label in ACT_LABELS.items()}
    return ActLine(
        at=Moment.of(act.at),
        what=labels.get(act.kind, act.kind),
        by=act.by_name,
        subject=_subject(act),
        person_url=f"/console/people/{act.person_id}/" if act.person_id else "",
        reason=act.reason,
        changes=tuple(_change(name, act) for name in names),
    )


def _subject(act: Act) -> str:
    # It names a person by their number, as it can never change; their address may go.
    if act.person is not None and act.subject == f"person {act.person.pk}":
        return f"{'team' if act.person.is_team else 'person'} {act.person.shown}"
    return act.subject


def _change(name: str, act: Act) -> str:
    if name not in act.before:
        return f"{name}: {_word(act.after[name])}"
    return f"{name}: {_word(act.before[name])} → {_word(act.after.get(name))}"


def _word(value: object) -> str:
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, list):
        return ", ".join(_word(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)
