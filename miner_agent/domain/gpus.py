"""This will say what of a machine's cards can be given away, and how a container gets it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from protocol.hardware import Gpu, Sharing
from protocol.message import Message

#: NVIDIA allows 48 clients of one MPS server (CUDA MPS documentation, Limitations, read 2026-11-21)
SLOTS_MOST = 16
#: what separates a card's uuid from the number of its part
PART = "/"


class GpuAccess(StrEnum):
    """Who puts a card into a container."""

    #: NVIDIA's hook, which Docker calls for a request with this driver
    NVIDIA = "nvidia"
    #: Docker itself, from a specification under /etc/cdi or /var/run/cdi
    CDI = "cdi"


class GpuGrant(Message):
    """How a container gets its GPUs; the default is: none."""

    access: GpuAccess = GpuAccess.NVIDIA
    #: what Docker is asked for
    devices: tuple[str, ...] = ()
    #: what a part by MPS needs to reach its service: variables, and host paths to paths inside
    environment: dict[str, str] = Field(default_factory=dict)
    writable: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slice:
    """A MIG slice as the driver shows it."""

    uuid: str
    model: str
    vram_bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the driver shows it; ``slices`` is None where MIG is off."""

    uuid: str
    model: str
    vram_bytes: int
    driver: str
    slices: tuple[Slice, ...] | None = None
    #: only one process may open it: without that, whoever leaves MPS out has the whole card
    exclusive: bool = False


def units(cards: Sequence[Card], *, slots: int) -> tuple[Gpu, ...]:
    """Return what can be given away: MIG slices, else ``slots`` parts by MPS, else whole cards.

    A card that others could open beside MPS is offered whole.
    """
    return tuple(unit for card in cards for unit in _units(card, slots))


def card_of(unit: str) -> str:
    """Return what Docker is asked for to give this unit: a part by MPS needs its card."""
    return unit.partition(PART)[0]


def is_part(unit: str) -> bool:
    """Say whether this unit is a part of a card by MPS."""
    return PART in unit


def devices(gpu_uuids: Sequence[str], *, access: GpuAccess) -> tuple[str, ...]:
    """Return the devices that Docker is asked for, each once."""
    cards = dict.fromkeys(card_of(unit) for unit in gpu_uuids)
    if access is GpuAccess.CDI:
        return tuple(f"nvidia.com/gpu={card}" for card in cards)
    return tuple(cards)


def names_device(specification: str, *, uuid: str) -> bool:
    """Say whether a CDI specification, YAML or JSON, has a device of this name."""
    name = rf"""^[\s\-{{,]*["']?name["']?\s*:\s*["']?{re.escape(uuid)}["']?\s*[,}}]*\s*$"""
    compact = f'"name":"{uuid}"'
    return re.search(name, specification, re.MULTILINE) is not None or compact in specification


def _units(card: Card, slots: int) -> tuple[Gpu, ...]:
    if card.slices is not None:
        return tuple(
            Gpu(
                uuid=one.uuid,
                model=one.model,
                vram_bytes=one.vram_bytes,
                driver=card.driver,
                sharing=Sharing.MIG,
                card=card.uuid,
            )
            for one in card.slices
        )
    if slots < 2 or not card.exclusive:
        return (_whole(card),)
    return tuple(
        Gpu(
            uuid=f"{card.uuid}{PART}{number}",
            model=f"{card.model} 1/{slots} shared",
            vram_bytes=card.vram_bytes // slots,
            driver=card.driver,
            sharing=Sharing.MPS,
            card=card.uuid,
        )
        for number in range(slots)
    )


def _whole(card: Card) -> Gpu:
    return Gpu(uuid=card.uuid, model=card.model, vram_bytes=card.vram_bytes, driver=card.driver)
