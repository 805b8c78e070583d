"""This will look at the machine's GPUs and at what hands them to containers."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from miner_agent.domain.findings import Finding, gpus
from miner_agent.domain.gpus import names_device
from miner_agent.facts.cards import Cards
from miner_agent.facts.gpus import read_cards

BOARDS = Path("/sys/bus/pci/devices")
NVIDIA = "0x10de"
#: display controllers, of which computing boards without a screen are some
DISPLAY = ("0x0300", "0x0302")
HOOKS = ("nvidia-container-runtime-hook", "nvidia-ctk")
ENDINGS = (".yaml", ".json")
WANTED = "install nvidia-container-toolkit and restart Docker"


def look(cdi_folders: Sequence[str]) -> tuple[Finding, ...]:
    """Return what the GPUs come to; ``cdi_folders`` is where Docker reads specifications."""
    found = read_cards()
    cards = Cards()
    try:
        off = cards.without_persistence()
    finally:
        cards.close()
    return (
        gpus.driver(boards=_boards(), cards=len(found)),
        gpus.access(
            cards=len(found),
            wants=() if _can_give([card.uuid for card in found], cdi_folders) else (WANTED,),
        ),
        gpus.persistence(off),
    )


def _boards() -> int:
    found = 0
    for board in BOARDS.iterdir() if BOARDS.is_dir() else ():
        vendor, kind = (_text(board / name) for name in ("vendor", "class"))
        found += vendor == NVIDIA and kind.startswith(DISPLAY)
    return found


def _can_give(uuids: Sequence[str], cdi_folders: Sequence[str]) -> bool:
    if any(shutil.which(hook) for hook in HOOKS):
        return True
    texts = [
        _text(path)
        for folder in map(Path, cdi_folders)
        if folder.is_dir()
        for path in folder.iterdir()
        if path.suffix in ENDINGS
    ]
    return all(any(names_device(text, uuid=uuid) for text in texts) for uuid in uuids)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
