"""This will remember which images this agent fetched, and which one a placement was made from."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from miner_agent.domain.image import Image
from miner_agent.store import Store


@dataclass(frozen=True, slots=True)
class Pin:
    """What a reference was for a placement when it was first asked for."""

    #: ``repository@sha256:...``, or the id of an image of the host's own
    origin: str
    #: None: not made ready yet
    image: Image | None


class ImageBook:
    """Written before Docker is asked, so that nothing fetched is ever forgotten."""

    def __init__(self, path: Path | str) -> None:
        self._store = Store(path)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def pin_of(self, placement_id: UUID, reference: str) -> Pin | None:
        """Return what this placement's reference means for good, None where nobody has asked."""
        rows = self._store.rows(
            "SELECT origin, image FROM pin WHERE placement = ? AND reference = ?",
            (str(placement_id), reference),
        )
        for origin, image in rows:
            return Pin(origin, Image.model_validate_json(image) if image else None)
        return None

    def pin(
        self, placement_id: UUID, reference: str, *, origin: str, image: Image | None = None
    ) -> None:
        """Let this reference mean the same for as long as the placement has it."""
        content = "" if image is None else image.model_dump_json()
        self._store.write(
            "INSERT INTO pin VALUES (?, ?, ?, ?) ON CONFLICT (placement, reference)"
            " DO UPDATE SET origin = excluded.origin, image = excluded.image",
            (str(placement_id), reference, origin, content),
        )

    def unpin(self, placement_id: UUID, *, reference: str | None = None) -> None:
        """Forget what one reference, or all of them, means for this placement."""
        self._store.write(
            "DELETE FROM pin WHERE placement = ? AND coalesce(?, reference) = reference",
            (str(placement_id), reference),
        )

    def keep(self, placement_id: UUID, reference: str) -> None:
        """Forget what every other reference of this placement means."""
        self._store.write(
            "DELETE FROM pin WHERE placement = ? AND reference != ?",
            (str(placement_id), reference),
        )

    def pinned(self) -> frozenset[str]:
        """Return the origins of every image that a placement was made from or will be."""
        return frozenset(origin for (origin,) in self._store.rows("SELECT origin FROM pin"))

    def used(self, name: str, *, now_ms: int, fetched: bool) -> None:
        """Note a use of an image, or that it is about to be fetched here."""
        if fetched:
            self._store.write("INSERT OR IGNORE INTO fetched VALUES (?, 0)", (name,))
        self._store.write("UPDATE fetched SET used_ms = ? WHERE name = ?", (now_ms, name))

    def fetched(self) -> tuple[str, ...]:
        """Return what this agent fetched, that which was not used for longest first."""
        rows = self._store.rows("SELECT name FROM fetched ORDER BY used_ms, name")
        return tuple(name for (name,) in rows)

    def forget(self, name: str) -> None:
        """Forget an image that is not here any more, or is the host's own now."""
        self._store.write("DELETE FROM fetched WHERE name = ?", (name,))
