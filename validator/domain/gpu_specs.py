"""This will say what one GPU of each model is worth, relative to the others.

Source: NI Compute (subnet 27), ``config.yaml`` table ``gpu_scores`` of release 1.9.0, read
2026-11-21; where 1.9.0 has 0, the last value it had (28 January 2025). In hundredths, to stay in
integers.
"""

from collections.abc import Mapping
from types import MappingProxyType

#: score in hundredths by the model's name as ``nvidia-smi`` writes it, without the maker's prefix
BASE_HUNDREDTHS: Mapping[str, int] = MappingProxyType(
    {
        "b200": 500,
        "h200": 400,
        "h100 80gb hbm3": 330,
        "h100": 280,
        "h100 pcie": 280,
        "a100-sxm4-80gb": 190,
        "a100 80gb pcie": 170,
        "a100-sxm4-40gb": 130,
        "l40": 100,
        "rtx 5090": 92,
        "l40s": 90,
        "rtx 6000 ada generation": 83,
        "rtx a6000": 75,
        "rtx 4090": 68,
        "rtx a5000": 26,
        "rtx 3090": 22,
        "l4": 22,
        "a40": 20,
        "rtx a4500": 17,
    }
)
MAX_BASE_HUNDREDTHS = max(BASE_HUNDREDTHS.values())

#: A machine without any GPU. NI Compute and Datura pay such machines nothing; Berth gives the whole
#: machine, however large, one unit of 0.01 (a 500th of the best card), so that a host without a GPU
#: is on the board and the path can be run anywhere, yet never worth farming.
CPU_CLASS_BASE_HUNDREDTHS = 1

_PREFIXES = ("nvidia ", "geforce ")


def base_hundredths(gpu_model: str) -> int:
    """Return the base score of one GPU; 0 for a model that is not in the table."""
    name = " ".join(gpu_model.lower().split())
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return BASE_HUNDREDTHS.get(name, 0)
