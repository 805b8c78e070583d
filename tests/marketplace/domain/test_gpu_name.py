"""Which card a name means."""

import pytest

from marketplace.domain.gpu_name import contains, is_called


@pytest.mark.parametrize(
    ("name", "asked", "is_it"),
    [
        ("NVIDIA GeForce RTX 4090", "RTX_4090", True),
        ("NVIDIA GeForce RTX 4090", "rtx 4090", True),
        ("NVIDIA GeForce RTX 4090", "4090", False),
        ("NVIDIA GeForce RTX 4090 D", "RTX_4090", False),
        ("NVIDIA GeForce RTX 4090 D", "RTX_4090_D", True),
        ("NVIDIA GeForce RTX 3080 Ti", "RTX_3080", False),
        ("NVIDIA H100 80GB HBM3", "H100", True),
        ("NVIDIA H100 NVL", "H100", True),
        ("NVIDIA H100 NVL", "H100_NVL", True),
        ("NVIDIA H100 80GB HBM3", "H100_NVL", False),
        ("NVIDIA A100-SXM4-80GB", "A100", True),
        ("NVIDIA A100-SXM4-80GB", "A100_80GB", True),
        ("NVIDIA A100-SXM4-40GB", "A100_80GB", False),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "H100", False),
        ("Tesla T4", "T4", True),
        ("", "H100", False),
        ("NVIDIA H100", "_", False),
    ],
)
def test_a_name_means_one_card(name: str, asked: str, is_it: bool) -> None:
    assert is_called(name, asked) is is_it


def test_a_part_of_a_name_is_contained_however_it_is_written() -> None:
    assert contains("NVIDIA GeForce RTX 4090", "rtx_40")
    assert not contains("NVIDIA GeForce RTX 4090", "rtx 50")
