"""What Prometheus is shown, without a machine."""

import urllib.request
from uuid import UUID

from miner_agent.metrics import Endpoint, Metrics
from protocol.usage import CardUsage, GpuUsage, MachineUsage, PlacementUsage, Usage

USAGE = Usage(
    machine=MachineUsage(
        load_milli=250,
        memory_used_bytes=1,
        memory_bytes=2,
        disk_used_bytes=3,
        disk_bytes=4,
        cards=(CardUsage(uuid="GPU-1", temperature_c=55),),
    ),
    placements=(
        PlacementUsage(
            placement_id=UUID(int=1),
            run=0,
            cpu_ms=5,
            memory_bytes=6,
            gpus=(GpuUsage(uuid="GPU-1", busy_percent=7),),
        ),
    ),
)


def shown(metrics: Metrics) -> list[str]:
    endpoint = Endpoint(metrics, host="127.0.0.1", port=0)
    try:
        url = f"http://127.0.0.1:{endpoint.port}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read().decode().splitlines()
    finally:
        endpoint.close()


def test_what_is_known_is_shown_and_what_is_not_is_left_out() -> None:
    metrics = Metrics()
    metrics.show(usage=lambda: USAGE, states=lambda: {"running": 2})
    metrics.pulled(2.5, done=False)
    lines = shown(metrics)
    owner = 'placement="00000000-0000-0000-0000-000000000001"'
    for line in (
        "berth_machine_load 0.25",
        'berth_gpu_temperature_c{gpu="GPU-1"} 55.0',
        f"berth_placement_cpu_ms{{{owner}}} 5.0",
        f'berth_placement_gpu_busy_percent{{gpu="GPU-1",{owner}}} 7.0',
        'berth_agent_placements{state="running"} 2.0',
        'berth_agent_pull_seconds_sum{outcome="failed"} 2.5',
    ):
        assert line in lines
    assert not any(line.startswith("berth_gpu_power_mw{") for line in lines)
    assert not any(line.startswith("berth_placement_disk_bytes{") for line in lines)


def test_before_the_first_reading_there_is_the_agent_alone() -> None:
    metrics = Metrics()
    metrics.show(usage=lambda: None, states=dict)
    lines = shown(metrics)
    assert any(line.startswith("berth_agent_info{") for line in lines)
    assert not any(line.startswith("berth_machine") for line in lines)
