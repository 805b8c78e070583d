"""One sharing service for each card, with limits, whatever was killed in between."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from miner_agent.domain.gpus import GpuAccess
from miner_agent.engine import Engine, EngineFacts
from miner_agent.gpu_access import GpuDoor, GpuUnavailable
from miner_agent.mps import CONTROL, Mps
from protocol.hardware import Gpu

CONTROL_PROGRAM = Path(__file__).with_name("control.sh")
#: within which a look that is not held back has begun
LOOKS_S = 0.5
PARTS = tuple(
    Gpu(uuid=f"GPU-7/{number}", model="card 1/4 shared", vram_bytes=20 << 30, driver="1")
    for number in range(4)
)


class Told(Engine):
    """An engine that says where it reads specifications of devices."""

    def __init__(self, *folders: Path) -> None:
        super().__init__()
        self._folders = tuple(map(str, folders))

    def facts(self) -> EngineFacts:
        return EngineFacts(
            version="28", storage_driver="overlay2", root="/", cdi_folders=self._folders
        )


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mps]:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / CONTROL).symlink_to(CONTROL_PROGRAM)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    services = Mps(tmp_path / "mps", slots=4)
    yield services
    services.remove()


def heard(tmp_path: Path) -> list[str]:
    return (tmp_path / "mps" / "GPU-7" / "pipes" / "heard").read_text().splitlines()


def door(services: Mps, *folders: Path) -> GpuDoor:
    return GpuDoor(Told(*folders), mps=services, units=lambda: PARTS)


def test_a_part_of_a_card_is_reached_through_its_service_with_its_limits(
    services: Mps, tmp_path: Path
) -> None:
    granted = door(services).open(("GPU-7/2",))
    folder = tmp_path / "mps" / "GPU-7"
    assert granted.devices == ("GPU-7",)
    assert granted.environment == {"CUDA_MPS_PIPE_DIRECTORY": "/berth-mps"}
    assert granted.writable == {
        str(folder / "pipes"): "/berth-mps",
        str(folder / "shm"): "/dev/shm",
    }
    assert "set_default_device_pinned_mem_limit 0 20480M" in heard(tmp_path)
    assert "set_default_active_thread_percentage 25" in heard(tmp_path)


def test_who_has_all_of_a_card_has_it_without_the_service(services: Mps, tmp_path: Path) -> None:
    granted = door(services).alone(("GPU-7/0", "GPU-7/1"))
    assert (granted.devices, granted.environment, granted.writable) == (("GPU-7",), {}, {})
    assert not (tmp_path / "mps").exists()


def test_service_and_clients_share_a_memory_that_is_not_the_machines(
    services: Mps, tmp_path: Path
) -> None:
    door(services).open(("GPU-7/0",))
    assert (tmp_path / "mps" / "GPU-7" / "pipes" / "shm").read_text() == "tmpfs\n"
    assert (tmp_path / "mps" / "GPU-7" / "shm" / "service-of-GPU-7").exists()
    assert not Path("/dev/shm/service-of-GPU-7").exists()


def test_a_service_that_runs_is_limited_again_and_not_started_twice(
    services: Mps, tmp_path: Path
) -> None:
    door(services).open(("GPU-7/0",))
    door(services).open(("GPU-7/1",))
    assert heard(tmp_path).count("set_default_active_thread_percentage 25") == 2


def test_services_and_their_memory_are_removed(services: Mps, tmp_path: Path) -> None:
    door(services).open(("GPU-7/0",))
    shared = tmp_path / "mps" / "GPU-7" / "shm"
    services.remove()
    assert not shared.exists()
    assert str(shared) not in Path("/proc/self/mountinfo").read_text()


def test_what_clients_left_in_memory_goes_with_the_last_of_them(
    services: Mps, tmp_path: Path
) -> None:
    gpus = door(services)
    shared = tmp_path / "mps" / "GPU-7" / "shm"
    with gpus.starting(("GPU-7/0",)):
        gpus.open(("GPU-7/0",))
        (shared / "left").touch()
        # It does not run yet, and is about to.
        gpus.rest(frozenset)
    assert (shared / "left").exists()
    gpus.rest(lambda: frozenset({str(shared), "/other"}))
    assert (shared / "left").exists()

    def starts_meanwhile() -> frozenset[str]:
        with gpus.starting(("GPU-7/1",)):
            return frozenset()

    gpus.rest(starts_meanwhile)
    assert (shared / "left").exists()
    gpus.rest(frozenset)
    assert not shared.exists()
    assert str(shared) not in Path("/proc/self/mountinfo").read_text()
    gpus.open(("GPU-7/1",))
    assert sorted(path.name for path in shared.iterdir()) == ["service-of-GPU-7"]


def test_two_looks_at_once_end_no_service_of_what_started_during_the_first(
    services: Mps, tmp_path: Path
) -> None:
    gpus = door(services)
    shared = tmp_path / "mps" / "GPU-7" / "shm"
    gpus.open(("GPU-7/0",))
    looked = threading.Event()

    def look() -> frozenset[str]:
        looked.set()
        return frozenset({str(shared)})

    second = threading.Thread(target=gpus.rest, args=(look,))

    def starts_meanwhile() -> frozenset[str]:
        with gpus.starting(("GPU-7/0",)):
            (shared / "used").touch()
        second.start()
        # Nothing tells that it waits for this one: only that it would have looked by now.
        looked.wait(LOOKS_S)
        return frozenset()

    gpus.rest(starts_meanwhile)
    second.join()
    assert looked.is_set()
    assert (shared / "used").exists()


def test_parts_are_not_mixed_with_other_cards(services: Mps) -> None:
    with pytest.raises(GpuUnavailable):
        door(services).open(("GPU-7/0", "GPU-8"))
    with pytest.raises(GpuUnavailable):
        door(services).open(("GPU-7/0", "GPU-8/0"))


def test_a_machine_without_the_program_says_so(tmp_path: Path) -> None:
    services = Mps(tmp_path / "mps", slots=4)
    with pytest.raises(GpuUnavailable, match="sharing service"):
        door(services).open(("GPU-7/0",))
    services.remove()


def test_docker_itself_hands_out_the_cards_that_its_specifications_name(
    services: Mps, tmp_path: Path
) -> None:
    (tmp_path / "nvidia.yaml").write_text("devices:\n- name: GPU-1\n- name: GPU-2\n")
    (tmp_path / "notes.txt").write_text("name: GPU-3\n")
    both = door(services, tmp_path, tmp_path / "missing").open(("GPU-1", "GPU-2"))
    assert (both.access, both.devices) == (
        GpuAccess.CDI,
        ("nvidia.com/gpu=GPU-1", "nvidia.com/gpu=GPU-2"),
    )
    assert door(services, tmp_path).open(("GPU-1", "GPU-3")).access is GpuAccess.NVIDIA
    assert door(services).open(("GPU-1",)).access is GpuAccess.NVIDIA


def test_no_gpus_need_no_engine_and_no_service(services: Mps) -> None:
    assert door(services).open(()).devices == ()
