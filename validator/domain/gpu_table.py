"""This will hold what is published about each GPU model: one row a model, and no rule.

Rules that use it are in ``gpu_specs.py``. A figure that no source gives, or on which sources
differ, is None and never guessed. Peaks are dense: half of what makers print "with sparsity".
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

READ_ON = date(2026, 11, 21)


class Source(Enum):
    """Where a row's figures are from. All were read on ``READ_ON``; each code is a column."""

    #: one source for the peaks
    PUBLISHED = "Maker's data sheet or white paper, as gpu_verification.md 2.9 quotes it"
    #: two that agree
    CROSS_READ = "As PUBLISHED, and found the same on a second page"
    #: int8 is multiplied out, hence uncalibrated
    CHIP = "int8: SMs x boost x operations per clock; the rest: RightNow GPU database, 2026-02-07"


@dataclass(frozen=True, slots=True)
class GpuModel:
    """One row. ``None``: not known."""

    #: as NVML tells it; where boards of different memory share one name, the least of them
    name: str
    compute_capability: str
    sms: int | None
    boost_mhz: int | None
    #: as the maker counts, 10^9 bytes; NVML tells no less, even where ECC takes its part
    vram_gb: int
    bus_bits: int | None
    #: Mbit/s of one pin
    pin_rate: int | None
    bandwidth_gb_s: int
    #: dense, 10^9 operations per second
    int8_gops: int | None
    #: dense with sums in fp32, 10^9 operations per second
    fp16_gflops: int | None
    #: NI Compute's ``gpu_scores`` in hundredths. Source: ``config.yaml`` of release 1.9.0, read on
    #: ``READ_ON``; where 1.9.0 has 0, the last value that it had (28 January 2025)
    ni_hundredths: int | None
    source: Source


_P, _X, _C = Source.PUBLISHED.name, Source.CROSS_READ.name, Source.CHIP.name

# L40 and H20 are sold with less int8 than their chips have. Of B300's int8 sources say both 4,500
# TOPS and a small part of it. RTX 2000 Ada is left out: 224 or 256 GB/s, by source. The clock of
# RTX PRO 6000 Server follows from the 120 TFLOPS of its data sheet, which also has the 1,597 GB/s.
_ROWS = f"""
name                                   | cc  | SM|boost| GB| bus|  pin|GB/s|int8 | fp16 | NI|source
Tesla V100-PCIE-16GB                   | 7.0 | 80| 1380| 16|4096| 1752| 900| 56.5|     -|  -|{_C}
Tesla V100-PCIE-32GB                   | 7.0 | 80| 1380| 32|4096| 1752| 900| 56.5|     -|  -|{_C}
Tesla V100-SXM2-32GB                   | 7.0 | 80| 1530| 32|4096| 1754| 900| 62.7|   125|  -|{_C}
Tesla T4                               | 7.5 | 40| 1590| 16| 256|10000| 320|  130|    65|  -|{_P}
NVIDIA GeForce RTX 2080 Ti             | 7.5 | 68| 1545| 11| 352|14000| 616|  215|    57|  -|{_P}
NVIDIA A100-PCIE-40GB                  | 8.0 |108| 1410| 40|5120| 2430|1555|  624|   312|  -|{_P}
NVIDIA A100-SXM4-40GB                  | 8.0 |108| 1410| 40|5120| 2430|1555|  624|   312|130|{_P}
NVIDIA A100 80GB PCIe                  | 8.0 |108| 1410| 80|5120| 3024|1935|  624|   312|170|{_P}
NVIDIA A100-SXM4-80GB                  | 8.0 |108| 1410| 80|5120| 3186|2039|  624|   312|190|{_P}
NVIDIA A800 80GB PCIe                  | 8.0 |108| 1410| 80|5120| 3024|1935|  624|     -|  -|{_C}
NVIDIA A800-SXM4-80GB                  | 8.0 |108| 1410| 80|5120| 3186|2039|  624|     -|  -|{_C}
NVIDIA A30                             | 8.0 | 56| 1440| 24|3072| 2430| 933|  330|   165|  -|{_P}
NVIDIA GeForce RTX 3060                | 8.6 | 28| 1777|  8| 128|15000| 240|  102|  25.6|  -|{_P}
NVIDIA GeForce RTX 3060 Ti             | 8.6 | 38| 1665|  8| 256|14000| 448|129.6|     -|  -|{_C}
NVIDIA GeForce RTX 3070                | 8.6 | 46| 1725|  8| 256|14000| 448|  163|  40.6|  -|{_P}
NVIDIA GeForce RTX 3070 Ti             | 8.6 | 48| 1770|  8| 256|19000| 608|  174|     -|  -|{_C}
NVIDIA GeForce RTX 3080                | 8.6 | 68| 1710| 10| 320|19000| 760|  238|  59.5|  -|{_P}
NVIDIA GeForce RTX 3080 Ti             | 8.6 | 80| 1665| 12| 384|19000| 912|272.8|     -|  -|{_C}
NVIDIA GeForce RTX 3090                | 8.6 | 82| 1695| 24| 384|19500| 936|  284|    71| 22|{_P}
NVIDIA GeForce RTX 3090 Ti             | 8.6 | 84| 1860| 24| 384|21000|1008|  320|    80|  -|{_P}
NVIDIA RTX A2000                       | 8.6 | 26| 1200|  6| 192|12000| 288| 63.9|     -|  -|{_C}
NVIDIA RTX A4000                       | 8.6 | 48| 1560| 16| 256|14000| 448|  153|  76.7|  -|{_P}
NVIDIA RTX A4500                       | 8.6 | 56| 1650| 20| 320|16000| 640|  189|  94.6| 17|{_P}
NVIDIA RTX A5000                       | 8.6 | 64| 1695| 24| 384|16000| 768|  222|   111| 26|{_P}
NVIDIA RTX A6000                       | 8.6 | 84| 1800| 48| 384|16000| 768|  310|   155| 75|{_P}
NVIDIA A2                              | 8.6 | 10| 1770| 16| 128|12500| 200| 36.2|     -|  -|{_C}
NVIDIA A10                             | 8.6 | 72| 1695| 24| 384|12500| 600|  250|   125|  -|{_P}
NVIDIA A16                             | 8.6 | 10| 1755| 16| 128|12500| 200| 35.9|     -|  -|{_C}
NVIDIA A40                             | 8.6 | 84| 1740| 48| 384|14500| 696|  299|   150| 20|{_X}
NVIDIA GeForce RTX 4060                | 8.9 | 24| 2460|  8| 128|17000| 272|120.9|     -|  -|{_C}
NVIDIA GeForce RTX 4060 Ti             | 8.9 | 34| 2535|  8| 128|18000| 288|  177|    44|  -|{_P}
NVIDIA GeForce RTX 4070                | 8.9 | 46| 2475| 12| 192|21000| 504|  233|    58|  -|{_P}
NVIDIA GeForce RTX 4070 SUPER          | 8.9 | 56| 2475| 12| 192|21000| 504|283.9|     -|  -|{_C}
NVIDIA GeForce RTX 4070 Ti             | 8.9 | 60| 2610| 12| 192|21000| 504|320.7|     -|  -|{_C}
NVIDIA GeForce RTX 4070 Ti SUPER       | 8.9 | 66| 2610| 16| 256|21000| 672|  353|    88|  -|{_P}
NVIDIA GeForce RTX 4080                | 8.9 | 76| 2505| 16| 256|22400| 717|  390|  97.5|  -|{_P}
NVIDIA GeForce RTX 4080 SUPER          | 8.9 | 80| 2550| 16| 256|23000| 736|417.8|     -|  -|{_C}
NVIDIA GeForce RTX 4090                | 8.9 |128| 2520| 24| 384|21000|1008|  661|   165| 68|{_X}
NVIDIA GeForce RTX 4090 D              | 8.9 |114| 2520| 24| 384|21000|1008|  588|   147|  -|{_P}
NVIDIA RTX 4000 SFF Ada Generation     | 8.9 | 48| 1560| 20| 160|14000| 280|153.4|     -|  -|{_C}
NVIDIA RTX 4000 Ada Generation         | 8.9 | 48| 2175| 20| 160|18000| 360|  214|   107|  -|{_P}
NVIDIA RTX 4500 Ada Generation         | 8.9 | 60| 2580| 24| 192|18000| 432|  317|     -|  -|{_C}
NVIDIA RTX 5000 Ada Generation         | 8.9 |100| 2550| 32| 256|18000| 576|  522|   261|  -|{_P}
NVIDIA RTX 5880 Ada Generation         | 8.9 |110| 2460| 48| 384|18000| 864|554.2|     -|  -|{_C}
NVIDIA RTX 6000 Ada Generation         | 8.9 |142| 2505| 48| 384|20000| 960|  728|   364| 83|{_P}
NVIDIA L4                              | 8.9 | 58| 2040| 24| 192|12500| 300|  242|   121| 22|{_P}
NVIDIA L40                             | 8.9 |142| 2490| 48| 384|18000| 864|  362|   181|100|{_P}
NVIDIA L40S                            | 8.9 |142| 2520| 48| 384|18000| 864|  733|   362| 90|{_X}
NVIDIA H100 PCIe                       | 9.0 |114| 1620| 80|5120| 3186|2000| 1513|   756|280|{_P}
NVIDIA H100 80GB HBM3                  | 9.0 |132| 1830| 80|5120| 5240|3350| 1979|   989|330|{_X}
NVIDIA H100 NVL                        | 9.0 |132| 1550| 94|6016| 5240|3938| 1671|   835|  -|{_P}
NVIDIA H800                            | 9.0 |132| 1830| 80|5120| 5240|3350| 1979|   989|  -|{_P}
NVIDIA H20                             | 9.0 | 78| 1980| 96|   -|    -|4000|  296|   148|  -|{_P}
NVIDIA H200                            | 9.0 |132| 1830|141|   -|    -|4800| 1979|   989|400|{_X}
NVIDIA H200 NVL                        | 9.0 |132| 1550|141|   -|    -|4800| 1671|   835|  -|{_P}
NVIDIA GH200 480GB                     | 9.0 |132| 1830| 96|   -|    -|4000| 1979|   989|  -|{_P}
NVIDIA B200                            |10.0 |148| 1965|180|   -|    -|8000| 4500|  2250|500|{_X}
NVIDIA B300 SXM6 AC                    |10.3 |148| 2032|288|   -|    -|8000|    -|     -|  -|{_X}
NVIDIA GeForce RTX 5060                |12.0 | 30| 2497|  8| 128|28000| 448|153.4|     -|  -|{_C}
NVIDIA GeForce RTX 5060 Ti             |12.0 | 36| 2572|  8| 128|28000| 448|189.6|     -|  -|{_C}
NVIDIA GeForce RTX 5070                |12.0 | 48| 2512| 12| 192|28000| 672|246.9|     -|  -|{_C}
NVIDIA GeForce RTX 5070 Ti             |12.0 | 70| 2452| 16| 256|28000| 896|  351|    88|  -|{_P}
NVIDIA GeForce RTX 5080                |12.0 | 84| 2617| 16| 256|30000| 960|  450|   113|  -|{_P}
NVIDIA GeForce RTX 5090                |12.0 |170| 2407| 32| 512|28000|1792|  838|   209| 92|{_P}
NVIDIA RTX PRO 4000 Blackwell          |12.0 | 70| 2055| 24| 192|28000| 672|294.6|     -|  -|{_C}
NVIDIA RTX PRO 4500 Blackwell          |12.0 | 82| 2407| 32| 256|28000| 896|404.2|     -|  -|{_C}
NVIDIA RTX PRO 5000 Blackwell          |12.0 |110| 2377| 48| 384|28000|1344|535.5|     -|  -|{_C}
NVIDIA RTX PRO 6000 Blackwell Workstation Edition \
                                       |12.0 |188| 2617| 96| 512|28000|1792| 1007|   504|  -|{_P}
NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition \
                                       |12.0 |188| 2280| 96| 512|28000|1792|877.9|     -|  -|{_C}
NVIDIA RTX PRO 6000 Blackwell Server Edition \
                                       |12.0 |188| 2494| 96| 512|    -|1597|960.2|     -|  -|{_C}
"""


def _row(line: str) -> GpuModel:
    name, capability, *numbers, source = (cell.strip() for cell in line.split("|"))
    sms, boost, vram, bus, pin, bandwidth, int8, fp16, worth = map(_number, numbers)
    return GpuModel(
        name=name,
        compute_capability=capability,
        sms=_whole(sms),
        boost_mhz=_whole(boost),
        vram_gb=int(vram or 0),
        bus_bits=_whole(bus),
        pin_rate=_whole(pin),
        bandwidth_gb_s=int(bandwidth or 0),
        int8_gops=_whole(int8, 1000),
        fp16_gflops=_whole(fp16, 1000),
        ni_hundredths=_whole(worth),
        source=Source[source],
    )


def _number(cell: str) -> Decimal | None:
    return None if cell == "-" else Decimal(cell)


def _whole(number: Decimal | None, factor: int = 1) -> int | None:
    return None if number is None else int(number * factor)


#: every known model
GPU_MODELS = tuple(_row(line) for line in _ROWS.strip().splitlines()[1:])

#: other names that mean one row of the table, without maker's prefix and in small letters
ALIASES = {
    # NI Compute's name for the card on PCI Express
    "h100": "NVIDIA H100 PCIe",
    "b300": "NVIDIA B300 SXM6 AC",
}
