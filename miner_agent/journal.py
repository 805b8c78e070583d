"""This will keep what the agent must not forget when it is killed at any instant."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from miner_agent.domain.claims import claims
from miner_agent.domain.placement import Placement
from miner_agent.store import Store
from protocol.agent import ObservedState
from protocol.receipts import SignedInterval


class ClaimTaken(Exception):
    """Another placement holds what was claimed."""


class NoSuchPlacement(Exception):
    """The journal does not know this placement."""


class Journal:
    """SQLite with a write-ahead log: what a method returned from is on disk."""

    def __init__(self, path: Path | str) -> None:
        self._store = Store(path)

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def placements(self) -> dict[UUID, Placement]:
        """Return every placement that is known."""
        rows = self._store.rows("SELECT content FROM placement ORDER BY id")
        placements = [Placement.model_validate_json(content) for (content,) in rows]
        return {placement.placement_id: placement for placement in placements}

    def find(self, placement_id: UUID) -> Placement | None:
        """Return one placement, None where it is not known."""
        question = "SELECT content FROM placement WHERE id = ?"
        for (content,) in self._store.rows(question, (str(placement_id),)):
            return Placement.model_validate_json(content)
        return None

    def get(self, placement_id: UUID) -> Placement:
        """Return one placement.

        :raises NoSuchPlacement: when it is not known.
        """
        placement = self.find(placement_id)
        if placement is None:
            raise NoSuchPlacement(str(placement_id))
        return placement

    def claimed(self, kind: str) -> frozenset[str]:
        """Return every value of this kind that a placement holds."""
        rows = self._store.rows("SELECT value FROM claim WHERE kind = ?", (kind,))
        return frozenset(value for (value,) in rows)

    def insert(self, placement: Placement) -> None:
        """Write down a new placement together with everything it holds.

        :raises ClaimTaken: when some of that belongs to another placement; nothing is written.
        """
        with self._store.transaction():
            self._store.write(
                "INSERT INTO placement VALUES (?, ?)",
                (str(placement.placement_id), placement.model_dump_json()),
            )
            self._hold(placement)

    def change(self, placement_id: UUID, **changes: object) -> Placement:
        """Change some fields of a placement, and with them what it holds, and return it.

        :raises NoSuchPlacement: when it was forgotten meanwhile.
        :raises ClaimTaken: when it would hold what is another placement's; nothing is written.
        """
        with self._store.transaction():
            return self._change(placement_id, changes)

    def close_intervals(
        self, placement_id: UUID, signed: Sequence[SignedInterval], **changes: object
    ) -> Placement:
        """Store new intervals and, in the same transaction, where the chain goes on."""
        with self._store.transaction():
            for one in signed:
                self._store.write(
                    "INSERT INTO interval VALUES (?, ?, ?)",
                    (str(placement_id), one.interval.sequence, one.model_dump_json()),
                )
            return self._change(placement_id, changes)

    def unsent(self, *, most: int) -> tuple[SignedInterval, ...]:
        """Return intervals the marketplace has not confirmed, each placement's in order.

        Those of placements that end come first: their money is settled next.
        """
        rows = self._store.rows(
            "SELECT interval.content FROM interval JOIN placement"
            " ON placement.id = interval.placement"
            " ORDER BY json_extract(placement.content, '$.want') = 'run', placement, sequence"
            " LIMIT ?",
            (most,),
        )
        return tuple(SignedInterval.model_validate_json(content) for (content,) in rows)

    def newest_unsent(self) -> dict[UUID, int]:
        """Return the sequence of each placement's newest unconfirmed interval."""
        rows = self._store.rows("SELECT placement, MAX(sequence) FROM interval GROUP BY placement")
        return {UUID(placement): int(sequence) for placement, sequence in rows}

    def rechain(self, placement_id: UUID, *, refused: str, sequence: int, previous: str) -> bool:
        """Drop the unsent intervals and go on elsewhere if ``refused``, a signature, is of one.

        Return whether it is: told twice, the chain that goes on stays as it is.
        """
        with self._store.transaction():
            found = self._store.rows(
                "SELECT 1 FROM interval"
                " WHERE placement = ? AND json_extract(content, '$.signature') = ?",
                (str(placement_id), refused),
            )
            if not found:
                return False
            self._store.write("DELETE FROM interval WHERE placement = ?", (str(placement_id),))
            self._change(placement_id, {"sequence": sequence, "previous": previous})
            return True

    def confirm(self, placement_id: UUID, *, next_sequence: int) -> None:
        """Drop the intervals that the marketplace has stored."""
        with self._store.transaction():
            self._store.write(
                "DELETE FROM interval WHERE placement = ? AND sequence < ?",
                (str(placement_id), next_sequence),
            )

    def release(self, placement_id: UUID) -> None:
        """Free what the placement held. Called last, when nothing of it is left on the machine."""
        self.change(
            placement_id,
            state=ObservedState.GONE,
            ports={},
            slot=None,
            cores=(),
            current=None,
            coming=None,
            progress="",
        )

    def forget(self, placement_id: UUID) -> None:
        """Remove a placement that is gone and that nobody asks about any more."""
        with self._store.transaction():
            for statement in (
                "DELETE FROM interval WHERE placement = ?",
                "DELETE FROM claim WHERE placement = ?",
                "DELETE FROM placement WHERE id = ?",
            ):
                self._store.write(statement, (str(placement_id),))

    def fact(self, name: str) -> str:
        """Return a remembered text, empty where there is none."""
        rows = self._store.rows("SELECT value FROM fact WHERE name = ?", (name,))
        return rows[0][0] if rows else ""

    def remember(self, **facts: str) -> None:
        """Remember texts by name."""
        with self._store.transaction():
            for fact in facts.items():
                self._store.write(
                    "INSERT INTO fact VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    fact,
                )

    def _hold(self, placement: Placement) -> None:
        """Let the claims be exactly what the placement holds."""
        placement_id = str(placement.placement_id)
        self._store.write("DELETE FROM claim WHERE placement = ?", (placement_id,))
        for kind, value in sorted(claims(placement)):
            try:
                self._store.write("INSERT INTO claim VALUES (?, ?, ?)", (kind, value, placement_id))
            except sqlite3.IntegrityError as error:
                raise ClaimTaken(f"{kind} {value}") from error

    def _change(self, placement_id: UUID, changes: Mapping[str, object]) -> Placement:
        before = self.get(placement_id)
        changed = before.model_copy(update=dict(changes))
        self._store.write(
            "UPDATE placement SET content = ? WHERE id = ?",
            (changed.model_dump_json(), str(placement_id)),
        )
        if claims(changed) != claims(before):
            self._hold(changed)
        return changed
