"""This will hold all that the sources of one machine told, as the checks read it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from protocol.facts import Facts
from protocol.hardware import Sharing
from protocol.validator import FindingState, Measurement
from validator.domain.words import listed

#: the sources, as sentences name them
CLAIM, NVML, CUDA = "the agent", "NVML", "CUDA"
KERNEL, BUS, DEVICES, PROOF = "the kernel's driver", "the PCI bus", "/dev", "the proof"


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """One device as CUDA shows it to the prover: a claim, like the rest."""

    index: int
    uuid: str
    name: str
    #: as the kernel writes it: "0000:3b:00.0"
    pci: str
    #: "9.0"
    capability: str
    sms: int
    bus_bits: int
    vram_bytes: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that is known of a machine after one look."""

    facts: Facts
    #: on the validator's clock, when the facts came
    now_ms: int
    #: uuids of cards and parts that renters hold: the prover is not shown these
    gpus_rented: frozenset[str] = frozenset()
    #: None: the prover was not asked, or has no CUDA
    cuda: tuple[CudaDevice, ...] | None = None
    measured: Measurement | None = None

    @property
    def cuda_is_whole(self) -> bool:
        """Whether CUDA was to see every card: nobody rents one, and none is cut into slices."""
        cut = any(gpu.sharing is Sharing.MIG for gpu in self.facts.hardware.gpus)
        return self.cuda is not None and not self.gpus_rented and not cut

    @property
    def cards_claimed(self) -> frozenset[str]:
        """The uuids of the cards that the agent offers, whole or in parts."""
        return frozenset(gpu.card or gpu.uuid for gpu in self.facts.hardware.gpus)

    @property
    def has_gpus(self) -> bool:
        """Whether any source tells of a GPU at all."""
        facts = self.facts
        managed = facts.nvml.cards if facts.nvml else ()
        kernel = facts.driver.cards or facts.driver.devices
        return bool(facts.hardware.gpus or managed or kernel or facts.pci or self.cuda)


#: how the sides go together, in one sentence that names both
Found = tuple[FindingState, str]


def ok(sentence: str) -> Found:
    """Return that everything agrees."""
    return FindingState.OK, sentence


def odd(sentence: str) -> Found:
    """Return that something is worth a look."""
    return FindingState.ODD, sentence


def contradiction(sentence: str) -> Found:
    """Return that two sources cannot both be true."""
    return FindingState.CONTRADICTION, sentence


def unknown(sentence: str = "Too few sources tell anything.") -> Found:
    """Return that nothing can be compared."""
    return FindingState.UNKNOWN, sentence


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table of checks."""

    code: str
    #: what is held against what; completes "Compares ..."
    compares: str
    look: Callable[[Sources], Found]
    #: what a host does when it is not well
    remedy: str
    #: it is left out where no source tells of a GPU
    of_gpus: bool = True


def sides(told: Mapping[str, str]) -> str:
    """Return ``NVML and CUDA show 8; the PCI bus shows 1.``, of what each source told."""
    by_value: dict[str, list[str]] = {}
    for source, value in told.items():
        by_value.setdefault(value, []).append(source)
    parts = [
        f"{listed(sources)} {'shows' if len(sources) == 1 else 'show'} {value}"
        for value, sources in by_value.items()
    ]
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def names(values: Iterable[str], most: int = 4) -> str:
    """Return some names, and how many more there are."""
    found = sorted(values)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return (", ".join(found[:most]) + more) if found else "none"
