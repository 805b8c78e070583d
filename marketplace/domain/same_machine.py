"""This will say whether marks are of one machine, where both are in one host's hands."""

from collections.abc import Collection

#: kind and value
Mark = tuple[str, str]


def is_same(shown: Collection[Mark], before: Collection[Mark]) -> bool:
    """Say whether a machine that shows ``shown`` is the one that showed ``before``.

    With cards: one card and the board or the system's id are the same, as a card may be moved to
    another board. Without: the board is, as whole fleets are installed from one image, id and all.
    """
    shared = {kind for kind, _ in {*shown} & {*before}}
    if any(kind == "gpu" for kind, _ in shown):
        return "gpu" in shared and not shared.isdisjoint({"board", "machine_id"})
    return "board" in shared
