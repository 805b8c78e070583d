"""What Docker is asked for so that a placement gets its GPUs and no others."""

import pytest

from miner_agent.domain.gpus import GpuAccess, devices, names_device

YAML = """\
cdiVersion: 0.5.0
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: GPU-8f9d
- name: 'MIG-17'
kind: nvidia.com/gpu
"""


@pytest.mark.parametrize(
    ("specification", "uuid", "named"),
    [
        (YAML, "GPU-8f9d", True),
        (YAML, "MIG-17", True),
        (YAML, "GPU-8f9", False),
        (YAML, "GPU-8f9d0", False),
        (YAML, ".*", False),
        ('{"devices":[{"name":"GPU-8f9d","containerEdits":{}}]}', "GPU-8f9d", True),
        ('{\n  "devices": [\n    {\n      "name": "GPU-8f9d",\n', "GPU-8f9d", True),
        ("", "GPU-8f9d", False),
    ],
)
def test_a_specification_names_a_device_or_does_not(
    specification: str, uuid: str, *, named: bool
) -> None:
    assert names_device(specification, uuid=uuid) is named


def test_docker_is_asked_for_cards_by_their_name() -> None:
    uuids = ("GPU-1", "MIG-2")
    assert devices(uuids, access=GpuAccess.NVIDIA) == uuids
    assert devices(uuids, access=GpuAccess.CDI) == ("nvidia.com/gpu=GPU-1", "nvidia.com/gpu=MIG-2")


def test_a_part_by_mps_asks_for_its_card_once() -> None:
    assert devices(("GPU-1/0", "GPU-1/3"), access=GpuAccess.NVIDIA) == ("GPU-1",)
