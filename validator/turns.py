"""This will keep the machines that are due in the order of their turns.

All machines are gone through once for it, and not again for each look that ends: of 10,000 that
would take longer than the looks.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.validator import Target


@dataclass(slots=True)
class Turns:
    """Machines that were due when they were gone through; those that are not well apart."""

    _well: deque[tuple[int, Target]] = field(default_factory=deque)
    _unwell: deque[tuple[int, Target]] = field(default_factory=deque)

    @classmethod
    def of(cls, due: Iterable[tuple[Target, bool]]) -> "Turns":
        """Return the turns of these machines, in this order, each with whether it is unwell."""
        turns = cls()
        for number, (target, is_unwell) in enumerate(due):
            (turns._unwell if is_unwell else turns._well).append((number, target))
        return turns

    def take(self, *, unwell: bool) -> Target | None:
        """Take out whose turn it is; an unwell one only where ``unwell``. None: nobody is left."""
        found = [each for each in (self._well, self._unwell if unwell else None) if each]
        return min(found, key=lambda each: each[0][0]).popleft()[1] if found else None
