"""This will have machines proven together that show what only one machine can have."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from marketplace.verification.actions import hold_ban, note
from marketplace.verification.actions.hold_ban import Marks
from marketplace.verification.models import MachineMark, MachineStanding
from marketplace.verification.queries import TOGETHER_ASKED
from protocol.validator import Verdict

logger = logging.getLogger(__name__)

#: What was seen longer ago on another machine may have been moved since.
SEEN_WITHIN = timedelta(days=1)
#: A host that shows what others have, again and again, cannot keep them busy with proofs: an agent
#: grants one validator 450 s of them a day.
ASKED_APART = timedelta(hours=6)
#: of machines that are proven together
MACHINES_MAX = 20
#: kind of mark -> what people call it
NAMES = {
    "gpu": "GPU",
    "machine_id": "operating system's id",
    "board": "board",
    "address": "address and port",
}


def compare(*, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Keep what ``verdicts``, each of another machine, saw; ask for proofs together because of it.

    A mark alone says nothing against anybody, as marks can be copied: whoever has the hardware
    stands the proof, and who only shows it does not.
    """
    machine_ids = [verdict.machine_id for verdict in verdicts]
    rows = Machine.objects.filter(id__in=machine_ids).order_by("id")
    place_of = {
        machine_id: f"{address}:{port}"
        for machine_id, address, port in rows.values_list("id", "address", "control_port")
    }
    marks_of = {
        verdict.machine_id: _marks(verdict, place_of.get(verdict.machine_id, ""))
        for verdict in verdicts
    }
    _keep(marks_of, now)
    hold_ban.hold(marks_of, now=now)
    # Nearly always nothing: then nobody has to be asked about.
    several = _of_several(marks_of, now)
    for machine_id, marks in marks_of.items():
        if marks & several:
            _compare_one(machine_id, marks & several, now)


def _compare_one(machine_id: UUID, marks: Marks, now: datetime) -> None:
    shared = _shared(frozenset({machine_id}), marks, now)
    if not shared:
        return
    alike = frozenset(other for other, _ in shared) | {machine_id}
    kinds = sorted({NAMES[kind] for _, kind in shared})
    # With what the others show themselves: whoever has one of them asked for beside a third keeps
    # it from being asked for beside its double for a while.
    others = _shared(alike, _seen(alike, now), now)
    alike |= {other for other, _ in others}
    _ask(sorted(_first(alike, machine_id)), " and ".join(kinds), now)


def _first(machines: Collection[UUID], seen: UUID) -> frozenset[UUID]:
    """Return those to ask where they are too many: the one just seen, and such as may be rented.

    Else a host would enrol names that show its marks and prove nothing, until no room is left.
    """
    noted = MachineStanding.objects.filter(
        machine_id__in=machines, state=StandingState.VERIFIED
    ).values_list("machine_id", flat=True)
    verified = set(noted)
    ordered = sorted(machines, key=lambda one: (one != seen, one not in verified, one))
    return frozenset(ordered[:MACHINES_MAX])


def _marks(verdict: Verdict, place: str) -> Marks:
    # A part of a card is marked by the card.
    gpus = verdict.hardware.gpus if verdict.hardware else ()
    found = {("gpu", gpu.card or gpu.uuid) for gpu in gpus}
    if verdict.marks is not None:
        found |= {("machine_id", verdict.marks.machine_id), ("board", verdict.marks.board)}
    if verdict.hardware is not None:
        found |= {("address", place)}
    return frozenset((kind, value) for kind, value in found if value)


@transaction.atomic
def _keep(marks_of: Mapping[UUID, Marks], now: datetime) -> None:
    old = MachineMark.objects.filter(machine_id__in=marks_of, seen_at__lt=now - SEEN_WITHIN)
    # Of a banned machine all is kept, for the next key of its host.
    old.filter(machine__standing__banned_at=None).delete()
    MachineMark.objects.bulk_create(
        [
            MachineMark(machine_id=machine_id, kind=kind, value=value, seen_at=now)
            # In one order, so that two who keep the same wait for each other and no more.
            for machine_id in sorted(marks_of)
            for kind, value in sorted(marks_of[machine_id])
        ],
        update_conflicts=True,
        unique_fields=["kind", "value", "machine"],
        update_fields=["seen_at"],
    )


def _seen(machines: Collection[UUID], now: datetime) -> Marks:
    marks = MachineMark.objects.filter(machine_id__in=machines, seen_at__gt=now - SEEN_WITHIN)
    return frozenset(marks.values_list("kind", "value"))


def _of_several(marks_of: Mapping[UUID, Marks], now: datetime) -> Marks:
    """Return those marks that more than one machine shows."""
    alike = _alike(frozenset().union(*marks_of.values()), now)
    counted = alike.values("kind", "value").annotate(machines=Count("id")).filter(machines__gt=1)
    return frozenset(counted.order_by("kind", "value").values_list("kind", "value"))


def _alike(marks: Marks, now: datetime) -> QuerySet[MachineMark]:
    return MachineMark.objects.filter(
        kind__in={kind for kind, _ in marks},
        value__in={value for _, value in marks},
        seen_at__gt=now - SEEN_WITHIN,
    )


def _shared(machines: Collection[UUID], marks: Marks, now: datetime) -> list[tuple[UUID, str]]:
    alike = _alike(marks, now).exclude(machine_id__in=machines)
    rows = alike.order_by("-seen_at", "id").values_list("machine_id", "kind", "value")
    return [(other, kind) for other, kind, value in rows[:500] if (kind, value) in marks]


@transaction.atomic
def _ask(machine_ids: Collection[UUID], what: str, now: datetime) -> UUID | None:
    # In the order of their ids, as whoever locks several does.
    noted = [note.lock(machine_id, now) for machine_id in machine_ids]
    asked = [one for one in noted if _is_asked(one, now)]
    groups = {one.together for one in asked}
    if len(asked) == len(noted) and len(groups) == 1:
        return None
    lately = [one for one in asked if one.together_since and now - one.together_since < ASKED_APART]
    if lately:
        return None
    group = uuid4()
    members = Q(machine_id__in=machine_ids) | Q(
        together__in=groups, together_since__gt=now - TOGETHER_ASKED
    )
    MachineStanding.objects.filter(members).update(together=group, together_since=now)
    for one in noted:
        text = f"It shows the same {what} as another machine, so both are proven in one instant."
        note.tell(one.machine_id, StandingState(one.state), text, now=now)
    logger.warning("Proof together asked", extra={"machines": len(noted), "group": group})
    return group


def _is_asked(noted: MachineStanding, now: datetime) -> bool:
    since = noted.together_since
    return since is not None and now - since <= TOGETHER_ASKED
