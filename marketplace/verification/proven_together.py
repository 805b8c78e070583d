"""This will remember which cards of a machine one verdict proved at once: these are not one card.

Each GPU has a note for each other one. It is written on both, and holds while both say the same.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import permutations

from marketplace.machines.models import Gpu
from marketplace.verification.queries import milliseconds
from protocol.validator import TOGETHER_MOST, ProvenTogether, Verdict

#: what is older enters no score
KEPT = timedelta(days=30)
#: Until then a look at fewer cards takes no note's place: a record names few verdicts so. A GPU
#: counts for three days after a proof, so that there is a newer note before the old one ends.
RENEWED = timedelta(days=27)
#: verdict's SHA-256, when it was made in ms, how many cards it proved
_Note = tuple[str, int, int]


def note(verdict: Verdict, sha256: str) -> None:
    """Note a verdict that proves several cards. Call it while the machine is locked."""
    cards = verdict.cards_proven()
    if len(cards) < 2:
        return
    found = Gpu.objects.filter(machine_id=verdict.machine_id, uuid__in=cards)
    gpus = list(found.order_by("id"))
    new = (sha256, verdict.checked_at_ms, len(cards))
    for one, other in permutations(gpus, 2):
        before = one.together.get(other.uuid)
        if before is None or _is_better(new, before):
            one.together[other.uuid] = new
    oldest_ms = verdict.checked_at_ms - _ms(KEPT)
    for one in gpus:
        one.together = {uuid: kept for uuid, kept in one.together.items() if kept[1] >= oldest_ms}
    Gpu.objects.bulk_update(gpus, ["together"])


def proven_together(gpus: Iterable[Gpu], now: datetime) -> tuple[ProvenTogether, ...]:
    """Return the verdicts of the last 30 days that hold one machine's cards apart."""
    notes = {gpu.uuid: gpu.together for gpu in gpus}
    oldest_ms = milliseconds(now - KEPT)
    uuids: dict[tuple[str, int], set[str]] = defaultdict(set)
    for one, other in permutations(sorted(notes), 2):
        kept = notes[one].get(other)
        if kept is not None and kept == notes[other].get(one) and kept[1] >= oldest_ms:
            uuids[kept[0], kept[1]] |= {one, other}
    found = [
        ProvenTogether(verdict_sha256=sha256, checked_at_ms=at_ms, uuids=tuple(sorted(them)))
        for (sha256, at_ms), them in uuids.items()
    ]
    best = sorted(found, key=lambda one: (-len(one.uuids), -one.checked_at_ms, one.verdict_sha256))
    return tuple(best[:TOGETHER_MOST])


def _is_better(new: _Note, before: _Note) -> bool:
    _, at_ms, cards = before
    newer = new[1] >= at_ms
    return new[1] - at_ms > _ms(RENEWED) or (newer and new[2] >= cards) or new[2] > cards


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
