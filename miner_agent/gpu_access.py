"""This will find out who puts cards into containers here: Docker by itself, or NVIDIA's hook."""

from collections.abc import Sequence
from pathlib import Path

from miner_agent.domain.gpus import GpuAccess, names_device
from miner_agent.engine import Engine

SPECIFICATION_BYTES_MOST = 4 << 20
ENDINGS = (".yaml", ".json")


class GpuDoor:
    """Asked before each container with GPUs: a host changes drivers while we run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def access(self, cards: Sequence[str]) -> GpuAccess:
        """Return how these cards or slices can be had: Docker's own way where it knows them all."""
        facts = self._engine.facts()
        specifications = [text for folder in facts.cdi_folders for text in _read(Path(folder))]
        if cards and all(
            any(names_device(text, uuid=card) for text in specifications) for card in cards
        ):
            return GpuAccess.CDI
        # Docker looks for the hook when it starts, and tells nobody: a start will say.
        return GpuAccess.NVIDIA


def _read(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix in ENDINGS and path.stat().st_size <= SPECIFICATION_BYTES_MOST:
            found.append(path.read_text(errors="replace"))
    return found
