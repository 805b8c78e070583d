"""Plausible mistakes of an agent, each the function that it would have left."""

import contextlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from miner_agent import agent, steps
from miner_agent.machine import Machine
from protocol.agent import ObservedState


def no_label_scan() -> None:
    """Look only at what the journal knows, not at what carries the machine's label."""
    honest = agent.reconcile

    def by_rows(*, journal: Any, containers: Any, traces: Any) -> Any:
        known = {
            (one.placement_id, part.number)
            for one in journal.values()
            for part in (one.current, one.coming)
            if part is not None
        }
        seen = [one for one in containers if (one.placement_id, one.generation) in known]
        return honest(journal=journal, containers=seen, traces={})

    agent.reconcile = by_rows


def frees_first() -> None:
    """Give away what a placement had, then remove it."""

    def remove(self: Any, placement_id: UUID, placement: Any) -> None:
        if placement is not None and placement.state is not ObservedState.GONE:
            looked_ms = self._clock.boot_ms()
            container = self._find_current(placement)
            self._counting.end_run(placement, container, looked_ms=looked_ms)
            self._journal.release(placement_id)
            self._changed()
        self._runtime.remove(placement_id)
        self._trim()

    steps.Steps._remove = remove


def unlocked() -> None:
    """Let a second agent work with the same state."""

    @contextlib.contextmanager
    def alone(self: Machine) -> Iterator[None]:
        self.settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
        yield

    Machine.alone = alone
