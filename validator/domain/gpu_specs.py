"""This will say what one GPU is worth, and what it must reach for its name to be believed.

Nobody can prove a name, so worth is a rule on the three figures that a proof measures. Published
figures stand for a known model, measured ones for any other. The rule: a scored model is worth what
NI Compute gives the least of it and of those that surpass it in every figure; any GPU is worth the
most that a scored model which it surpasses is worth. So more of a figure never counts for less, and
no name pays more than a card that proves as much. The tests hold it, and that nameless parts never
pay more than their whole.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from validator.domain.gpu_table import ALIASES, GPU_MODELS, GpuModel, Source

PPM = 1_000_000
GB = 1_000_000_000

#: A machine without any GPU. NI Compute and Datura pay such machines nothing; Berth gives the whole
#: machine, however large, one unit of 0.01 (a 500th of the best card), so that a host without a GPU
#: is on the board and the path can be run anywhere, yet never worth farming. A known GPU is worth
#: no less, so nobody gains by hiding one.
CPU_CLASS_BASE_HUNDREDTHS = 1


@dataclass(frozen=True, slots=True)
class SpecRules:
    """Every constant of this module. Source, where none is named: gpu_verification.md 2.9."""

    #: of the model's memory, that the machine must tell of
    vram_ppm: int = 970_000
    #: of what it tells of, that the proof must fill
    filled_ppm: int = 900_000
    bandwidth_ppm: int = 700_000
    #: of the int8 that the proof's instructions can reach; the lesser for multiplied-out peaks
    int8_ppm: int = 500_000
    int8_uncalibrated_ppm: int = 400_000
    #: Of a measured figure, that counts for the worth of an unknown model. Cards measure more than
    #: is published: 24 GB are 25.8 x 10^9 bytes, and clocks can be raised. So low that no card up
    #: to 1.4 times its row gains by hiding its name, and that no cutting up of one among nameless
    #: ones pays, however its figures are shared out. Our own choice, by that test
    unknown_ppm: int = 700_000


RULES = SpecRules()

#: Share of the int8 peak that the proof's instruction, ``mma.sync``, can reach; else all. Hopper:
#: arXiv 2402.13499; 10.0: a guess, for want of a measurement
_MMA_PPM: Mapping[str, int] = MappingProxyType({"9.0": 620_000, "10.0": 500_000, "10.3": 500_000})

_PREFIXES = ("nvidia ", "tesla ", "geforce ")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a proof measures of one GPU, or what is published of it."""

    vram_bytes: int
    bandwidth_bytes_s: int
    #: dense int8 operations per second
    int8_ops_s: int

    def reaches(self, other: "Figures") -> bool:
        """Say whether no figure is below the other's."""
        return (
            self.vram_bytes >= other.vram_bytes
            and self.bandwidth_bytes_s >= other.bandwidth_bytes_s
            and self.int8_ops_s >= other.int8_ops_s
        )

    def share(self, ppm: int) -> "Figures":
        """Return so many millionths of every figure, rounded down."""
        return Figures(
            vram_bytes=self.vram_bytes * ppm // PPM,
            bandwidth_bytes_s=self.bandwidth_bytes_s * ppm // PPM,
            int8_ops_s=self.int8_ops_s * ppm // PPM,
        )


@dataclass(frozen=True, slots=True)
class Required:
    """What one GPU must reach at least for the proof to pass under its name."""

    #: that the machine tells of
    vram_bytes: int
    #: that the proof filled
    filled_bytes: int
    bandwidth_bytes_s: int
    int8_ops_s: int


def normalised(gpu_model: str) -> str:
    """Return the name in small letters, single spaces and without the maker's prefixes.

    Drivers differ in these. All else counts: a slice of a card is not the card.
    """
    name = " ".join(gpu_model.lower().split())
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


_BY_NAME: Mapping[str, GpuModel] = MappingProxyType(
    {normalised(model.name): model for model in GPU_MODELS}
)


def find(gpu_model: str) -> GpuModel | None:
    """Return the row of the model that NVML calls so; None: the model is unknown."""
    name = normalised(gpu_model)
    return _BY_NAME.get(normalised(ALIASES.get(name, name)))


def published(model: GpuModel) -> Figures | None:
    """Return the row's three figures; None: one of them is not known."""
    if model.int8_gops is None:
        return None
    return Figures(
        vram_bytes=model.vram_gb * GB,
        bandwidth_bytes_s=model.bandwidth_gb_s * GB,
        int8_ops_s=model.int8_gops * GB,
    )


def base_hundredths(
    gpu_model: str, measured: Figures | None = None, rules: SpecRules = RULES
) -> int:
    """Return the base score of one GPU, in hundredths.

    An unknown model, or one with a figure unknown, is worth what its measured figures are, each
    taken at seven tenths: an unknown one nothing while nothing was measured.
    """
    model = find(gpu_model)
    least = 0 if model is None else CPU_CLASS_BASE_HUNDREDTHS
    figures = None if model is None else published(model)
    if figures is None and measured is not None:
        figures = measured.share(rules.unknown_ppm)
    return least if figures is None else max(least, _worth(figures))


def required(gpu_model: str, *, vram_bytes: int, rules: SpecRules = RULES) -> Required:
    """Return what a GPU must reach under this name; ``vram_bytes`` is what the machine tells of.

    An unknown model must have the memory that it tells of, and be no slower than what is asked of
    the slowest known one; so must a known one in a figure that the table lacks. These are start
    values, until honest machines of each model have been measured.
    """
    model = find(gpu_model)
    told = vram_bytes if model is None else model.vram_gb * GB
    needed = told * rules.vram_ppm // PPM
    return Required(
        vram_bytes=needed,
        filled_bytes=max(vram_bytes, needed) * rules.filled_ppm // PPM,
        bandwidth_bytes_s=_bandwidth_min(model, rules),
        int8_ops_s=_int8_min(model, rules),
    )


def reachable_ppm(model: GpuModel) -> int:
    """Return the share of the model's int8 peak that the proof's instruction can reach."""
    return _MMA_PPM.get(model.compute_capability, PPM)


def reference(gpu_model: str) -> Figures | None:
    """Return what a GPU of this name is expected to measure; None: the model is unknown.

    That is what is published, of the int8 as much as the proof's instruction can reach; 0: that
    figure is not known.
    """
    model = find(gpu_model)
    if model is None:
        return None
    return Figures(
        vram_bytes=model.vram_gb * GB,
        bandwidth_bytes_s=model.bandwidth_gb_s * GB,
        int8_ops_s=0
        if model.int8_gops is None
        else model.int8_gops * GB * reachable_ppm(model) // PPM,
    )


def _bandwidth_min(model: GpuModel | None, rules: SpecRules) -> int:
    if model is None:
        return min(_bandwidth_min(known, rules) for known in GPU_MODELS)
    return model.bandwidth_gb_s * GB * rules.bandwidth_ppm // PPM


def _int8_min(model: GpuModel | None, rules: SpecRules) -> int:
    if model is None or model.int8_gops is None:
        return min(_int8_min(known, rules) for known in GPU_MODELS if known.int8_gops is not None)
    reachable = model.int8_gops * GB * reachable_ppm(model) // PPM
    by_chip = model.source is Source.CHIP
    return reachable * (rules.int8_uncalibrated_ppm if by_chip else rules.int8_ppm) // PPM


def _worth(figures: Figures) -> int:
    return max((worth for each, worth in _WORTH if figures.reaches(each)), default=0)


def _scored() -> Iterator[tuple[Figures, int]]:
    for model in GPU_MODELS:
        figures = published(model)
        if figures is not None and model.ni_hundredths is not None:
            yield figures, model.ni_hundredths


#: each scored model with its score, lowered to that of any that surpasses it
_WORTH = tuple(
    (figures, min(score for other, score in _scored() if other.reaches(figures)))
    for figures, _ in _scored()
)
MAX_BASE_HUNDREDTHS = max(worth for _, worth in _WORTH)
