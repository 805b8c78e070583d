"""This will say which chip, and for some which card, a PCI device id of NVIDIA's stands for.

Source: pci.ids of 2026-08-22, read on 2026-11-21. Ids that several cards share are left out.
"""

from collections.abc import Mapping
from types import MappingProxyType

#: first and last id of a chip's family, and what CUDA calls its compute capability
_CHIPS = (
    (0x1DB0, 0x1DFF, "7.0"),
    (0x1E00, 0x1FFF, "7.5"),
    (0x2080, 0x20FF, "8.0"),
    (0x2200, 0x22BF, "8.6"),
    (0x2300, 0x23FF, "9.0"),
    (0x2400, 0x25FF, "8.6"),
    (0x2680, 0x28FF, "8.9"),
    (0x2900, 0x29FF, "10.0"),
    (0x2B80, 0x2DFF, "12.0"),
    (0x2F00, 0x2FFF, "12.0"),
    (0x3180, 0x31FF, "10.3"),
)

_CARDS = """
1db4 Tesla V100-PCIE-16GB
1db6 Tesla V100-PCIE-32GB
1db5 Tesla V100-SXM2-32GB
1eb8 Tesla T4
1e04 NVIDIA GeForce RTX 2080 Ti
1e07 NVIDIA GeForce RTX 2080 Ti
20b1 NVIDIA A100-PCIE-40GB
20f1 NVIDIA A100-PCIE-40GB
20b0 NVIDIA A100-SXM4-40GB
20b5 NVIDIA A100 80GB PCIe
20b2 NVIDIA A100-SXM4-80GB
20f5 NVIDIA A800 80GB PCIe
20f3 NVIDIA A800-SXM4-80GB
20b7 NVIDIA A30
2203 NVIDIA GeForce RTX 3090 Ti
2204 NVIDIA GeForce RTX 3090
2206 NVIDIA GeForce RTX 3080
2208 NVIDIA GeForce RTX 3080 Ti
2216 NVIDIA GeForce RTX 3080
2230 NVIDIA RTX A6000
2231 NVIDIA RTX A5000
2232 NVIDIA RTX A4500
2235 NVIDIA A40
2236 NVIDIA A10
24b0 NVIDIA RTX A4000
2684 NVIDIA GeForce RTX 4090
2685 NVIDIA GeForce RTX 4090 D
26b1 NVIDIA RTX 6000 Ada Generation
26b2 NVIDIA RTX 5000 Ada Generation
26b3 NVIDIA RTX 5880 Ada Generation
26b5 NVIDIA L40
26b9 NVIDIA L40S
2702 NVIDIA GeForce RTX 4080 SUPER
2704 NVIDIA GeForce RTX 4080
2705 NVIDIA GeForce RTX 4070 Ti SUPER
2782 NVIDIA GeForce RTX 4070 Ti
2783 NVIDIA GeForce RTX 4070 SUPER
2786 NVIDIA GeForce RTX 4070
27b0 NVIDIA RTX 4000 SFF Ada Generation
27b1 NVIDIA RTX 4500 Ada Generation
27b2 NVIDIA RTX 4000 Ada Generation
27b8 NVIDIA L4
2321 NVIDIA H100 NVL
2324 NVIDIA H800
2329 NVIDIA H20
2330 NVIDIA H100 80GB HBM3
2331 NVIDIA H100 PCIe
2335 NVIDIA H200
233b NVIDIA H200 NVL
2901 NVIDIA B200
3182 NVIDIA B300 SXM6 AC
2b85 NVIDIA GeForce RTX 5090
2c02 NVIDIA GeForce RTX 5080
2c05 NVIDIA GeForce RTX 5070 Ti
2f04 NVIDIA GeForce RTX 5070
2bb1 NVIDIA RTX PRO 6000 Blackwell Workstation Edition
2bb4 NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition
2bb5 NVIDIA RTX PRO 6000 Blackwell Server Edition
"""

#: name in ``gpu_table`` by device id in four hexadecimal digits
CARD_BY_ID: Mapping[str, str] = MappingProxyType(
    {line[:4]: line[5:] for line in _CARDS.strip().splitlines()}
)


def capability(device: str) -> str:
    """Return the compute capability of the chip with this device id; empty: not known."""
    number = int(device or "0", 16)
    return next((told for first, last, told in _CHIPS if first <= number <= last), "")
