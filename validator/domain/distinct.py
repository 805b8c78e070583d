"""This will count cards that are surely not one card under several names."""

from collections.abc import Collection, Iterable

from protocol.validator import ProvenTogether


def distinct(uuids: Collection[str], proven: Iterable[ProvenTogether]) -> int:
    """Return how many of the cards were proven at once with each other, pair by pair.

    One such set is sought from each card, those with the most others first: it may not be the
    largest of all, and each card in it is another one.
    """
    others: dict[str, set[str]] = {uuid: set() for uuid in uuids}
    for together in proven:
        known = others.keys() & set(together.uuids)
        for uuid in known:
            others[uuid] |= known - {uuid}
    ordered = sorted(others, key=lambda uuid: (-len(others[uuid]), uuid))
    return max((_from(first, ordered, others) for first in ordered), default=0)


def _from(first: str, ordered: Iterable[str], others: dict[str, set[str]]) -> int:
    count, left = 1, set(others[first])
    for uuid in ordered:
        if uuid in left:
            count += 1
            left &= others[uuid]
    return count
