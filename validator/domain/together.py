"""This will pick the machines whose proofs begin in one instant.

Two identities of one machine are found out only while both must work. Machines that show the same
hardware are proven together when the marketplace asks; all of one GPU model at random moments.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from protocol.validator import LookKind, Target
from validator.domain.schedule import Below, Known, due, exponential_ms, may_work_beside

#: How long those that are ready wait for those that are not: 10 s to connect, and the prover's
#: container and the contexts of eight cards take some seconds each.
WAIT_S_MAX = 30.0
#: machines of its model that are proven again with one that was not proven with the others
WITNESSES = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Machines to begin now, together. ``key``: as the marketplace named them; None: a window."""

    machines: tuple[UUID, ...]
    key: UUID | None = None


def asked(
    listed: Sequence[Target],
    free: Sequence[Target],
    known: Mapping[UUID, Known],
    now_ms: int,
) -> tuple[Group, ...]:
    """Return the groups that the marketplace asks for, each once all of its machines are free.

    ``free``: those of the ``listed`` machines that are not looked at now and may be. Who failed
    waits until the others may work beside it again, and is not verified meanwhile.
    """
    members: dict[UUID, list[Target]] = defaultdict(list)
    for target in listed:
        if target.together is not None:
            members[target.together.group].append(target)
    may_be = {target.machine_id for target in free}
    return tuple(
        Group(tuple(target.machine_id for target in targets), key)
        for key, targets in members.items()
        if all(target.machine_id in may_be for target in targets)
        and _is_due(targets, known, now_ms)
    )


def _is_due(targets: Sequence[Target], known: Mapping[UUID, Known], now_ms: int) -> bool:
    owing = [
        due(known.get(target.machine_id), target, now_ms) is LookKind.TOGETHER for target in targets
    ]
    return any(owing) and all(
        owes or may_work_beside(known.get(target.machine_id), now_ms)
        for owes, target in zip(owing, targets, strict=True)
    )


def windows(
    free: Sequence[Target],
    known: Mapping[UUID, Known],
    opens_ms: dict[str, int],
    now_ms: int,
    below: Below,
    mean_ms: int,
) -> tuple[Group, ...]:
    """Return the windows that open now, and draw in ``opens_ms`` when those after them do.

    Only idle machines that are well are in them, and those that were not proven in the last one.
    """
    by_model: dict[str, list[Target]] = defaultdict(list)
    for target in free:
        if target.claimed.gpus and target.together is None:
            by_model[target.claimed.gpus[0].model].append(target)
    for model in opens_ms.keys() - by_model.keys():
        del opens_ms[model]
    found = []
    for model, targets in by_model.items():
        owing = [
            target.machine_id
            for target in targets
            if due(known.get(target.machine_id), target, now_ms) is LookKind.TOGETHER
        ]
        well = [
            target.machine_id
            for target in targets
            if target.machine_id not in owing and _is_well_and_idle(target, known)
        ]
        rested = [each for each in well if may_work_beside(known.get(each), now_ms)]
        if model not in opens_ms or now_ms >= opens_ms[model]:
            opens = model in opens_ms and len(well) > 1
            opens_ms[model] = now_ms + exponential_ms(mean_ms, below)
            if opens:
                found.append(Group((*owing, *well)))
                continue
        if owing:
            found.append(Group((*owing, *sample(rested, WITNESSES, below))))
    return tuple(found)


def sample(machines: Sequence[UUID], most: int, below: Below) -> tuple[UUID, ...]:
    """Return so many of the machines, chosen by chance."""
    left = list(machines)
    return tuple(left.pop(below(len(left))) for _ in range(min(most, len(left))))


def _is_well_and_idle(target: Target, known: Mapping[UUID, Known]) -> bool:
    seen = known.get(target.machine_id)
    return seen is not None and seen.bad_looks == 0 and not target.busy
